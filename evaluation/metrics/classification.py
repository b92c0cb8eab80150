"""Sensitivity, specificity and predictive values at a horizon, of calling high a risk that reaches a threshold.

At two thresholds, the same for every model:

* ``observed``: the Kaplan-Meier risk at the horizon of the same patients (of a resample, its own): who is above average?
  It is known after the event, so it is a yardstick and no rule for the clinic.
* ``50``: 50 %: is the event likelier than not?

Weighted by the inverse probability of censoring (Uno et al. 2007). Counts are summed over repeats, so a predictive value stands
on all patients called high (or low) in any repeat. A model that gives all patients of a fold one risk tells nobody from anybody:
there is nothing to estimate. Neither threshold says which error costs how much; decision curves do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.concordance import TIED
from evaluation.metrics.memo import last_results_kept
from evaluation.metrics.metric import Metric
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions


@dataclass(frozen=True, eq=False)
class _Table:
    """Weighted numbers of patients, (B,) each: by what happened and by what they were called, averaged over repeats."""

    event_high: FloatArray
    event_low: FloatArray
    free_high: FloatArray
    free_low: FloatArray


@last_results_kept
def _at_observed(predictions: HorizonPredictions, weights: FloatArray) -> _Table:
    threshold = status_weights(predictions, weights).observed
    n_high = np.zeros_like(weights)
    for risk in predictions.risk.T:
        n_high += risk >= threshold[:, None] - TIED
    n_high[np.isnan(threshold)] = np.nan
    return _table(predictions, weights, n_high / predictions.risk.shape[1])


@last_results_kept
def _at_50(predictions: HorizonPredictions, weights: FloatArray) -> _Table:
    return _table(predictions, weights, (predictions.risk >= 0.5 - TIED).mean(axis=1))


def _table(predictions: HorizonPredictions, weights: FloatArray, called_high: FloatArray) -> _Table:
    """``called_high`` is the share of repeats in which a patient was, (n,) or (B, n)."""
    known = status_weights(predictions, weights)
    high, low = known.weights * called_high, known.weights * (1 - called_high)
    return _Table(high @ known.event, low @ known.event, high @ (1 - known.event), low @ (1 - known.event))


@dataclass(frozen=True)
class _Share:
    """Of patients of a kind, those who are rightly called so. ``undefined``: why there is nobody of the kind."""

    name: str
    label: str
    right: Callable[[_Table], FloatArray]
    wrong: Callable[[_Table], FloatArray]
    undefined: str

    def of(self, table: Callable[[HorizonPredictions, FloatArray], _Table], at: HorizonPredictions, w: FloatArray) -> FloatArray:
        counts = table(at, w)
        right, wrong = self.right(counts), self.wrong(counts)
        with np.errstate(invalid="ignore"):
            return np.asarray(right / (right + wrong), dtype=np.float64)


_SHARES = (
    _Share("sensitivity", "Sensitivity", lambda t: t.event_high, lambda t: t.event_low, "nobody has the event"),
    _Share("specificity", "Specificity", lambda t: t.free_low, lambda t: t.free_high, "everybody has the event"),
    _Share("ppv", "PPV", lambda t: t.event_high, lambda t: t.free_high, "nobody's risk reaches the threshold"),
    _Share("npv", "NPV", lambda t: t.free_low, lambda t: t.event_low, "everybody's risk reaches the threshold"),
)


def _at(name: str, label: str, table: Callable[[HorizonPredictions, FloatArray], _Table]) -> tuple[Metric, ...]:
    return tuple(
        Metric(
            f"{share.name}_at_{name}",
            f"{share.label} at {label}",
            better="higher",
            compute=partial(share.of, table),
            needs_variation=True,
            undefined=share.undefined,
        )
        for share in _SHARES
    )


AT_OBSERVED = _at("observed", "observed risk", _at_observed)
AT_50 = _at("50", "50%", _at_50)
CLASSIFICATION = (*AT_OBSERVED, *AT_50)
