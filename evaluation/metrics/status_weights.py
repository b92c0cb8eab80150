"""Inverse-probability-of-censoring weights of patients whose status at the horizon is known, as the metrics share them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.memo import last_results_kept
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import horizon_weights


@dataclass(frozen=True, eq=False)
class StatusWeights:
    """``event`` (n,) is 1 for an event by the horizon, else 0. ``weights`` (B, n) are 0 for who was censored before the horizon.

    ``observed`` (B,) is the weighted share with the event: the Kaplan-Meier risk at the horizon, for the weights of the
    events, 1 / G(T-), add up to n times that risk, and those of the event-free, 1 / G(horizon-), to n times its complement
    (Satten and Datta 2001). It is NaN where a row of weights holds no event by the horizon or nobody who is event-free at it.
    """

    event: FloatArray
    weights: FloatArray
    observed: FloatArray

    def mean_of(self, loss: FloatArray, drawn: FloatArray) -> FloatArray:
        """(B,) mean of a ``loss`` (n,) over patients that were ``drawn`` (B, n) times."""
        return np.asarray(self.weights @ loss / drawn.sum(axis=1), dtype=np.float64)


@last_results_kept
def status_weights(predictions: HorizonPredictions, weights: FloatArray) -> StatusWeights:
    event = np.nan_to_num(predictions.outcome.status_at(predictions.horizon_months))
    case_weights = horizon_weights(predictions.outcome, predictions.horizon_months, weights)
    total, events = case_weights.sum(axis=1), case_weights @ event
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.where((events > 0) & (case_weights @ (1 - event) > 0), events / total, np.nan)
    return StatusWeights(event, case_weights, observed)
