"""The page's words on case mix: how the patients of two cohorts differ, and which predictors they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.figures import (
    endpoint_label,
    feature_set_label,
    interval_text,
    level_label,
    population_label,
    signed,
    variable_label,
)

#: Above this, by convention, a standardised difference matters (Austin 2009).
NOTABLE = 0.1


@dataclass(frozen=True)
class DifferenceRow:
    """A line: its value in either cohort, patients in whom it is not known, the difference; ``notable`` if beyond chance."""

    label: str
    train: str
    train_missing: str
    test: str
    test_missing: str
    difference: str
    interval: str
    notable: bool = False


@dataclass(frozen=True)
class SharedView:
    """Of a feature set: what was used, and reason -> what was dropped for it."""

    feature_set: str
    used: str
    dropped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CaseMixView:
    population: str
    predictors: tuple[DifferenceRow, ...]
    risks: tuple[DifferenceRow, ...]
    membership: tuple[str, ...]
    shared: tuple[SharedView, ...]
    notes: tuple[str, ...]


def case_mix_views(
    differences: pd.DataFrame, used: Mapping[tuple[str, str], tuple[str, ...]], dropped: pd.DataFrame
) -> tuple[CaseMixView, ...]:
    """One view a population, from :func:`evaluation.case_mix.case_mix`."""
    return tuple(
        _view(str(population), rows, used, dropped) for population, rows in differences.groupby("population", sort=False)
    )


def _view(
    population: str, rows: pd.DataFrame, used: Mapping[tuple[str, str], tuple[str, ...]], dropped: pd.DataFrame
) -> CaseMixView:
    predictors = [row for _, row in rows[rows["what"].isin(["mean", "log_mean", "share"])].iterrows()]
    risks = [row for _, row in rows[rows["what"] == "risk"].iterrows()]
    told_apart = [row for _, row in rows[rows["what"] == "membership"].iterrows()]
    notes = [str(row["note"]) for row in (*predictors, *risks) if isinstance(row["note"], str) and row["note"]]
    return CaseMixView(
        population_label(population),
        tuple(_row(row, _predictor_label(row)) for row in predictors),
        tuple(_row(row, f"{endpoint_label(row['name'])}, event by {row['horizon_months']:g} months") for row in risks),
        tuple(map(_membership, told_apart)),
        tuple(
            _shared(feature_set, names, dropped[(dropped["population"] == population) & (dropped["feature_set"] == feature_set)])
            for (of, feature_set), names in used.items()
            if of == population
        ),
        tuple(dict.fromkeys(notes)),
    )


def _predictor_label(row: pd.Series) -> str:
    label = variable_label(row["name"])
    if row["what"] == "share":
        return f"{label}: {level_label(row['level'])}, %"
    unit = f", {row['unit']}" if isinstance(row["unit"], str) and row["unit"] else ""
    return f"{label}{unit}, {'geometric mean' if row['what'] == 'log_mean' else 'mean (SD)'}"


def _row(row: pd.Series, label: str) -> DifferenceRow:
    low, high = row["ci_low"], row["ci_high"]
    risk = row["what"] == "risk"

    def text(value: float) -> str:
        return signed(100 * value, 1) if risk else signed(value)

    known = bool(np.isfinite(row["difference"]))
    return DifferenceRow(
        label,
        _value(row, "train"),
        f"{row['train_n_missing']:.0f}",
        _value(row, "test"),
        f"{row['test_n_missing']:.0f}",
        text(row["difference"]) if known else "–",
        f"{text(low)} to {text(high)}" if known else "",
        notable=known and bool(low > 0 or high < 0) and (risk or abs(row["difference"]) > NOTABLE),
    )


def _value(row: pd.Series, cohort: str) -> str:
    value, spread = row[f"{cohort}_value"], row[f"{cohort}_spread"]
    if not np.isfinite(value):
        return "–"
    if row["what"] == "mean":
        return f"{value:.1f} ({spread:.1f})"
    return f"{np.expm1(value):.1f}" if row["what"] == "log_mean" else f"{100 * value:.1f}"


def _membership(row: pd.Series) -> str:
    features = feature_set_label(row["name"])
    if not np.isfinite(row["difference"]):
        return f"{features}: not estimable ({row['note']})."
    interval = interval_text(row["ci_low"], row["ci_high"]) or "no interval"
    return f"{features}: C = {signed(row['difference'])} ({interval}): {_how_far(row['difference'])}."


def _how_far(c: float) -> str:
    """In words; the bounds are ours, for Debray et al. give none."""
    if c < 0.6:
        return "the patients are much alike, and the validation asks whether the model is reproduced"
    if c < 0.8:
        return "the patients differ, and the validation asks in part whether the model can be transported"
    return "the patients are others, and the validation asks whether the model can be transported to them"


def _shared(feature_set: str, names: tuple[str, ...], dropped: pd.DataFrame) -> SharedView:
    by_reason: dict[str, list[str]] = {}
    for _, row in dropped.iterrows():
        reason = str(row["reason"])
        cohort, _, rest = reason.partition(" does not record ")
        # That a cohort does not record it is one reason, whatever it is.
        by_reason.setdefault(f"{cohort} does not record it, or what it is computed from" if rest else reason, []).append(
            _name(str(row["predictor"]))
        )
    return SharedView(
        feature_set_label(feature_set),
        "; ".join(map(_name, names)),
        tuple((reason, "; ".join(found)) for reason, found in by_reason.items()),
    )


def _name(predictor: str) -> str:
    """``age>=65`` as ``Age at diagnosis of the metastases ≥65``."""
    variable, cut, value = predictor.partition(">=")
    return f"{variable_label(variable)}{' ≥' + value if cut else ''}"
