"""Brier score at a horizon, weighted by the inverse probability of censoring (Graf et al. 1999), averaged over repeats."""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import horizon_weights


def _brier(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    status = np.nan_to_num(predictions.outcome.status_at(predictions.horizon_months))
    squared_error = np.mean((status[:, None] - predictions.risk) ** 2, axis=1)
    case_weights = horizon_weights(predictions.outcome, predictions.horizon_months, weights)
    return np.asarray(case_weights @ squared_error / weights.sum(axis=1), dtype=np.float64)


BRIER = Metric("brier", "Brier score", better="lower", compute=_brier)
