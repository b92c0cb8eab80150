"""Integrated calibration index: the mean distance between predicted risk and the smooth calibration curve. 0 is right."""

from __future__ import annotations

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.metrics.smooth_calibration import MOST_RESAMPLES, calibration_errors
from evaluation.predictions import HorizonPredictions


def _ici(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    return calibration_errors(predictions, weights).ici


ICI = Metric("ici", "ICI", better="target", compute=_ici, reference=0.0, needs_variation=True, most_resamples=MOST_RESAMPLES)
