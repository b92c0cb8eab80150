"""One Newton step of logistic and Cox regression, compiled: what the optimiser asks a million times.

A swap of two patients moves an estimate a little, so that one step from the last estimate gives the next one. Rows are visited
in an order given once (times fall), patients with a missing covariate are skipped, and there are no tied event times.
``x`` is (covariates, patients), NaN where missing; a model names its ``columns``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: The widest regression: the paper's has 15 terms, and the intercept.
MAX_TERMS = 24

#: Whole numbers up to this are looked up instead of exponentiated: counts, and millimetres.
MOST_TABLED = 255.0


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compiled by numba when first called; division by zero gives infinity, as numpy has it."""
    return cast("Callable[_P, _R]", numba.njit(error_model="numpy")(cast("Any", function)))


@compiled
def _solve(information: FloatArray, gradient: FloatArray, n_terms: int, step: FloatArray, variance: FloatArray) -> bool:
    """``step`` = information^-1 gradient and ``variance`` = the inverse's diagonal, by Cholesky; False where singular."""
    lower = information  # overwritten
    for i in range(n_terms):
        for j in range(i + 1):
            total = lower[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                if total <= 1e-10:
                    return False
                lower[i, i] = math.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
    for i in range(n_terms):  # forward, then backward substitution
        total = gradient[i]
        for k in range(i):
            total -= lower[i, k] * step[k]
        step[i] = total / lower[i, i]
    for i in range(n_terms - 1, -1, -1):
        total = step[i]
        for k in range(i + 1, n_terms):
            total -= lower[k, i] * step[k]
        step[i] = total / lower[i, i]
    for i in range(n_terms):  # row by row the inverse of the triangle, below the diagonal of zeros
        variance[i] = 0.0
    for column in range(n_terms):
        work = np.zeros(n_terms)
        for i in range(column, n_terms):
            total = 1.0 if i == column else 0.0
            for k in range(column, i):
                total -= lower[i, k] * work[k]
            work[i] = total / lower[i, i]
        for i in range(column, n_terms):
            variance[column] += work[i] * work[i]
    return True


@compiled
def cox_step(
    x: FloatArray, columns: IntArray, order: IntArray, event: BoolArray, member: BoolArray, beta: FloatArray,
    estimate: FloatArray, error: FloatArray,
) -> bool:  # fmt: skip
    """One Newton step of Cox regression from ``beta``; ``order`` visits patients by falling time."""
    p = len(columns)
    who = _complete(x, columns, order, member)
    n = len(who)
    linear = np.zeros(n)
    rows = np.empty((p, n))
    for a in range(p):
        values, slope = x[columns[a]], beta[a]
        for i in range(n):
            rows[a, i] = values[who[i]]
            linear[i] += slope * rows[a, i]
    weight, hazard = np.empty(n), np.zeros(n)  # hazard: 1 / (weight at risk) at a patient's own time, 0 without an event
    total = 0.0
    n_events = 0
    for i in range(n):
        weight[i] = math.exp(linear[i])
        total += weight[i]
        if event[who[i]]:
            hazard[i] = 1.0 / total
            n_events += 1
    gradient = np.zeros(p)
    means = np.empty((p, n_events))  # of those at risk at each event
    for a in range(p):
        first, e = 0.0, 0
        for i in range(n):
            first += weight[i] * rows[a, i]
            if hazard[i] > 0.0:
                means[a, e] = first * hazard[i]
                gradient[a] += rows[a, i] - means[a, e]
                e += 1
    # The sum over events of E[xx'] - E[x]E[x]', patient by patient: each counts at all events up to his own time.
    cumulative = 0.0
    for i in range(n - 1, -1, -1):
        cumulative += hazard[i]
        weight[i] *= cumulative
    information = np.zeros((p, p))
    _add_squares(information, rows, weight)
    _add_squares(information, means, np.full(n_events, -1.0))
    return _finish(information, gradient, p, beta, estimate, error)


@compiled
def _complete(x: FloatArray, columns: IntArray, order: IntArray, member: BoolArray) -> IntArray:
    """Members in ``order`` of whom all ``columns`` are known."""
    who = np.empty(len(order), dtype=np.int64)
    n = 0
    for patient in order:
        known = member[patient]
        if known:
            for a in columns:
                if math.isnan(x[a, patient]):
                    known = False
                    break
        if known:
            who[n] = patient
            n += 1
    return who[:n]


@compiled
def _add_squares(matrix: FloatArray, rows: FloatArray, weight: FloatArray) -> None:
    """Add rows diag(weight) rows' to the lower triangle of ``matrix``.

    Four sums side by side, which processors add at once; a fixed number, so that all of them give the same digits.
    """
    p, n = rows.shape
    whole = n // 4 * 4
    scaled = np.empty(n)
    for a in range(p):
        for i in range(n):
            scaled[i] = weight[i] * rows[a, i]
        for b in range(a + 1):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for i in range(0, whole, 4):
                s0 += scaled[i] * rows[b, i]
                s1 += scaled[i + 1] * rows[b, i + 1]
                s2 += scaled[i + 2] * rows[b, i + 2]
                s3 += scaled[i + 3] * rows[b, i + 3]
            for i in range(whole, n):
                s0 += scaled[i] * rows[b, i]
            matrix[a, b] += s0 + s1 + s2 + s3


@compiled
def powers(values: FloatArray, slope: float) -> FloatArray:
    """exp(slope k) for k = 0 to the largest of ``values``, where these are small whole numbers; otherwise nothing."""
    largest = 0.0
    for value in values:
        if math.isnan(value):
            continue
        if value != math.floor(value) or value > MOST_TABLED:
            return np.empty(0)
        largest = max(largest, value)
    table = np.empty(int(largest) + 1)
    one = math.exp(slope)
    table[0] = 1.0
    for k in range(1, len(table)):
        table[k] = table[k - 1] * one
    return table


@compiled
def logistic_step(
    x: FloatArray, columns: IntArray, order: IntArray, event: BoolArray, member: BoolArray, beta: FloatArray,
    estimate: FloatArray, error: FloatArray,
) -> bool:  # fmt: skip
    """One Newton step of logistic regression; the intercept is the last of ``beta``."""
    p = len(columns) + 1
    gradient = np.zeros(p)
    information = np.zeros((p, p))
    who = _complete(x, columns, order, member)
    n = len(who)
    linear = np.full(n, beta[p - 1])
    rows = np.ones((p, n))
    for a in range(p - 1):
        values, slope = x[columns[a]], beta[a]
        for i in range(n):
            rows[a, i] = values[who[i]]
            linear[i] += slope * rows[a, i]
    spread, residual = np.empty(n), np.empty(n)
    for i in range(n):
        risk = 1.0 / (1.0 + math.exp(-linear[i]))
        residual[i] = (1.0 if event[who[i]] else 0.0) - risk
        spread[i] = risk * (1.0 - risk)
    for a in range(p):
        for i in range(n):
            gradient[a] += residual[i] * rows[a, i]
    _add_squares(information, rows, spread)
    return _finish(information, gradient, p, beta, estimate, error)


@compiled
def within_reach(decrement_squared: float) -> float:
    """The share of a Newton step to take: far from the maximum, where gradient times step exceeds 1, a whole one overshoots."""
    return 1.0 / math.sqrt(max(1.0, decrement_squared))


@compiled
def _finish(
    information: FloatArray, gradient: FloatArray, n_terms: int, beta: FloatArray, estimate: FloatArray, error: FloatArray
) -> bool:
    step = np.zeros(n_terms)
    variance = np.zeros(n_terms)
    if not _solve(information, gradient, n_terms, step, variance):
        return False
    squared = 0.0
    for a in range(n_terms):
        squared += gradient[a] * step[a]
    share = within_reach(squared)
    for a in range(n_terms):
        estimate[a] = beta[a] + share * step[a]
        error[a] = math.sqrt(variance[a])
    return True
