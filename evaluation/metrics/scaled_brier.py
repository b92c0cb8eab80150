"""Scaled Brier score, or index of prediction accuracy: the share of the null model's Brier score that the model takes away.

    1 - Brier / Brier of the Kaplan-Meier risk of the same patients, given to everybody

(Kattan and Gerds 2018.) That risk p is the weighted share of events (:mod:`evaluation.metrics.status_weights`), so its Brier
score is p (1 - p). It is known after the event: a null model that must foretell it, fold by fold, comes out a little below 0.
"""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.brier import BRIER
from evaluation.metrics.metric import Metric
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions


def _scaled_brier(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    observed = status_weights(predictions, weights).observed
    return np.asarray(1 - BRIER.compute(predictions, weights) / (observed * (1 - observed)), dtype=np.float64)


SCALED_BRIER = Metric("scaled_brier", "Scaled Brier score", better="higher", compute=_scaled_brier, reference=0.0)
