"""What a benchmark leaves on disk: tables, predictions, report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cohort.describe import describe
from cohort.types import ENDPOINTS, POPULATIONS, Cohort
from evaluation.predictions import NO_FEATURES
from evaluation.report import ReportData, write_report
from evaluation.report_summary import CellKey
from evaluation.sample_size_table import sample_size_table
from evaluation.tables import Cell, leaderboard, metrics_table
from evaluation.verdict import Verdict, judge, verdict_table
from flows.before_fitting import look_before_fitting, write_before_fitting
from flows.cell_store import CellStore, code_digest
from flows.cell_work import CellWork
from flows.centres import INTERNAL_EXTERNAL
from flows.checklist_outputs import write_checklists
from flows.config import BenchmarkConfig
from flows.folders import write_atomically
from flows.model_cards import FOLDER as MODEL_CARDS
from flows.model_cards import write_model_cards
from flows.plan import Plan
from flows.resampled import gather_resampled, write_resampled
from flows.run_directory import RunDirectory
from flows.splits import SPLITS, write_splits
from flows.work import EvaluatedCell

Made = TypeVar("Made")

LEADERBOARD, METRICS_FILE, SAMPLE_SIZE = "leaderboard.csv", "metrics.csv", "sample_size.csv"
COMPARISONS, VERDICT = "comparisons.csv", "verdict.csv"
PREDICTIONS, REPORT = "predictions.parquet", "report.html"


@dataclass(frozen=True, eq=False)
class Outputs:
    """The tables of a run and the paths of its files."""

    leaderboard: pd.DataFrame
    metrics: pd.DataFrame
    verdicts: tuple[Verdict, ...]
    files: tuple[Path, ...]
    model_cards: Mapping[str, str] = field(default_factory=dict)


def write_outputs(
    config: BenchmarkConfig,
    cohort: Cohort,
    work: CellWork,
    run: RunDirectory,
    evaluated: Mapping[Cell, EvaluatedCell],
    comparisons: pd.DataFrame,
    warnings: Sequence[str],
    duration_seconds: float,
    centres: pd.DataFrame | None = None,
    left_out: Sequence[str] = (),
) -> Outputs:
    """Write all files of a run; each appears whole. ``comparisons``: :func:`evaluation.comparison.compare_models`.

    ``centres``: :func:`flows.centres.leave_centres_out`, and what was ``left_out`` of it; without a row there is no file.
    """
    plan = work.plan
    # In the plan's order, not the order of finishing: the same run gives the same file.
    results = [evaluated[cell].result for cell in plan.cells]
    everything = [*results, *plan.skipped]
    board, metrics = leaderboard(everything), metrics_table(results)
    write_atomically(run.path / LEADERBOARD, board.to_csv(index=False))
    write_atomically(run.path / METRICS_FILE, metrics.to_csv(index=False))
    sizes = sample_size_table(cohort, _questions(plan))
    write_atomically(run.path / SAMPLE_SIZE, sizes.to_csv(index=False))
    decision_curves = _by_cell(evaluated, lambda e: e.decision_curve)
    verdicts = judge(board, comparisons, decision_curves, cohort.evidence)
    write_atomically(run.path / COMPARISONS, comparisons.to_csv(index=False))
    write_atomically(run.path / VERDICT, verdict_table(verdicts).to_csv(index=False))
    _gather_predictions(run.path / PREDICTIONS, [work.keys[fit] for fit in plan.fits], work.store)
    before_fitting = look_before_fitting(config, cohort, plan)
    resampled = gather_resampled(plan.cells, run.path / "cells")
    failed = [f"{r.cell.name}: {r.note}" for r in results if r.status == "failed"]
    report = ReportData(
        cohort_title=cohort.title,
        cohort_name=cohort.name,
        evidence=cohort.evidence,
        citation=cohort.citation,
        digest=cohort.digest,
        description=describe(cohort),
        leaderboard=board,
        metrics=metrics,
        settings={"preset": config.preset, **config.science(), "cohort": cohort.name},  # never the path of a contract
        provenance=provenance(run, duration_seconds),
        warnings=(*warnings, *before_fitting.audit.warnings, *failed),
        skipped=(*plan_reasons(plan), *left_out),
        cell_figures=_by_cell(evaluated, lambda e: e.figure_png),
        sample_size=sizes,
        comparisons=comparisons,
        verdicts=verdicts,
        decision_curves=decision_curves,
        decision_figures=_by_cell(evaluated, lambda e: e.decision_png),
        before_fitting=before_fitting,
        resampled=resampled,
        explanations=_by_cell(evaluated, lambda e: e.explanation),
        **({} if centres is None else {"internal_external": centres}),
    )
    write_report(report, run.path / REPORT)
    write_splits(run.path / SPLITS, cohort, (cell.population for cell in plan.cells), config)
    for_reviewers = (*write_before_fitting(before_fitting, run.path), *write_checklists(report, run.path))
    cards = write_model_cards(run, work, cohort, board, verdicts, report.settings, report.provenance)
    tables = [LEADERBOARD, METRICS_FILE, COMPARISONS, VERDICT, SAMPLE_SIZE]
    if centres is not None and len(centres):
        write_atomically(run.path / INTERNAL_EXTERNAL, centres.to_csv(index=False))
        tables.append(INTERNAL_EXTERNAL)
    names = (*tables, *for_reviewers, PREDICTIONS, SPLITS, REPORT, MODEL_CARDS)
    files = (*(run.path / name for name in names), *write_resampled(resampled, run.path))
    return Outputs(board, metrics, verdicts, files, cards)


def _by_cell(evaluated: Mapping[Cell, EvaluatedCell], of: Callable[[EvaluatedCell], Made | None]) -> dict[CellKey, Made]:
    """What was made of each cell, as the report looks it up; cells without it are left out."""
    found = {(c.population, c.endpoint, c.feature_set, c.model): of(e) for c, e in evaluated.items()}
    return {key: made for key, made in found.items() if made is not None}


def provenance(run: RunDirectory, duration_seconds: float) -> dict[str, str]:
    libraries = ("scikit-learn", "scikit-survival", "xgboost", "optuna", "pandas", "numpy", "prefect", "mlflow")
    return {
        "run": run.name,
        "started": str(run.state.get("started", "")),
        "duration": f"{duration_seconds / 60:.1f} minutes" + (" since it was continued" if run.resumed else ""),
        "version": metadata.version("crlm-benchmark"),
        "code": code_digest(),
        **{name: metadata.version(name) for name in libraries},
    }


def _gather_predictions(target: Path, keys: Iterable[str], store: CellStore) -> None:
    """All fits' predictions in one file, fit by fit so that memory stays small."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".predictions-", delete=False) as staging:
        path = Path(staging.name)
    try:
        writer: pq.ParquetWriter | None = None
        for key in keys:
            table = pa.Table.from_pandas(store.predictions(key), preserve_index=False)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table.cast(writer.schema))
        if writer is not None:
            writer.close()
        path.replace(target)
    finally:
        path.unlink(missing_ok=True)


def _questions(plan: Plan) -> list[tuple[str, str, str]]:
    """What is planned with predictors, as (population, endpoint, feature set), in the endpoints' order within a population."""
    asked = dict.fromkeys((c.population, c.endpoint, c.feature_set) for c in plan.cells if c.feature_set != NO_FEATURES)
    populations, endpoints = list(POPULATIONS), list(ENDPOINTS)
    return sorted(asked, key=lambda question: (populations.index(question[0]), endpoints.index(question[1])))


def plan_reasons(plan: Plan) -> tuple[str, ...]:
    """Skipped cells, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for result in plan.skipped:
        by_reason.setdefault(result.note, []).append(result.cell.name)
    return tuple(
        f"{len(names)} cells ({names[0]}{', …' if len(names) > 1 else ''}): {reason}" for reason, names in by_reason.items()
    )
