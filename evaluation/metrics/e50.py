"""E50: the median distance between predicted risk and the smooth calibration curve. 0 is right."""

from __future__ import annotations

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.metrics.smooth_calibration import MOST_RESAMPLES, calibration_errors
from evaluation.predictions import HorizonPredictions


def _e50(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    return calibration_errors(predictions, weights).e50


E50 = Metric("e50", "E50", better="target", compute=_e50, reference=0.0, needs_variation=True, most_resamples=MOST_RESAMPLES)
