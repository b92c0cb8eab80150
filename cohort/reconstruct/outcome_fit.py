"""Fits what happened after relapse: who lived how long, and was treated how, until the numbers of the text come out.

Simulated annealing over three kinds of change: two patients swap the months from relapse to death or censoring, two of one
stratum swap site and treatment of the relapse, one patient's months are stretched. Times are whole hundredths of a month.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cohort.intervals import Z_95
from cohort.reconstruct.regressions import FloatArray, IntArray, compiled

BoolArray = npt.NDArray[np.bool_]

_MEDIAN, _LOW, _HIGH = 0, 1, 2
SHORTEST_AFTER_RELAPSE = 50
SHORTEST_FOLLOW_UP, LONGEST_FOLLOW_UP = 1210, 17500


@dataclass(eq=False)
class OutcomeState:
    """Relapsed patients first: ``dfs`` and ``after`` (hundredths of months), ``died``, ``label`` (row of the table of labels).

    ``os_other``, ``died_other``: the patients without relapse.
    """

    dfs: IntArray
    stratum: IntArray
    after: IntArray
    died: BoolArray
    label: IntArray
    os_other: IntArray
    died_other: BoolArray


class OutcomeTargets(NamedTuple):
    """Tests: (k, relapsed strata and sites) as 0/1/-1 groups by [stratum, site]; the chi-squared between ``low`` and ``high``."""

    groups: IntArray  # (k, 3 strata, 3 sites)
    low: FloatArray
    high: FloatArray
    hazard_ratio: FloatArray  # (3,) ratio, bounds
    medians: FloatArray  # (4,) after relapse: treated, untreated, early; of follow-up
    median_os: FloatArray  # (3,) median, bounds


@compiled
def _log_rank(order: IntArray, died: BoolArray, group: IntArray) -> float:
    """Chi-squared of two groups (0, 1; -1 is left out), patients by falling time, no tied deaths."""
    n0, n1, observed, expected, variance = 0.0, 0.0, 0.0, 0.0, 0.0
    for patient in order:
        if group[patient] < 0:
            continue
        if group[patient] == 1:
            n1 += 1
        else:
            n0 += 1
        if died[patient]:
            share = n1 / (n0 + n1)
            observed += group[patient]
            expected += share
            variance += share * (1 - share)
    return (observed - expected) ** 2 / variance if variance > 0 else 0.0


@compiled
def _log_hazard_ratio(order: IntArray, died: BoolArray, group: IntArray, start: float, out: FloatArray) -> None:
    """Hazard ratio of group 1 and its bounds, by Newton steps from ``start`` (a log ratio)."""
    slope, information = start, 1.0
    for _ in range(4):
        n0, n1, gradient, information = 0.0, 0.0, 0.0, 0.0
        weight = math.exp(slope)
        for patient in order:
            if group[patient] == 1:
                n1 += weight
            else:
                n0 += 1
            if died[patient]:
                share = n1 / (n0 + n1)
                gradient += group[patient] - share
                information += share * (1 - share)
        slope += max(-1.0, min(1.0, gradient / information))
    error = 1 / math.sqrt(information)
    out[0] = math.exp(slope)
    out[1] = math.exp(slope - Z_95 * error)
    out[2] = math.exp(slope + Z_95 * error)


@compiled
def _medians(times: IntArray, event: BoolArray, order: IntArray, out: FloatArray) -> None:
    """Kaplan-Meier median and bounds as R prints them (log interval); ``order`` visits by rising time, deaths untied."""
    at_risk = float(len(order))
    survival, greenwood = 1.0, 0.0
    halves = np.full(3, -1.0)  # a curve that stays at exactly one half so far
    for k in range(3):
        out[k] = np.inf
    for patient in order:
        if event[patient]:
            survival *= 1 - 1 / at_risk
            if at_risk <= 1:
                break
            greenwood += 1 / (at_risk * (at_risk - 1))
            spread = Z_95 * math.sqrt(greenwood)
            month = times[patient] / 100.0
            for k in range(3):
                value = survival
                if k == _LOW:
                    value = survival * math.exp(-spread)
                elif k == _HIGH:
                    value = min(1.0, survival * math.exp(spread))
                if halves[k] >= 0 and out[k] == np.inf:
                    out[k] = (halves[k] + month) / 2
                elif out[k] == np.inf and value < 0.5 - 1e-9:
                    out[k] = month
                elif out[k] == np.inf and value <= 0.5 + 1e-9:
                    halves[k] = month
            if out[_HIGH] < np.inf:
                break  # the last to come
        at_risk -= 1


@compiled
def _outside(value: float, low: float, high: float, scale: float) -> float:
    if value < low:
        return (low - value) / scale
    if value > high:
        return (value - high) / scale
    return 0.0


@compiled
def _near(value: float, wanted: float, unit: float) -> float:
    """Squared distance, in units of the print beyond the nearest half, growing slowly when far."""
    off = max(0.0, abs(value - wanted) - 0.3 * unit) / unit if value < np.inf else 1e4
    return min(off * off, off) + math.log1p(off)


@compiled
def _sort(order: IntArray, keys: IntArray) -> None:
    """Sort ``order`` by ``keys`` in place: by insertion, for a step moves one or two places only."""
    for place in range(1, len(order)):
        one = order[place]
        key = keys[one]
        at = place
        while at > 0 and keys[order[at - 1]] > key:
            order[at] = order[at - 1]
            at -= 1
        order[at] = one


@compiled
def outcome_cost(
    dfs: IntArray, stratum: IntArray, after: IntArray, died: BoolArray, site: IntArray, treated: BoolArray, os_other: IntArray,
    died_other: BoolArray, goal: OutcomeTargets, rising: IntArray, order: IntArray,
) -> float:  # fmt: skip
    """How far the outcomes are from the text.

    ``rising`` (relapsed) and ``order`` (everybody) are sorted here, by months after relapse and overall: quickest as last left.
    """
    n = len(dfs)
    _sort(rising, after)
    falling = rising[::-1]
    cost = 0.0
    group = np.empty(n, dtype=np.int64)
    for test in range(len(goal.low)):
        for i in range(n):
            group[i] = goal.groups[test, stratum[i], site[i]]
        found = _log_rank(falling, died, group)
        cost += 4.0 * _outside(math.sqrt(found), math.sqrt(goal.low[test]), math.sqrt(goal.high[test]), 0.1)
    for i in range(n):
        group[i] = 1 if treated[i] else 0
    three = np.empty(3)
    _log_hazard_ratio(falling, died, group, math.log(goal.hazard_ratio[0]), three)
    for k in range(3):
        cost += 8.0 * _near(three[k], goal.hazard_ratio[k], 0.01)
    for which in range(3):
        chosen = rising[(group[rising] == 1) == (which == 0)] if which < 2 else rising[stratum[rising] == 0]
        _medians(after, died, chosen, three)
        cost += _near(three[_MEDIAN], goal.medians[which], 0.1 if which < 2 else 0.5)
    total = n + len(os_other)
    months = np.empty(total, dtype=np.int64)
    death = np.empty(total, dtype=np.bool_)
    months[:n] = dfs + after
    death[:n] = died
    months[n:] = os_other
    death[n:] = died_other
    _sort(order, months)
    for i in range(1, total):
        if months[order[i]] == months[order[i - 1]]:
            cost += 2.0  # tied times
    for i in range(1, n):
        if after[rising[i]] == after[rising[i - 1]]:
            cost += 2.0
    _medians(months, death, order, three)
    for k in range(3):
        cost += 2.0 * _near(three[k], goal.median_os[k], 0.1 if k == _MEDIAN else 0.02)
    _medians(months, ~death, order, three)
    cost += _near(three[_MEDIAN], goal.medians[3], 0.1)
    return cost


@compiled
def _allowed(dfs: int, after: int, died: bool) -> bool:
    months = dfs + after
    return after >= SHORTEST_AFTER_RELAPSE and months <= LONGEST_FOLLOW_UP and (died or months >= SHORTEST_FOLLOW_UP)


@compiled
def anneal_outcomes(
    seed: int, steps: int, hot: float, cold: float, dfs: IntArray, stratum: IntArray, after: IntArray, died: BoolArray,
    label: IntArray, label_site: IntArray, label_treated: BoolArray, os_other: IntArray, died_other: BoolArray,
    goal: OutcomeTargets,
) -> float:  # fmt: skip
    """Change ``after``, ``died`` and ``label`` in place for ``steps`` steps; returns the last cost."""
    np.random.seed(seed)
    n = len(dfs)
    site = label_site[label]
    treated = label_treated[label]
    rising, order = np.arange(n), np.arange(n + len(os_other))
    cost = outcome_cost(
        dfs, stratum, after, died, site, treated, os_other, died_other, goal, rising, order
    )  # fmt: skip
    for step in range(steps):
        temperature = hot * (cold / hot) ** (step / steps)
        kind = np.random.randint(4)
        i = np.random.randint(n)
        j = np.random.randint(n) if kind < 2 else i
        months_i, months_j, died_i, died_j, label_i, label_j = after[i], after[j], died[i], died[j], label[i], label[j]
        other, other_months = -1, 0
        if kind == 0:
            after[i], after[j], died[i], died[j] = months_j, months_i, died_j, died_i
        elif kind == 1:
            if stratum[i] != stratum[j]:
                continue
            label[i], label[j] = label_j, label_i
        elif kind == 2:
            after[i] = round(months_i * math.exp(0.25 * np.random.randn() * (0.05 if np.random.random() < 0.5 else 1.0)))
        else:
            other = np.random.randint(len(os_other))
            if died_other[other]:
                continue
            other_months = os_other[other]
            os_other[other] = round(other_months * math.exp(0.15 * np.random.randn()))
        fits = _allowed(dfs[i], after[i], died[i]) and _allowed(dfs[j], after[j], died[j])
        if other >= 0:
            within = SHORTEST_FOLLOW_UP <= os_other[other] <= LONGEST_FOLLOW_UP
            fits = within and not (dfs == os_other[other]).any()  # a time of DFS as well, and none is tied
        if fits:
            for k in (i, j):
                site[k], treated[k] = label_site[label[k]], label_treated[label[k]]
            new = outcome_cost(
                dfs, stratum, after, died, site, treated, os_other, died_other, goal, rising, order
            )  # fmt: skip
            if new <= cost or np.random.random() < math.exp((cost - new) / temperature):
                cost = new
                continue
        after[i], died[i], label[i] = months_i, died_i, label_i
        after[j], died[j], label[j] = months_j, died_j, label_j
        if other >= 0:
            os_other[other] = other_months
        for k in (i, j):
            site[k], treated[k] = label_site[label[k]], label_treated[label[k]]
    return cost
