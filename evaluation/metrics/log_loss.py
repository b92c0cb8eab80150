"""Log loss at a horizon: minus the mean log of the probability given to what happened, averaged over repeats.

Weighted by the inverse probability of censoring, as the Brier score is. A risk of 0 that meets an event would cost infinitely
much, and forests do say 0: risks count as at least 0.1 % and at most 99.9 %.
"""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.metric import Metric
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions

#: The smallest risk that is believed, and one minus the largest.
BOUND = 0.001


def _log_loss(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    known = status_weights(predictions, weights)
    risk = np.clip(predictions.risk, BOUND, 1 - BOUND)
    loss = -np.where(known.event[:, None] == 1, np.log(risk), np.log1p(-risk)).mean(axis=1)
    return known.mean_of(loss, weights)


LOG_LOSS = Metric("log_loss", "Log loss", better="lower", compute=_log_loss)
