"""The benchmark flow: from a cohort file to compared models."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from cohort.load import load_cohort
from cohort.types import Cohort
from evaluation.leak_audit import too_good_predictors
from evaluation.verdict import Verdict
from flows.cell_store import CellStore
from flows.cell_tasks import WAITING_THREADS
from flows.cell_work import CellWork
from flows.centres import leave_centres_out
from flows.compute import ComputePool
from flows.config import BenchmarkConfig
from flows.environment import tracking_uri, workspace
from flows.leaderboard_view import artifact_rows
from flows.log_items import benchmark_items
from flows.outputs import Outputs, write_outputs
from flows.plan import Plan, make_plan
from flows.run_steps import do_cells, open_run, refuse_or_warn
from flows.splits import SPLIT_HORIZONS_MONTHS, as_replayed
from flows.tracking import MlflowWriter
from flows.work import predictors_of
from models.registry import MODELS


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """Where a run's results lie, and how its cells ended.

    ``reused`` cells were finished by an earlier run; ``warnings`` are the leak audit's.
    """

    run_name: str
    folder: Path
    leaderboard: pd.DataFrame
    completed: int
    failed: int
    skipped: int
    reused: int
    warnings: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@flow(
    name="benchmark",
    description="Compare models of early relapse after resection of colorectal liver metastases, on equal terms.",
    flow_run_name="{config.cohort}-{config.preset}",
    task_runner=WAITING_THREADS,
    persist_result=False,
)
def benchmark(config: BenchmarkConfig = BenchmarkConfig()) -> BenchmarkResult:  # noqa: B008 (frozen)
    """Load and check, audit, train and evaluate every cell, log, report."""
    started = time.monotonic()
    cohort = load_and_check(config)
    config = as_replayed(config, cohort)
    plan = plan_cells(config, cohort)
    warnings = audit_leaks(config, cohort, plan)
    made_from = {"config": config.science(), "cohort": cohort.identity}
    with (
        ComputePool(config.n_workers, cohort) as pool,
        closing(open_run("benchmark", f"{cohort.name}-{config.preset}", made_from)) as run,
    ):
        writer = MlflowWriter(tracking_uri(), workspace() / "mlruns" / "artifacts")
        run.update(mlflow_run_id=writer.start(cohort, run.name, config.science(), run.state.get("mlflow_run_id")))
        try:
            store = CellStore(workspace() / "runs" / ".fits")
            work = CellWork(config, cohort, plan, run.path / "cells", store, fresh=config.fresh and not run.resumed)
            evaluated, reused = do_cells(work, pool, writer, config.n_workers + 1, "Benchmark")
            comparisons = work.compare(evaluated, pool)
            judged = [cell for cell in plan.cells if evaluated[cell].result.status == "completed"]
            centres = leave_centres_out(config, cohort, plan, judged, store, pool)
            seconds = time.monotonic() - started
            outputs = write_outputs(config, cohort, work, run, evaluated, comparisons, warnings, seconds, *centres)
            writer.finish(benchmark_items(outputs.leaderboard, outputs.verdicts, outputs.files, outputs.model_cards))
            publish_leaderboard(outputs, cohort)
        except BaseException:
            writer.fail()
            run.update(status="failed")
            raise
        run.complete()
    statuses = outputs.leaderboard["status"].value_counts()
    completed, failed, skipped = (int(statuses.get(status, 0)) for status in ("completed", "failed", "skipped"))
    return BenchmarkResult(
        run.name, run.path, outputs.leaderboard, completed, failed, skipped, reused, warnings, outputs.verdicts
    )


@task(name="load-and-check-cohort", cache_policy=NO_CACHE)
def load_and_check(config: BenchmarkConfig) -> Cohort:
    """The cohort under its contract, or one error with all broken rules."""
    cohort = load_cohort(config.cohort, config.data)
    outcome = cohort.outcome("dfs")
    get_run_logger().info(
        "%s; %d patients, %d events within 6 months, %d within 12",
        *(cohort.caption, len(cohort), outcome.events_by(6), outcome.events_by(12)),
    )
    return cohort


@task(name="plan-cells", cache_policy=NO_CACHE)
def plan_cells(config: BenchmarkConfig, cohort: Cohort) -> Plan:
    """What to fit and what to leave out."""
    plan = make_plan(config, cohort)
    get_run_logger().info("%d cells from %d fits; %d skipped", len(plan.cells), len(plan.fits), len(plan.skipped))
    return plan


@task(name="audit-leaks", cache_policy=NO_CACHE)
def audit_leaks(config: BenchmarkConfig, cohort: Cohort, plan: Plan) -> tuple[str, ...]:
    """Predictors that know too much, of any fit planned, stop the run, or become warnings where the configuration says so."""
    findings: list[str] = []
    # One fit stands for all that learn from the same predictors of the same patients.
    for fit in {(f.population, f.feature_set): f for f in plan.fits if MODELS[f.model].uses_predictors}.values():
        outcome = cohort.population(fit.population).outcome("dfs")
        suspects = too_good_predictors(predictors_of(cohort, fit), outcome, SPLIT_HORIZONS_MONTHS)
        findings += [f"{suspect} ({fit.population})" for suspect in suspects]
    return refuse_or_warn(findings, config.on_leak)


@task(name="publish-leaderboard", cache_policy=NO_CACHE)
def publish_leaderboard(outputs: Outputs, cohort: Cohort) -> None:
    """The leaderboard as a Prefect artifact: aggregates only."""
    note = f"{cohort.caption}. Estimates with 95 % intervals at the endpoint's last horizon."
    create_table_artifact(artifact_rows(outputs.leaderboard), key="leaderboard", description=note)
