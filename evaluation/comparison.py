"""Paired comparisons of one question's models: same patients, same folds, same bootstrap resamples.

Four comparisons are made of every model (a model with a feature set):

- ``null_model``: does it do better than knowing nothing?
- ``paper_model``: better than the paper's model for this kind of endpoint, on the same feature set?
- ``published_score``: better than every published score on the same feature set? The reference is the score that does best by the
  metric in these very patients, which favours the score; scores themselves are not compared so.
- ``added_information``: is it better on pre-surgery features than on baseline ones?

A difference is positive where the model is better, whichever way its metric runs. Its interval is a percentile interval of the
differences within each resample, which is narrower than two intervals suggest since the patients are the same. Its P value is the
corrected resampled t test of the differences within each test fold (:func:`evaluation.paired_tests.corrected_resampled_t`), so it
sees the fits vary from fold to fold, while the interval speaks of the predictions as they are: the two need not agree. P values
are corrected by Holm over all models of one question, metric and comparison.

Where ranks are compared without censoring before the horizon, DeLong's interval stands beside (:mod:`evaluation.delong`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray
from evaluation.delong import auc_contributions, delong_interval
from evaluation.estimate import bootstrap_weights, percentile_interval, unsupported
from evaluation.metrics.auc import AUC
from evaluation.metrics.brier import BRIER
from evaluation.metrics.c_uno import C_UNO
from evaluation.metrics.metric import Metric
from evaluation.multiplicity import holm_within
from evaluation.paired_tests import corrected_resampled_t
from evaluation.predictions import NO_FEATURES, HorizonPredictions
from models.null_model import NULL_MODEL
from models.paper_cox import PAPER_COX
from models.paper_logistic import PAPER_LOGISTIC
from models.registry import MODELS

PRACTICAL_DISCRIMINATION = 0.02
"""Region of practical equivalence of AUC and C: of a hundred pairs of patients, two more ranked rightly."""
PRACTICAL_BRIER_SKILL = 0.01
"""The same of the Brier skill: one percent of the null model's error."""

Comparison = Literal["null_model", "paper_model", "published_score", "added_information"]
ModelKey = tuple[str, str]
"""feature_set, model"""

NULL_KEY: ModelKey = (NO_FEATURES, NULL_MODEL.name)
PAPER_MODEL = {"binary": PAPER_LOGISTIC.name, "time": PAPER_COX.name}
_LATER, _EARLIER = "pre_surgery", "baseline"

_PAIR = ("comparison", "metric", "feature_set", "model", "reference_feature_set", "reference_model")
COMPARISON_COLUMNS = [
    *("population", "endpoint", "horizon_months", *_PAIR),
    *("difference", "ci_low", "ci_high", "delong_ci_low", "delong_ci_high"),
    *("p_value", "p_holm", "probability_of_practical_gain", "n", "n_events", "note"),
]


@dataclass(frozen=True)
class Measure:
    """A metric as it is compared. ``practical``: a difference of up to this is none. With ``skill`` it is divided by the null
    model's value, so that 0 is the null model and 1 perfect.
    """

    name: str
    label: str
    metric: Metric
    practical: float
    skill: bool = False

    def gain(self, model: FloatArray, reference: FloatArray, null: FloatArray | None) -> FloatArray:
        """How much better ``model`` is. ``null`` is needed by a skill only."""
        better = model - reference if self.metric.better == "higher" else reference - model
        if not self.skill:
            return better
        if null is None:
            raise ValueError(f"{self.label} needs the null model")
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(better / null, dtype=np.float64)


_AUC = Measure("auc", AUC.label, AUC, PRACTICAL_DISCRIMINATION)
_C_UNO = Measure("c_uno", C_UNO.label, C_UNO, PRACTICAL_DISCRIMINATION)
_BRIER_SKILL = Measure("brier_skill", "Brier skill", BRIER, PRACTICAL_BRIER_SKILL, skill=True)

#: By kind of endpoint; the first is what discrimination is judged by.
MEASURES: dict[str, tuple[Measure, ...]] = {"binary": (_AUC, _BRIER_SKILL), "time": (_C_UNO, _AUC, _BRIER_SKILL)}


def compare_models(
    models: Mapping[ModelKey, HorizonPredictions], endpoint: Endpoint, population: str, n_bootstraps: int, seed: int
) -> pd.DataFrame:
    """All comparisons of one question at its primary horizon, columns :data:`COMPARISON_COLUMNS`.

    ``models`` holds completed cells only: every patient predicted in every repeat. A comparison whose reference is not among
    them is not made; the Brier skill asks for the null model too. Empty where the horizon cannot be evaluated. Resamples are
    those of :func:`evaluation.estimate.estimate_cell`. ``probability_of_practical_gain`` is the share of resamples whose
    difference exceeds the region of practical equivalence: a share of resamples, no posterior probability.

    Raises ``ValueError`` if two models were not judged in the same patients and folds.
    """
    first = next(iter(models.values()), None)
    if first is None or unsupported(first.outcome, first.horizon_months):
        return pd.DataFrame(columns=COMPARISON_COLUMNS)
    _require_same_folds(models, first)
    weights = bootstrap_weights(len(first.outcome), n_bootstraps, seed)
    counts = {"n": len(first.outcome), "n_events": first.outcome.events_by(first.horizon_months)}
    question = {"population": population, "endpoint": endpoint.name, "horizon_months": first.horizon_months}
    rows = []
    for measure in MEASURES[endpoint.kind]:
        values = {key: _values(measure, at, weights) for key, at in models.items()}
        null = values.get(NULL_KEY)
        if measure.skill and null is None:
            continue
        for comparison, key, reference in _pairs(models, endpoint, _best_published(values, measure)):
            names = (comparison, measure.name, *key, *reference)
            pair = dict(zip(_PAIR, names, strict=True))
            compared = _compared(measure, values[key], values[reference], null, _test_to_train(first))
            rows.append(question | pair | compared | counts)
    table = pd.DataFrame(rows, columns=COMPARISON_COLUMNS)
    table["p_holm"] = holm_within(table, ["comparison", "metric"])
    return table


def _best_published(values: Mapping[ModelKey, _Values], measure: Measure) -> dict[str, ModelKey]:
    """For each feature set: the published score that does best by the measure."""
    best: dict[str, ModelKey] = {}
    towards = 1.0 if measure.metric.better == "higher" else -1.0
    for key in sorted(values, key=lambda key: towards * float(np.nan_to_num(values[key].estimate[0], nan=-towards * np.inf))):
        if _is_published(key):
            best[key[0]] = key
    return best


def _is_published(key: ModelKey) -> bool:
    return key[1] in MODELS and MODELS[key[1]].role == "published"


def _pairs(
    models: Mapping[ModelKey, HorizonPredictions], endpoint: Endpoint, published: Mapping[str, ModelKey]
) -> Iterator[tuple[Comparison, ModelKey, ModelKey]]:
    """comparison, model, reference."""
    paper = PAPER_MODEL[endpoint.kind]
    for feature_set, model in models:
        key = (feature_set, model)
        if key == NULL_KEY:
            continue
        references: dict[Comparison, ModelKey] = {"null_model": NULL_KEY, "paper_model": (feature_set, paper)}
        if feature_set in published and not _is_published(key):
            references["published_score"] = published[feature_set]
        if feature_set == _LATER:
            references["added_information"] = (_EARLIER, model)
        for comparison, reference in references.items():
            if reference in models and reference != key:
                yield comparison, key, reference


@dataclass(frozen=True, eq=False)
class _Values:
    """One metric of one model: in all patients, in each resample (B,), in each test fold of each repeat (J,).

    ``contributions`` of the patients to an AUC's error, or why there are none.
    """

    estimate: FloatArray
    resampled: FloatArray
    by_fold: FloatArray
    contributions: FloatArray | str


def _values(measure: Measure, at: HorizonPredictions, weights: FloatArray) -> _Values:
    everybody = np.ones((1, len(at.outcome)))
    values = measure.metric.compute(at, np.concatenate([everybody, weights]))
    contributions: FloatArray | str = ""
    if measure.metric is AUC:
        try:
            contributions = auc_contributions(at)
        except ValueError as error:
            contributions = f"no DeLong interval: {error}"
    return _Values(values[:1], values[1:], _by_fold(measure.metric, at), contributions)


def _by_fold(metric: Metric, at: HorizonPredictions) -> FloatArray:
    """(J,) the metric in each test fold's patients alone, censoring weights included."""
    parts = []
    for repeat in range(at.risk.shape[1]):
        fold = at.fold[:, repeat]
        alone = HorizonPredictions(at.horizon_months, at.tau_months, at.outcome, at.risk[:, [repeat]], at.fold[:, [repeat]])
        parts.append(metric.compute(alone, (fold == np.unique(fold)[:, None]).astype(np.float64)))
    return np.concatenate(parts)


def _compared(
    measure: Measure, model: _Values, reference: _Values, null: _Values | None, test_to_train: float
) -> dict[str, object]:
    difference, resampled, by_fold = (
        measure.gain(getattr(model, part), getattr(reference, part), getattr(null, part, None))
        for part in ("estimate", "resampled", "by_fold")
    )
    gained, note = gain_row(measure, float(difference[0]), resampled)
    notes = [note] if note else []
    row: dict[str, object] = {**gained, "p_value": corrected_resampled_t(by_fold, test_to_train)}
    n_missing = int((~np.isfinite(by_fold)).sum())
    if n_missing:
        notes.append(f"no P value: {measure.label} cannot be computed in {n_missing} of {len(by_fold)} folds")
    if measure.metric is AUC:
        if isinstance(model.contributions, str) or isinstance(reference.contributions, str):
            notes.append(str(next(c for c in (model.contributions, reference.contributions) if isinstance(c, str))))
        else:
            bounds = delong_interval(float(difference[0]), model.contributions - reference.contributions)
            row |= dict(zip(("delong_ci_low", "delong_ci_high"), bounds, strict=True))
    return row | {"note": "; ".join(notes)}


def gain_row(measure: Measure, difference: float, resampled: FloatArray) -> tuple[dict[str, float], str]:
    """A ``difference`` with its percentile interval over resamples (B,) and the share of practical gains; and a note, or none."""
    low, high, note = percentile_interval(resampled)
    usable = resampled[np.isfinite(resampled)]
    # Without an interval there are too few resamples for a share of them.
    practical = float(np.mean(usable > measure.practical)) if np.isfinite(low) else np.nan
    return {"difference": difference, "ci_low": low, "ci_high": high, "probability_of_practical_gain": practical}, note


def _test_to_train(at: HorizonPredictions) -> float:
    """Patients tested for each one trained on, averaged over folds."""
    n_tested = np.array([len(rows) for _, rows in at.folds()])
    return float(np.mean(n_tested / np.maximum(len(at.outcome) - n_tested, 1)))


def _require_same_folds(models: Mapping[ModelKey, HorizonPredictions], first: HorizonPredictions) -> None:
    for key, at in models.items():
        same = (
            at.horizon_months == first.horizon_months
            and np.array_equal(at.fold, first.fold)
            and np.array_equal(at.outcome.time_months, first.outcome.time_months)
            and np.array_equal(at.outcome.event, first.outcome.event)
        )
        if not same:
            raise ValueError(f"{key[1]} on {key[0]} was not judged in the same patients and folds as {next(iter(models))[1]}")
