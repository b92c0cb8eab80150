"""What a change in one or two patients does to a regression on one covariate, without a new pass over all patients.

``measure_*`` visits all patients once and keeps what each of them contributes; ``shift_*`` then answers in constant time what the
estimate would be if some had other values. For logistic regression that is one exact Newton step. For Cox regression it is the
step in which the sums over those at risk change to first order: terms of the size of (1 / number at risk) squared are left out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cohort.reconstruct.regressions import FloatArray, IntArray, compiled, powers, within_reach

BoolArray = npt.NDArray[np.bool_]

#: An information below this is singular.
SINGULAR = 1e-10


class Influence(NamedTuple):
    """Of every regression on one covariate, at the coefficient where it was measured.

    ``sums`` (m, 5): Cox: score, information, its slope; logistic: scores of slope and intercept, information (slope, both,
    intercept). ``at`` (m, n, 4), Cox only: sums over the events up to a patient's time of 1, E[x], E[xx] and E[x]E[x], each
    divided by the total weight at risk.
    """

    sums: FloatArray
    at: FloatArray


@compiled
def measure_cox(
    values: FloatArray, order: IntArray, event: BoolArray, member: BoolArray, slope: float, sums: FloatArray, at: FloatArray
) -> None:
    """Write ``sums`` (5,) and ``at`` (n, 4) of one regression; ``order`` visits patients by falling time."""
    table = powers(values, slope)
    total, first, second, third = 0.0, 0.0, 0.0, 0.0
    sums[:] = 0.0
    for patient in order:
        at[patient, :] = 0.0
        value = values[patient]
        if not member[patient] or math.isnan(value):
            continue
        weight = table[int(value)] if len(table) else math.exp(slope * value)
        total += weight
        weight *= value
        first += weight
        weight *= value
        second += weight
        third += weight * value
        if event[patient]:
            inverse = 1.0 / total
            mean, square = first * inverse, second * inverse
            sums[0] += value - mean
            sums[1] += square - mean * mean
            sums[2] += third * inverse - 3.0 * mean * square + 2.0 * mean**3
            at[patient, 0] = inverse
            at[patient, 1] = mean * inverse
            at[patient, 2] = square * inverse
            at[patient, 3] = mean * mean * inverse
    a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
    for place in range(len(order) - 1, -1, -1):
        patient = order[place]
        a0 += at[patient, 0]
        a1 += at[patient, 1]
        a2 += at[patient, 2]
        a3 += at[patient, 3]
        at[patient, 0], at[patient, 1], at[patient, 2], at[patient, 3] = a0, a1, a2, a3


@compiled
def shift_cox(
    pair: IntArray, old: FloatArray, new: FloatArray, event: BoolArray, member: BoolArray, slope: float, sums: FloatArray,
    at: FloatArray,
) -> tuple[float, float]:  # fmt: skip
    """(coefficient, error) with the values ``new`` (k,) instead of ``old`` in the patients ``pair``; error 0 where singular."""
    score, information = sums[0], sums[1]
    for k in range(len(pair)):
        i, before, after = pair[k], old[k], new[k]
        if before == after or math.isnan(before) or not member[i]:
            continue
        weight_before, weight_after = math.exp(slope * before), math.exp(slope * after)
        d0 = weight_after - weight_before
        weight_after, weight_before = weight_after * after, weight_before * before
        d1 = weight_after - weight_before
        d2 = weight_after * after - weight_before * before
        if event[i]:
            score += after - before
        score -= at[i, 0] * d1 - at[i, 1] * d0
        information += at[i, 0] * d2 - at[i, 2] * d0 - 2.0 * (at[i, 1] * d1 - at[i, 3] * d0)
    if information <= SINGULAR:
        return slope, 0.0
    step = score / information
    if score * step > 1.0:
        return slope + step * within_reach(score * step), 1.0 / math.sqrt(information)
    step = score / max(0.5 * information, information + 0.5 * sums[2] * step)
    information = max(0.5 * information, information + sums[2] * step)
    return slope + step, 1.0 / math.sqrt(information)


@compiled
def _risk(linear: float) -> float:
    return 1.0 / (1.0 + math.exp(-linear))


@compiled
def measure_logistic(
    values: FloatArray, event: BoolArray, member: BoolArray, slope: float, intercept: float, sums: FloatArray
) -> None:
    """Write ``sums`` (5,) of one regression."""
    table = powers(values, -slope)
    odds = math.exp(-intercept)
    sums[:] = 0.0
    for patient in range(len(values)):
        value = values[patient]
        if not member[patient] or math.isnan(value):
            continue
        risk = 1.0 / (1.0 + odds * (table[int(value)] if len(table) else math.exp(-slope * value)))
        residual = (1.0 if event[patient] else 0.0) - risk
        spread = risk * (1.0 - risk)
        sums[0] += residual * value
        sums[1] += residual
        sums[2] += spread * value * value
        sums[3] += spread * value
        sums[4] += spread


@compiled
def shift_logistic(
    pair: IntArray, old: FloatArray, new: FloatArray, event: BoolArray, member: BoolArray, slope: float, intercept: float,
    sums: FloatArray,
) -> tuple[float, float, float]:  # fmt: skip
    """(coefficient, its error, intercept) with the values ``new`` (k,) instead of ``old``; error 0 where singular."""
    s0, s1, i0, i1, i2 = sums[0], sums[1], sums[2], sums[3], sums[4]
    for k in range(len(pair)):
        i, before, after = pair[k], old[k], new[k]
        if before == after or math.isnan(before) or not member[i]:
            continue
        had = 1.0 if event[i] else 0.0
        risk_before, risk_after = _risk(intercept + slope * before), _risk(intercept + slope * after)
        s0 += after * (had - risk_after) - before * (had - risk_before)
        s1 += risk_before - risk_after
        spread_before, spread_after = risk_before * (1.0 - risk_before), risk_after * (1.0 - risk_after)
        i0 += spread_after * after * after - spread_before * before * before
        i1 += spread_after * after - spread_before * before
        i2 += spread_after - spread_before
    determinant = i0 * i2 - i1 * i1
    if determinant <= SINGULAR:
        return slope, 0.0, intercept
    step_slope, step_intercept = (i2 * s0 - i1 * s1) / determinant, (i0 * s1 - i1 * s0) / determinant
    share = within_reach(s0 * step_slope + s1 * step_intercept)
    return slope + share * step_slope, math.sqrt(i2 / determinant), intercept + share * step_intercept
