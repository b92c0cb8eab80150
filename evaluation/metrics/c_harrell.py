"""Harrell's C: of the pairs whose order of events is known, the share in which the earlier event had the higher risk."""

from __future__ import annotations

from cohort.types import FloatArray
from evaluation.metrics.concordance import concordance, earlier_event
from evaluation.metrics.metric import Metric
from evaluation.predictions import HorizonPredictions


def _c_harrell(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    return concordance(predictions, lambda outcome: earlier_event(outcome, predictions.tau_months), weights, weights)


C_HARRELL = Metric("c_harrell", "Harrell's C", better="higher", compute=_c_harrell, reference=0.5)
