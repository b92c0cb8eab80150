"""Calibration slope: 1 is right, below 1 the risks are too extreme (overfitted), 0 they carry nothing."""

from __future__ import annotations

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.metrics.recalibration import recalibrate
from evaluation.predictions import HorizonPredictions


def _slope(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    return recalibrate(predictions, weights, slope=True)[:, 1]


CALIBRATION_SLOPE = Metric(
    "calibration_slope", "Calibration slope", better="target", compute=_slope, reference=1.0, needs_variation=True
)
