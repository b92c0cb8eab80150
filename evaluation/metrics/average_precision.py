"""Average precision at a horizon: the mean, over patients with the event, of the share of events among those ranked as high.

The area under the precision-recall curve as a sum of steps, without interpolation. Patients weigh by the inverse probability of
censoring (Yuan et al. 2018). Ranks are compared inside a test fold only; a fold counts as its events do. A model that gives all
patients of a fold one risk has the share of events. Ranks drawn at random come out a little above it in a small fold, and
resamples a little above the patients they are drawn from: among so few a patient with the event weighs in his own precision.
"""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray
from evaluation.metrics.concordance import TIED
from evaluation.metrics.metric import Metric
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions


def _average_precision(predictions: HorizonPredictions, weights: FloatArray) -> FloatArray:
    known = status_weights(predictions, weights)
    by_patient = np.ascontiguousarray(known.weights.T)
    summed, total = np.zeros((2, len(weights)))
    for repeat, rows in predictions.folds():
        cases = rows[known.event[rows] == 1]
        risk, weight = predictions.risk[:, repeat], by_patient[cases]
        as_high = (risk[cases][:, None] <= risk[rows][None, :] + TIED).astype(np.float64)
        events_as_high = as_high[:, known.event[rows] == 1] @ weight
        with np.errstate(invalid="ignore"):  # a case that was not drawn, with nobody above: its precision counts nothing
            precision = events_as_high / (as_high @ by_patient[rows])
        summed += np.einsum("ib,ib->b", weight, np.where(weight > 0, precision, 0.0))
        total += weight.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(known.observed), np.nan, summed / total)


AVERAGE_PRECISION = Metric("average_precision", "Average precision", better="higher", compute=_average_precision)
