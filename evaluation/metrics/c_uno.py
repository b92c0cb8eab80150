"""Uno's C: Harrell's, with each pair weighted by 1 / G(T-)^2 so that it does not depend on the censoring (Uno et al. 2011).

G is the Kaplan-Meier survival of censoring among the evaluated patients, estimated anew in every bootstrap resample.
"""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.concordance import concordance, earlier_event
from evaluation.metrics.metric import Metric
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import kaplan_meier


def _c_uno(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    outcome = predictions.outcome
    censoring = kaplan_meier(outcome, weights, of_censoring=True).just_before(outcome.time_months)
    first = weights / np.maximum(censoring, 1e-6) ** 2
    return concordance(predictions, lambda part: earlier_event(part, predictions.tau_months), first, weights)


C_UNO = Metric("c_uno", "Uno's C", better="higher", compute=_c_uno, reference=0.5)
