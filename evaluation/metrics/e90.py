"""E90: the 90th percentile of the distance between predicted risk and the smooth calibration curve. 0 is right."""

from __future__ import annotations

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.metrics.smooth_calibration import MOST_RESAMPLES, calibration_errors
from evaluation.predictions import HorizonPredictions


def _e90(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    return calibration_errors(predictions, weights).e90


E90 = Metric("e90", "E90", better="target", compute=_e90, reference=0.0, needs_variation=True, most_resamples=MOST_RESAMPLES)
