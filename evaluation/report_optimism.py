"""The report's section on what the models would do in new patients, and how much they would differ, as text for the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from evaluation.figures import data_uri, feature_set_label, interval_text, model_label, question_label, signed, variable_label
from evaluation.metrics.registry import METRICS
from evaluation.optimism import LEAST_FOR_INTERVAL, MAX_FAILED, Corrected
from evaluation.report_summary import CellKey
from evaluation.report_tables import Footnotes, note_text
from evaluation.stability import NOTHING_SELECTED, SELECTION_COLUMNS, Stability
from evaluation.tables import of_question, questions

KEYS = ["population", "endpoint", "feature_set", "model"]
OPTIMISM_COLUMNS = [*KEYS, *(f.name for f in fields(Corrected))]
STABILITY_COLUMNS = [*KEYS, *(f.name for f in fields(Stability))]
#: What stands in the report; the rest is in optimism.csv.
SHOWN = ("auc", "c_uno", "scaled_brier", "calibration_slope")

NOTES: tuple[str, ...] = (
    "Each model's whole procedure (imputation, screening, tuning, fit) was learned again in bootstrap resamples of the patients,"
    " and every resample model asked about all of them.",
    "Apparent: in the very patients that the model learned from. Corrected: less the mean optimism, the resample models'"
    " performance in their own resample less that in all patients (Harrell; Efron). .632+: apparent performance and that in the"
    " patients left out of a resample, weighted by how much the procedure overfits (Efron and Tibshirani 1997).",
    "With about four events a candidate parameter the corrected estimate still flatters (AUC by 0.03 in simulated cohorts where"
    " the apparent one flatters by 0.12); trust .632+ then.",
    "Intervals: the location-shifted bootstrap (Noma et al. 2021), apparent performance over the resamples less the optimism; in"
    f" small samples they are somewhat short. None is given below {LEAST_FOR_INTERVAL} resamples, and no estimate where more than"
    f" {MAX_FAILED:.0%} of them failed. ± is the standard error from the number of resamples alone.",
    "Corrected estimates answer for a model learned from all patients, cross-validated ones for one learned from a fold's share:"
    " the two need not agree.",
)
STABILITY_NOTES: tuple[str, ...] = (
    "Distance: mean absolute distance between the risk that the resample models give a patient and the original model's, in"
    " percentage points of risk (MAPE of Riley and Collins 2023). Called otherwise: the mean share of resample models that put a"
    " patient on the other side of the threshold. ICI: mean distance from the calibration curve, in the original patients.",
)


@dataclass(frozen=True, eq=False)
class Resampled:
    """What the resample models gave, a row a cell with its names first; empty where none was made.

    optimism : rows of :class:`evaluation.optimism.Corrected`. stability : of :class:`evaluation.stability.Stability`, at the
    primary horizon. selection : of :func:`evaluation.stability.selection`. Figures: PNG by cell.
    """

    optimism: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=OPTIMISM_COLUMNS))
    stability: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=STABILITY_COLUMNS))
    selection: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*KEYS, *SELECTION_COLUMNS]))
    stability_figures: Mapping[CellKey, bytes] = field(default_factory=dict)
    selection_figures: Mapping[CellKey, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimismRow:
    """One metric of one model. ``message`` stands for all numbers after the apparent one."""

    metric: str
    apparent: str
    corrected: str = ""
    interval: str = ""
    plus_632: str = ""
    failed: str = ""
    message: str = ""
    mark: str = ""


@dataclass(frozen=True)
class StabilityRow:
    """A model's numbers, or the ``message`` that stands for them."""

    distance: str = ""
    distance_p90: str = ""
    at_observed: str = ""
    at_50: str = ""
    ici: str = ""
    message: str = ""


@dataclass(frozen=True)
class ModelView:
    model: str
    features: str
    rows: tuple[OptimismRow, ...]
    stability: StabilityRow | None
    selected: str
    figures: tuple[tuple[str, str], ...]
    """data URI, alternative text"""


@dataclass(frozen=True)
class QuestionView:
    heading: str
    caption: str
    models: tuple[ModelView, ...]
    footnotes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class OptimismView:
    sentence: str
    questions: tuple[QuestionView, ...]
    notes: tuple[str, ...] = NOTES
    stability_notes: tuple[str, ...] = STABILITY_NOTES


def optimism_view(resampled: Resampled) -> OptimismView | None:
    """The section, or None where no procedure was learned again."""
    if resampled.optimism.empty:
        return None
    asked = questions(resampled.optimism)
    return OptimismView(_sentence(resampled.optimism), tuple(_question(resampled, *question) for question in asked))


def _sentence(table: pd.DataFrame) -> str:
    """How much apparent AUC flatters, at the primary horizons."""
    primary = table[
        (table["metric"] == "auc") & (table["horizon_months"] == table.groupby(KEYS)["horizon_months"].transform("max"))
    ]
    known = primary[primary["corrected"].notna()]
    n_resamples = int(table["n_resamples"].max())
    if known.empty:
        return f"In {n_resamples} resamples; no AUC could be corrected, for the reasons given in the tables."
    optimism = known["optimism"]
    return (
        f"In {n_resamples} resamples, apparent AUC flatters by {signed(optimism.min())} to {signed(optimism.max())}"
        f" (median {signed(float(optimism.median()))}, {len(known)} models)."
    )


def _question(resampled: Resampled, endpoint: str, population: str) -> QuestionView:
    optimism = of_question(resampled.optimism, endpoint, population)
    primary = float(optimism["horizon_months"].max())
    optimism = optimism[optimism["horizon_months"] == primary]
    footnotes = Footnotes()
    models = tuple(
        _model(resampled, (population, endpoint, str(features), str(model)), rows, footnotes)
        for (features, model), rows in optimism.groupby(["feature_set", "model"], sort=False)
    )
    heading = question_label(endpoint, population)
    return QuestionView(heading, f"At {primary:g} months: apparent, and corrected for optimism", models, footnotes.items())


def _model(resampled: Resampled, key: CellKey, rows: pd.DataFrame, footnotes: Footnotes) -> ModelView:
    stable = _of_cell(resampled.stability, key)
    return ModelView(
        model=model_label(key[3]),
        features=feature_set_label(key[2]),
        rows=tuple(_row(row, footnotes) for _, row in rows[rows["metric"].isin(SHOWN)].iterrows()),
        stability=_stability(stable.iloc[0]) if len(stable) else None,
        selected=_selected(_of_cell(resampled.selection, key)),
        figures=tuple(_figures(resampled, key)),
    )


def _of_cell(table: pd.DataFrame, key: CellKey) -> pd.DataFrame:
    return table[(table[KEYS] == list(key)).all(axis=1)]


def _row(row: pd.Series, footnotes: Footnotes) -> OptimismRow:
    label, note = METRICS[str(row["metric"])].label, note_text(row["note"])
    apparent = signed(row["apparent"]) if np.isfinite(row["apparent"]) else "–"
    failed = f"{int(row['n_failed'])} of {int(row['n_resamples'])}"
    if not np.isfinite(row["corrected"]):
        return OptimismRow(label, apparent, failed=failed, message=f"no estimate: {note}")
    return OptimismRow(
        label,
        apparent,
        corrected=f"{signed(row['corrected'])} ± {row['mc_error']:.3f}",
        interval=interval_text(row["ci_low"], row["ci_high"]) or "no interval",
        plus_632=signed(row["estimate_632_plus"]),
        failed=failed,
        mark=footnotes.mark(note) if note else "",
    )


def _stability(row: pd.Series) -> StabilityRow:
    if not np.isfinite(row["mape_mean"]):
        return StabilityRow(message=f"not estimable: {note_text(row['note'])}")
    return StabilityRow(
        distance=f"{100 * row['mape_mean']:.1f}",
        distance_p90=f"{100 * row['mape_p90']:.1f}",
        at_observed=f"{row['reclassified_observed']:.0%}",
        at_50=f"{row['reclassified_50']:.0%}",
        ici=f"{row['ici_original']:.3f}; {row['ici_median']:.3f} ({row['ici_low']:.3f} to {row['ici_high']:.3f})",
    )


def _selected(table: pd.DataFrame) -> str:
    """The most frequent set, and how often the original model's own was met."""
    sets = table[table["kind"] == "set"]
    if sets.empty:
        return ""
    first = sets.iloc[0]
    names = str(first["name"])
    shown = "no predictor" if names == NOTHING_SELECTED else ", ".join(variable_label(name) for name in names.split(" + "))
    often = table[(table["kind"] == "predictor") & (table["share"] >= 0.5)]
    fitted = int(first["n_resamples"] - first["n_failed"])
    steady = ", ".join(f"{variable_label(str(r['name']))} ({r['share']:.0%})" for _, r in often.iterrows()) or "none"
    return (
        f"Chosen in half of the resamples or more: {steady}. The most frequent set of predictors, in {int(first['n_selected'])}"
        f" of {fitted} resamples{', is that of the original model' if first['in_original'] else ''}: {shown}."
    )


def _figures(resampled: Resampled, key: CellKey) -> Iterator[tuple[str, str]]:
    of = f"{model_label(key[3])}, {feature_set_label(key[2])}"
    pictures = (
        (resampled.stability_figures, "Instability of risks, calibration and classification over resample models"),
        (resampled.selection_figures, "How often each predictor was chosen over the resamples"),
    )
    for figures, text in pictures:
        if key in figures:
            yield data_uri(figures[key]), f"{text}: {of}."
