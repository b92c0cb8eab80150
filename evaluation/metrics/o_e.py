"""Observed over expected: the Kaplan-Meier risk at the horizon over the mean predicted risk. Below 1, risk is overestimated."""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import kaplan_meier


def _o_e(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    observed = 1 - kaplan_meier(predictions.outcome, weights).at([predictions.horizon_months])[:, 0]
    expected = weights @ predictions.risk.mean(axis=1) / weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(observed / expected, dtype=np.float64)


O_E = Metric("o_e", "O/E", better="target", compute=_o_e, reference=1.0)
