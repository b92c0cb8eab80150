"""Splits: repeated stratified cross-validation, the same for every model, endpoint and feature set of a population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from cohort.errors import CohortError
from cohort.types import IntArray, Outcome
from models.strata import merge_small


@dataclass(frozen=True, eq=False)
class Split:
    """One division into ``train`` and ``test`` rows."""

    repeat: int
    fold: int
    train: IntArray
    test: IntArray

    def __post_init__(self) -> None:
        if len(self.train) == 0 or len(self.test) == 0:
            raise ValueError("a split has training and test rows")
        if np.intersect1d(self.train, self.test).size:
            raise ValueError("training and test rows overlap")


def strata(outcome: Outcome, horizons_months: tuple[float, ...], smallest: int) -> IntArray:
    """(n,) group of each patient: event by the first horizon, by the second, …, later, or censored.

    A group smaller than ``smallest`` joins its neighbour, so that every fold can hold one of each.
    """
    horizons = np.sort(np.asarray(horizons_months))
    group = np.where(outcome.event, np.searchsorted(horizons, outcome.time_months, side="left"), len(horizons) + 1)
    return merge_small(group, smallest)


def repeated_stratified_splits(
    outcome: Outcome, horizons_months: tuple[float, ...], n_folds: int, n_repeats: int, seed: int
) -> tuple[Split, ...]:
    """``n_repeats`` times ``n_folds`` splits, stratified by the time of the event.

    Raises ``CohortError`` if there are too few patients.
    """
    if len(outcome) < 2 * n_folds:
        raise CohortError(f"{len(outcome)} patients are too few for {n_folds} folds: use fewer folds or a larger cohort")
    groups = strata(outcome, horizons_months, smallest=n_folds)
    folds = RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=n_repeats, random_state=seed)
    return tuple(
        Split(number // n_folds, number % n_folds, train, test)
        for number, (train, test) in enumerate(folds.split(np.zeros(len(outcome)), groups))
    )
