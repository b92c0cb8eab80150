"""What an external validation leaves on disk: tables, predictions, the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cohort.types import Cohort
from evaluation.external_validation import UPDATES, update
from evaluation.tables import Cell, leaderboard, metrics_table
from evaluation.validation_report import CohortOfPage, ValidationData, render_validation
from features.shared import SharedPredictors
from flows.folders import write_atomically
from flows.outputs import plan_reasons, provenance
from flows.run_directory import RunDirectory
from flows.validation_cells import ValidationCells
from flows.validation_config import ValidationConfig
from flows.validation_plan import Question
from flows.validation_work import ValidatedCell, splits_of

VALIDATION, COMPARISONS, CASE_MIX, DROPPED = "validation.csv", "comparisons.csv", "case_mix.csv", "dropped_predictors.csv"
PREDICTIONS, PAGE = "predictions.parquet", "validation.html"


@dataclass(frozen=True, eq=False)
class ValidationOutputs:
    """``boards``: by update, one row a cell at its primary horizon. ``comparisons``: every model against the null model."""

    boards: Mapping[str, pd.DataFrame]
    comparisons: pd.DataFrame
    files: tuple[Path, ...]


def write_validation(
    config: ValidationConfig,
    train: Cohort,
    test: Cohort,
    cells: ValidationCells,
    run: RunDirectory,
    done: Mapping[Cell, ValidatedCell],
    shared: Mapping[Question, SharedPredictors],
    comparisons: pd.DataFrame,
    differences: pd.DataFrame,
    warnings: Sequence[str],
    duration_seconds: float,
) -> ValidationOutputs:
    """Write all files of a run; each appears whole. ``differences``: :func:`evaluation.case_mix.case_mix`."""
    plan = cells.plan
    # In the plan's order, not the order of finishing: the same run gives the same file.
    results = {kind: [done[cell].results[kind] for cell in plan.cells] for kind in UPDATES}
    boards = {kind: leaderboard([*of_kind, *plan.skipped]) for kind, of_kind in results.items()}
    metrics = pd.concat([metrics_table(of_kind).assign(update=kind) for kind, of_kind in results.items()], ignore_index=True)
    dropped = dropped_table(shared)
    tables = {VALIDATION: with_failures(metrics, boards), COMPARISONS: comparisons, CASE_MIX: differences, DROPPED: dropped}
    for name, table in tables.items():
        write_atomically(run.path / name, table.to_csv(index=False))
    _write_predictions(run.path / PREDICTIONS, config, test, cells)
    failed = [f"{r.cell.name}: {r.note}" for r in next(iter(results.values())) if r.status == "failed"]
    page = ValidationData(
        train=CohortOfPage.of(train),
        test=CohortOfPage.of(test),
        boards=boards,
        metrics=metrics,
        comparisons=comparisons,
        case_mix=differences,
        dropped=dropped,
        used={question: each.train.names for question, each in shared.items()},
        settings={"preset": config.preset, **config.science(), "train": train.name, "test": test.name},  # never a path
        provenance=provenance(run, duration_seconds),
        warnings=(*warnings, *failed),
        skipped=plan_reasons(plan),
        figures={(c.population, c.endpoint, c.feature_set, c.model): d.figures for c, d in done.items()},
        decision_curves={
            (c.population, c.endpoint, c.feature_set, c.model): d.decision_curves
            for c, d in done.items()
            if d.decision_curves is not None
        },
    )
    write_atomically(run.path / PAGE, render_validation(page))
    return ValidationOutputs(boards, comparisons, tuple(run.path / name for name in (*tables, PREDICTIONS, PAGE)))


def with_failures(metrics: pd.DataFrame, boards: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a cell, update, metric and horizon, with ``status``; one with the reason where a cell failed or was skipped."""
    without = [
        board.loc[board["status"] != "completed", ["population", "endpoint", "feature_set", "model", "status", "note"]].assign(
            update=kind
        )
        for kind, board in boards.items()
    ]
    return pd.concat([metrics.assign(status="completed"), *(table for table in without if len(table))], ignore_index=True)


def dropped_table(shared: Mapping[Question, SharedPredictors]) -> pd.DataFrame:
    """Predictors that one cohort's feature set has and the other cannot be asked: population, feature_set, predictor, reason."""
    rows = [(*question, dropped.name, dropped.reason) for question, each in shared.items() for dropped in each.dropped]
    return pd.DataFrame(rows, columns=["population", "feature_set", "predictor", "reason"])


def _write_predictions(path: Path, config: ValidationConfig, test: Cohort, cells: ValidationCells) -> None:
    """All fits' risks, frozen and updated: the schema of :mod:`evaluation.predictions` and ``update``. The owner's only."""
    parts = []
    for fit in cells.plan.fits:
        frozen = cells.store.predictions(cells.keys[fit])
        splits = splits_of(test, fit.population, config)
        parts += [update(frozen, splits, kind)[0].assign(update=kind) for kind in UPDATES] if len(frozen) else []
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    write_atomically(path, table.to_parquet(index=False), private=True)
