"""The external validation flow: learn from one cohort, judge in another."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from cohort.errors import CohortError
from cohort.load import load_cohort
from cohort.types import Cohort
from evaluation.case_mix import case_mix
from evaluation.external_validation import FROZEN
from evaluation.leak_audit import too_good_predictors
from features.shared import SharedPredictors
from flows.cell_store import CellStore
from flows.cell_tasks import WAITING_THREADS
from flows.compute import ComputePool
from flows.environment import tracking_uri, workspace
from flows.leaderboard_view import artifact_rows
from flows.log_items import validation_items
from flows.plan import Plan
from flows.run_steps import do_cells, open_run, refuse_or_warn
from flows.splits import SPLIT_HORIZONS_MONTHS
from flows.tracking import MlflowWriter
from flows.validation_cells import ValidationCells
from flows.validation_config import ValidationConfig
from flows.validation_outputs import ValidationOutputs, write_validation
from flows.validation_plan import Question, make_validation_plan, shared_by_question
from flows.validation_work import initialise


@dataclass(frozen=True, eq=False)
class Validation:
    """Where a run's results lie. ``boards``: by update, one row a cell at its primary horizon; ``reused`` fits were finished
    before.
    """

    folder: Path
    boards: Mapping[str, pd.DataFrame]
    comparisons: pd.DataFrame
    reused: int
    warnings: tuple[str, ...]
    captions: tuple[str, str]

    @property
    def failed(self) -> int:
        return int((self.boards[FROZEN]["status"] == "failed").sum())


@flow(
    name="validate",
    description="Learn from one cohort, freeze, and judge in another: external validation.",
    flow_run_name="{config.train}-to-{config.test}",
    task_runner=WAITING_THREADS,
    persist_result=False,
)
def validate(config: ValidationConfig) -> Validation:
    """Load and check both, plan, audit, learn and judge every cell, compare, log, report."""
    started = time.monotonic()
    train, test = load_both(config)
    plan = plan_validation(config, train, test)
    shared = shared_by_question(plan, train, test)
    warnings = audit_both(config, train, test, shared)
    made_from = {"config": {**config.science(), "train": train.identity, "test": test.identity}}
    with (
        ComputePool(config.n_workers, train, test, initialise=initialise) as pool,
        closing(open_run("validate", f"{train.name}-to-{test.name}-{config.preset}", made_from)) as run,
    ):
        writer = MlflowWriter(tracking_uri(), workspace() / "mlruns" / "artifacts")
        params = {**config.science(), "train": train.name, "test": test.name}
        run.update(mlflow_run_id=writer.start(test, run.name, params, run.state.get("mlflow_run_id"), trained_on=train))
        try:
            store = CellStore(workspace() / "runs" / ".fits")
            fresh = config.fresh and not run.resumed
            cells = ValidationCells(config, train, test, plan, run.path / "cells", store, fresh)
            done, reused = do_cells(cells, pool, writer, config.n_workers + 1, "Validation")
            comparisons = cells.compare(done, pool)
            differences = describe_case_mix(config, train, test, shared)
            seconds = time.monotonic() - started
            outputs = write_validation(config, train, test, cells, run, done, shared, comparisons, differences, warnings, seconds)
            writer.finish(validation_items(outputs.boards, differences, outputs.files))
            publish(outputs, train, test)
        except BaseException:
            writer.fail()
            run.update(status="failed")
            raise
        run.complete()
    return Validation(run.path, outputs.boards, comparisons, reused, warnings, (train.caption, test.caption))


@task(name="load-both-cohorts", cache_policy=NO_CACHE)
def load_both(config: ValidationConfig) -> tuple[Cohort, Cohort]:
    """Both cohorts under their contracts; raises ``CohortError`` if they are the same patients."""
    train, test = load_cohort(config.train, config.train_data), load_cohort(config.test, config.test_data)
    if train.digest == test.digest:
        raise CohortError(f"train ({train.name}) and test ({test.name}) hold the same patients: that is no external validation")
    for role, cohort in (("train", train), ("test", test)):
        get_run_logger().info("%s: %s; %d patients", role, cohort.caption, len(cohort))
    return train, test


@task(name="plan-validation", cache_policy=NO_CACHE)
def plan_validation(config: ValidationConfig, train: Cohort, test: Cohort) -> Plan:
    """What both cohorts can answer."""
    plan = make_validation_plan(config, train, test)
    get_run_logger().info("%d cells from %d fits; %d skipped", len(plan.cells), len(plan.fits), len(plan.skipped))
    return plan


@task(name="audit-both", cache_policy=NO_CACHE)
def audit_both(
    config: ValidationConfig, train: Cohort, test: Cohort, shared: Mapping[Question, SharedPredictors]
) -> tuple[str, ...]:
    """Shared predictors that know too much, in either cohort, stop the run, or become warnings."""
    findings: list[str] = []
    for (population, _), each in shared.items():
        for cohort, predictors in ((train, each.train), (test, each.test)):
            outcome = cohort.population(population).outcome("dfs")
            suspects = too_good_predictors(predictors, outcome, SPLIT_HORIZONS_MONTHS)
            findings += [f"{suspect} ({cohort.name}, {population})" for suspect in suspects]
    return refuse_or_warn(findings, config.on_leak)


@task(name="case-mix", cache_policy=NO_CACHE)
def describe_case_mix(
    config: ValidationConfig, train: Cohort, test: Cohort, shared: Mapping[Question, SharedPredictors]
) -> pd.DataFrame:
    """How the cohorts differ, in every population that is judged."""
    tables = [
        case_mix(
            train, test, population, [s for (p, _), s in shared.items() if p == population], config.n_bootstraps, config.seed
        )
        for population in dict.fromkeys(p for p, _ in shared)
    ]
    return pd.concat(tables, ignore_index=True)


@task(name="publish-validation", cache_policy=NO_CACHE)
def publish(outputs: ValidationOutputs, train: Cohort, test: Cohort) -> None:
    """The frozen models' results as a Prefect artifact: aggregates only."""
    note = f"Learned from {train.caption}; judged, frozen, in {test.caption}. With 95 % intervals at the last horizon."
    create_table_artifact(artifact_rows(outputs.boards[FROZEN]), key="validation", description=note)
