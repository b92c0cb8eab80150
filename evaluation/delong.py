"""DeLong's variance of an AUC whose ranks are compared inside folds, and of the difference of two in the same patients.

DeLong et al. (Biometrics 1988;44:837) read the variance off each patient's *placement*: the share of the other class that it
is ranked rightly against. Its midrank among the other class gives it after sorting, without forming the pairs (Sun and Xu, IEEE
Signal Process Lett 2014;21:1389).

The AUC here is stratified: pairs are formed inside each test fold and summed over folds and repeats, as in
:mod:`evaluation.metrics.auc`, so a fold weighs by its share of all pairs. Given the fitted models, folds of one repeat hold
different patients, and their variances add up, each times its squared weight. Repeats hold the same patients again: to add their
variances would take them for new patients, and to average them for the same predictions. Here each patient's contributions are
summed over repeats first and squared then, so that what the repeats share is counted as they share it. One repeat gives the
stratified variance exactly; identical repeats give that of one; in between, it lies between none and the average of the repeats'.

As the bootstrap's, this interval speaks of these predictions in such patients, not of refitting.
"""

from __future__ import annotations

import numpy as np

from cohort.intervals import Z_95
from cohort.types import BoolArray, FloatArray
from evaluation.predictions import HorizonPredictions

#: Risks that agree in so many decimals are tied, as in :data:`evaluation.metrics.concordance.TIED`.
_DECIMALS = 8


def placements(risk: FloatArray, case: BoolArray) -> FloatArray:
    """(n,) of each case, the share of controls with a lower risk; of each control, that of cases with a higher one; ties half."""
    rounded = np.round(risk, _DECIMALS)
    cases, controls = np.sort(rounded[case]), np.sort(rounded[~case])
    placed = np.empty(len(risk))
    placed[case] = _midrank(controls, rounded[case]) / len(controls)
    placed[~case] = 1 - _midrank(cases, rounded[~case]) / len(cases)
    return placed


def _midrank(ordered: FloatArray, values: FloatArray) -> FloatArray:
    """How many of ``ordered`` lie below each value, those equal counting half."""
    return (np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")) / 2


def auc_contributions(at: HorizonPredictions) -> FloatArray:
    """(n,) each patient's part in the deviation of the AUC; their sum is 0, and the sum of their squares is its variance.

    The contributions of a difference are the difference of the contributions. Raises ``ValueError`` where it cannot be:
    a patient's status at the horizon is unknown (DeLong's variance knows no censoring), or a fold has pairs but a single case or
    control, from which no variance can be taken.
    """
    status = at.outcome.status_at(at.horizon_months)
    unknown = int(np.isnan(status).sum())
    if unknown:
        raise ValueError(f"{unknown} patients are censored before the horizon, which DeLong's variance does not allow for")
    case = status == 1
    contributions = np.zeros(len(status))
    n_pairs = 0
    for repeat, rows in at.folds():
        of_fold = case[rows]
        n_cases, n_controls = int(of_fold.sum()), int((~of_fold).sum())
        if n_cases * n_controls == 0:
            continue
        if min(n_cases, n_controls) == 1:
            raise ValueError("a fold has a single case or control, from which no variance can be taken")
        n_pairs += n_cases * n_controls
        placed = placements(at.risk[rows, repeat], of_fold)
        deviation = placed - placed[of_fold].mean()  # the AUC is the mean placement of either class
        # Squares are divided by m - 1, not m: that is DeLong's estimate. The fold's weight, m * k of all pairs, is split.
        scale = np.where(of_fold, n_controls * np.sqrt(n_cases / (n_cases - 1)), n_cases * np.sqrt(n_controls / (n_controls - 1)))
        contributions[rows] += deviation * scale
    if not n_pairs:
        raise ValueError("no fold has both cases and controls")
    return contributions / n_pairs


def delong_interval(estimate: float, contributions: FloatArray) -> tuple[float, float]:
    """95 % normal interval of an AUC, or of a difference of two, from its patients' contributions."""
    half = float(Z_95 * np.sqrt(np.sum(contributions**2)))
    return estimate - half, estimate + half
