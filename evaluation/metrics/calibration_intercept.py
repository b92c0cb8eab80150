"""Calibration in the large: how far, on the logit scale, risks lie below (above 0) or above (below 0) what happened."""

from __future__ import annotations

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.metrics.recalibration import recalibrate
from evaluation.predictions import HorizonPredictions


def _intercept(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    return recalibrate(predictions, weights, slope=False)[:, 0]


CALIBRATION_INTERCEPT = Metric(
    "calibration_intercept", "Calibration intercept", better="target", compute=_intercept, reference=0.0
)
