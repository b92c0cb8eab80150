"""The tables behind the pictures: ROC, calibration and Kaplan-Meier by risk group, each a pure function of predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sksurv.nonparametric import kaplan_meier_estimator

from cohort.types import FloatArray, IntArray, Outcome
from evaluation.estimate import unsupported
from evaluation.metrics.concordance import TIED
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import horizon_weights, kaplan_meier

_GROUP_LABELS = {1: ("all",), 2: ("low", "high"), 3: ("low", "middle", "high")}


def roc_curve(at: HorizonPredictions, n_points: int = 201) -> pd.DataFrame:
    """Cumulative cases against controls at the horizon: ``false_positive_rate``, ``true_positive_rate``, from (0, 0) to (1, 1).

    One curve a fold, cases weighted by the inverse probability of censoring; averaged vertically over folds and repeats on a
    common grid, a fold weighing as its pairs do. So ranks are never compared between fits, the null model gives the diagonal,
    and the area is the AUC of :mod:`evaluation.metrics.auc`, up to the grid.
    Raises ``ValueError`` where the horizon cannot be evaluated in these patients.
    """
    reason = unsupported(at.outcome, at.horizon_months)
    if reason:
        raise ValueError(f"no ROC curve at {at.horizon_months:g} months: {reason}")
    status = at.outcome.status_at(at.horizon_months)
    cases = horizon_weights(at.outcome, at.horizon_months)[0] * (status == 1)
    controls = (status == 0).astype(np.float64)
    grid = np.linspace(0, 1, n_points)
    summed, pairs = np.zeros(n_points), 0.0
    for repeat, rows in at.folds():
        fold_pairs = float(cases[rows].sum() * controls[rows].sum())
        if fold_pairs > 0:
            summed += fold_pairs * _fold_curve(at.risk[rows, repeat], cases[rows], controls[rows], grid)
            pairs += fold_pairs
    if pairs == 0:
        raise ValueError(f"no ROC curve at {at.horizon_months:g} months: no fold holds both a case and a control")
    return pd.DataFrame(
        {"false_positive_rate": np.concatenate([[0.0], grid]), "true_positive_rate": np.concatenate([[0.0], summed / pairs])}
    )


def _fold_curve(risk: FloatArray, cases: FloatArray, controls: FloatArray, grid: FloatArray) -> FloatArray:
    """One fold's true positive rate at the false positive rates of ``grid``; tied risks make a straight slope."""
    order = np.argsort(-risk, kind="stable")
    last_of_tie = np.append(-np.diff(risk[order]) > TIED, True)
    true_positives = np.concatenate([[0.0], np.cumsum(cases[order])[last_of_tie]])
    false_positives = np.concatenate([[0.0], np.cumsum(controls[order])[last_of_tie]])
    curve = np.interp(grid, false_positives / false_positives[-1], true_positives / true_positives[-1])
    return np.asarray(curve, dtype=np.float64)


def risk_groups(at: HorizonPredictions, n_groups: int) -> IntArray:
    """(n,) group 0, 1, … of each patient by quantiles of the risk averaged over repeats; fewer groups where risks tie.

    A model that gives all patients of a fold one risk knows no groups, although the folds' levels differ: one group.
    """
    if all(np.ptp(at.risk[rows, repeat]) <= TIED for repeat, rows in at.folds()):
        return np.zeros(len(at.outcome), dtype=np.intp)
    risk = at.risk.mean(axis=1).round(8)  # the mean of equal risks may differ in its last digits
    inner_edges = np.unique(np.quantile(risk, np.linspace(0, 1, n_groups + 1)[1:-1]))
    _, group = np.unique(np.searchsorted(inner_edges, risk, side="left"), return_inverse=True)
    return np.asarray(group, dtype=np.intp)


def calibration_curve(at: HorizonPredictions, n_groups: int = 5) -> pd.DataFrame:
    """Observed against predicted by risk: ``group`` from 1, ``n``, ``mean_risk``, ``observed``, ``ci_low``, ``ci_high``.

    ``observed`` is the group's Kaplan-Meier risk at the horizon with a 95 % log-log interval. It is NaN where the group is not
    followed up to the horizon; the interval is NaN too where nobody or everybody had the event, for it is not defined there.
    """
    group = risk_groups(at, n_groups)
    risk = at.risk.mean(axis=1)
    rows = []
    for number in np.unique(group):
        members = group == number
        observed, low, high = _observed(at.outcome.subset(members), at.horizon_months)
        rows.append((int(number) + 1, int(members.sum()), float(risk[members].mean()), observed, low, high))
    return pd.DataFrame(rows, columns=["group", "n", "mean_risk", "observed", "ci_low", "ci_high"])


def _observed(outcome: Outcome, horizon_months: float) -> tuple[float, float, float]:
    """Kaplan-Meier risk at the horizon and its 95 % log-log limits."""
    times, survival, band = kaplan_meier_estimator(outcome.event, outcome.time_months, conf_type="log-log")
    step = int(np.searchsorted(times, horizon_months, side="right")) - 1
    nan = float("nan")
    if step < 0:  # nobody has left yet
        return 0.0, nan, nan
    if times[-1] < horizon_months and survival[-1] > 0:
        return nan, nan, nan
    observed = float(1 - survival[step])
    if observed in (0.0, 1.0):
        return observed, nan, nan
    return observed, float(1 - band[1, step]), float(1 - band[0, step])


def risk_group_curves(at: HorizonPredictions, n_groups: int = 3) -> pd.DataFrame:
    """Kaplan-Meier by groups of the mean out-of-fold risk: ``group``, ``time_months``, ``survival``, ``n_at_risk``.

    Groups are ``low``, ``middle``, ``high`` (``all`` where risks do not differ). A row a time at which somebody leaves, after one
    at 0; ``survival`` holds from the time on, ``n_at_risk`` counts those still under observation just before it.
    """
    group = risk_groups(at, n_groups)
    numbers = np.unique(group)
    labels = _GROUP_LABELS.get(len(numbers), tuple(f"{number + 1} of {len(numbers)}" for number in numbers))
    return pd.concat(
        [_km_table(at.outcome.subset(group == number), label) for number, label in zip(numbers, labels, strict=True)],
        ignore_index=True,
    )


def _km_table(outcome: Outcome, label: str) -> pd.DataFrame:
    curve = kaplan_meier(outcome)
    before = np.searchsorted(np.sort(outcome.time_months), curve.times_months, side="left")
    return pd.DataFrame(
        {
            "group": label,
            "time_months": np.concatenate([[0.0], curve.times_months]),
            "survival": np.concatenate([[1.0], curve.survival[0]]),
            "n_at_risk": np.concatenate([[len(outcome)], len(outcome) - before]),
        }
    )
