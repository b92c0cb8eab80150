"""Brier score at a horizon, weighted by the inverse probability of censoring (Graf et al. 1999), averaged over repeats."""

from __future__ import annotations

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions


def _brier(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    known = status_weights(predictions, weights)
    squared_error = ((known.event[:, None] - predictions.risk) ** 2).mean(axis=1)
    return known.mean_of(squared_error, weights)


BRIER = Metric("brier", "Brier score", better="lower", compute=_brier)
