"""AUC at a horizon: cumulative cases against controls, cases weighted by the inverse probability of censoring (Uno et al. 2007).

Without censoring before the horizon it is the area under the ordinary ROC curve.
"""

from __future__ import annotations

import numpy as np

from cohort.types import BoolArray, FloatArray, Outcome
from evaluation.metrics.concordance import concordance
from evaluation.metrics.metric import Metric
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions


def _auc(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    horizon = predictions.horizon_months

    def case_and_control(outcome: Outcome) -> BoolArray:
        status = outcome.status_at(horizon)
        return np.asarray((status == 1)[:, None] & (status == 0)[None, :], dtype=np.bool_)

    case_weights = status_weights(predictions, weights).weights
    # All controls share one censoring weight, which cancels.
    return concordance(predictions, case_and_control, case_weights, weights)


AUC = Metric("auc", "AUC", better="higher", compute=_auc, reference=0.5)
