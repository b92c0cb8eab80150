"""The pair counting that AUC, Harrell's C and Uno's C share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cohort.types import BoolArray, FloatArray, Outcome
from evaluation.predictions import HorizonPredictions

#: Risks nearer than this are tied, as in scikit-survival.
TIED = 1e-8


def concordance(
    predictions: HorizonPredictions,
    comparable: Callable[[Outcome], BoolArray],
    first_weights: FloatArray,
    second_weights: FloatArray,
) -> FloatArray:
    """(B,) weighted share of comparable pairs whose first patient has the higher risk; a tie counts one half.

    Pairs are formed inside each test fold, where both risks come from one fit, and summed over folds and repeats: a model
    without information then has exactly 0.5, while ranks pooled over folds would punish it for the folds' prevalence.
    ``comparable`` gives (m, m) booleans for a fold's m patients; weights are (B, n), of the pair's first and second.
    """
    concordant = np.zeros(len(first_weights))
    total = np.zeros(len(first_weights))
    for repeat, rows in predictions.folds():
        pairs = comparable(predictions.outcome.subset(rows))
        risk = predictions.risk[rows, repeat]
        ahead = risk[:, None] - risk[None, :]
        wins = np.where(np.abs(ahead) <= TIED, 0.5, (ahead > 0).astype(np.float64)) * pairs
        first, second = first_weights[:, rows], second_weights[:, rows]
        concordant += np.einsum("bi,bi->b", first @ wins, second)
        total += np.einsum("bi,bi->b", first @ pairs.astype(np.float64), second)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(concordant / total, dtype=np.float64)


def earlier_event(outcome: Outcome, tau_months: float) -> BoolArray:
    """(m, m): the first patient's event, up to tau, came before the second's time, or at it where the second is censored."""
    time, event = outcome.time_months, outcome.event
    before = time[:, None] < time[None, :]
    at_once = (time[:, None] == time[None, :]) & ~event[None, :]
    return np.asarray((event & (time <= tau_months))[:, None] & (before | at_once), dtype=np.bool_)
