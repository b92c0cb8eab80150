"""What is logged of a benchmark and its cells, as plain values: no store is asked, so a test can."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cohort.types import EVIDENCE_LABELS, Cohort
from evaluation.external_validation import FROZEN
from evaluation.tables import CellResult
from evaluation.verdict import Verdict
from flows.cell_store import FitSummary, code_digest
from flows.plan import Fit
from flows.resampled import corrected_metrics
from flows.work import EvaluatedCell
from models.procedure import FittedProcedure

NOTE_TAG = "mlflow.note.content"


@dataclass(frozen=True)
class Tags:
    values: Mapping[str, str]


@dataclass(frozen=True)
class Params:
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Metrics:
    """Values that are not finite are left out: MLflow's charts cannot show them."""

    values: Mapping[str, float]


@dataclass(frozen=True)
class Files:
    """A file, or all files of a folder, below an artifact folder."""

    path: Path
    below: str = ""


@dataclass(frozen=True)
class Table:
    """A table as csv."""

    name: str
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class UsedCohort:
    cohort: Cohort


@dataclass(frozen=True, eq=False)
class FittedModel:
    """The model of a fit, logged with the first of its cells and linked to the others."""

    fit: Fit
    procedure: FittedProcedure
    cohort: Cohort


@dataclass(frozen=True)
class ModelCard:
    """Markdown, the description of the logged model of a fit."""

    fit_name: str
    text: str


Item = Tags | Params | Metrics | Files | Table | UsedCohort | FittedModel | ModelCard


def metric_values(result: CellResult) -> dict[str, float]:
    """``auc/6_months`` and, below ``interval/``, its bounds."""
    values: dict[str, float] = {}
    for e in result.estimates:
        months = f"{e.horizon_months:g}_months"
        values[f"{e.metric}/{months}"] = e.estimate
        values[f"interval/{e.metric}_{months}_low"] = e.ci_low
        values[f"interval/{e.metric}_{months}_high"] = e.ci_high
    if result.estimates:
        values["patients"] = result.estimates[-1].n
        values["events_by_horizon"] = result.estimates[-1].n_events
    values["fit_seconds"] = result.seconds
    return values


def cell_items(
    evaluated: EvaluatedCell,
    fit: Fit,
    summary: FitSummary,
    predictions: pd.DataFrame,
    cohort: Cohort,
    model: FittedProcedure | None,
) -> Iterator[Item]:
    """All that is logged of one cell."""
    result = evaluated.result
    yield Tags({"trained_on": fit.trained_on, "fit": fit.name, NOTE_TAG: _describe(result, cohort)})
    yield Tags({f"note_{i}": note for i, note in enumerate(summary.notes, 1)})
    yield Params({"trained_on": fit.trained_on, "n_predictors": summary.n_predictors, **summary.params})
    yield Metrics(metric_values(result) | corrected_metrics(evaluated.folder))
    yield UsedCohort(cohort)
    yield Files(evaluated.folder, "evaluation")
    yield Table("predictions.csv", predictions)
    if model is not None:
        yield FittedModel(fit, model, cohort)
    yield Tags({"status": result.status})


def validation_cell_items(
    results: Mapping[str, CellResult],
    folder: Path,
    fit: Fit,
    summary: FitSummary,
    train: Cohort,
    model: FittedProcedure | None,
) -> Iterator[Item]:
    """All that is logged of one cell of an external validation: frozen under the metrics' own names, updates below theirs."""
    frozen = results[FROZEN]
    yield Tags({"trained_on": fit.trained_on, "fit": fit.name, "status": frozen.status})
    yield Tags({f"note_{i}": note for i, note in enumerate((*summary.failures, *summary.notes), 1)})
    yield Params({"trained_on": fit.trained_on, "n_predictors": summary.n_predictors, **summary.params})
    for kind, result in results.items():
        values = metric_values(result)
        yield Metrics(values if kind == FROZEN else {f"{kind}/{name}": value for name, value in values.items()})
    yield Files(folder, "evaluation")
    if model is not None:
        yield FittedModel(fit, model, train)


def validation_items(boards: Mapping[str, pd.DataFrame], differences: pd.DataFrame, files: Iterable[Path]) -> Iterator[Item]:
    """What is logged of a whole external validation: its files, how the cells ended, and how far the cohorts lie apart."""
    yield from (Files(path) for path in files)
    yield Metrics({f"cells/{status}": float(count) for status, count in boards[FROZEN]["status"].value_counts().items()})
    apart = differences[differences["what"] == "membership"]
    yield Metrics({f"membership_c/{row['population']}_{row['name']}": row["difference"] for _, row in apart.iterrows()})


def benchmark_items(
    leaderboard: pd.DataFrame, verdicts: Iterable[Verdict], files: Iterable[Path], model_cards: Mapping[str, str] | None = None
) -> Iterator[Item]:
    """What is logged of the whole benchmark: its files, each question's verdict and highest AUC, and how the cells ended.

    ``model_cards`` by the name of the fit.
    """
    yield from (Files(path, path.name if path.is_dir() else "") for path in files)
    yield from (ModelCard(name, text) for name, text in (model_cards or {}).items())
    yield Tags({f"verdict/{v.population}_{v.endpoint}": v.headline for v in verdicts})
    yield Metrics({f"cells/{status}": float(count) for status, count in leaderboard["status"].value_counts().items()})
    best = leaderboard.groupby(["population", "endpoint"])["auc"].max()
    yield Metrics(
        {f"highest_auc/{'_'.join(map(str, question))}": value for question, value in zip(best.index, best, strict=True)}
    )


def reproduction_items(
    cohort: Cohort, effects: pd.DataFrame | None, bar: pd.DataFrame | None, files: Iterable[Path]
) -> Iterator[Item]:
    """What is logged of a reproduction: how much agrees with print, where it is about this cohort, and the files."""
    yield Params({"patients": len(cohort)})
    yield UsedCohort(cohort)
    if bar is not None:
        names = [name.lower().replace(":", "").replace(",", "").replace(" ", "_") for name in bar["criterion"]]
        yield Metrics({f"share/{name}": share for name, share in zip(names, bar["share"], strict=True)})
    if effects is not None:
        for outcome, rows in effects.groupby("outcome", sort=False):
            yield Metrics(
                {
                    f"reproduced/{outcome}": float((rows["verdict"] == "reproduced").sum()),
                    f"exact/{outcome}": float(rows["exact"].sum()),
                    f"published/{outcome}": float(len(rows)),
                }
            )
    yield from (Files(path, path.name if path.is_dir() else "") for path in files)


def cohort_tags(cohort: Cohort) -> dict[str, str]:
    return {
        "cohort": cohort.name,
        "cohort_digest": cohort.digest,
        "evidence": EVIDENCE_LABELS[cohort.evidence],
        "code_version": code_digest(),
        "mlflow.source.name": "crlm benchmark",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": getpass.getuser(),
    }


def trained_elsewhere(cohort: Cohort) -> dict[str, str]:
    """Tags of an external validation beside those of the cohort that it judges in."""
    return {
        "kind": "validation",
        "train_cohort": cohort.name,
        "train_cohort_digest": cohort.digest,
        "train_evidence": EVIDENCE_LABELS[cohort.evidence],
        "mlflow.source.name": "crlm validate",
    }


def _describe(result: CellResult, cohort: Cohort) -> str:
    note = f"\n\n{result.note}" if result.note else ""
    return f"**{result.cell.name}**\n\n{cohort.caption}.{note}"
