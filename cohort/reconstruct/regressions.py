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
    if p == 1:
        return _cox_step_alone(x[columns[0]], order, event, member, beta, estimate, error)
    first = np.zeros(p)
    second = np.zeros((p, p))
    gradient = np.zeros(p)
    information = np.zeros((p, p))
    row = np.zeros(p)
    total = 0.0
    for patient in order:
        if not member[patient]:
            continue
        linear = 0.0
        known = True
        for a in range(p):
            value = x[columns[a], patient]
            if math.isnan(value):
                known = False
                break
            row[a] = value
            linear += value * beta[a]
        if not known:
            continue
        weight = math.exp(linear)
        total += weight
        for a in range(p):
            if row[a] != 0.0:
                weighted = weight * row[a]
                first[a] += weighted
                for b in range(a + 1):
                    second[a, b] += weighted * row[b]
        if event[patient]:
            inverse = 1.0 / total
            for a in range(p):
                mean = first[a] * inverse
                gradient[a] += row[a] - mean
                for b in range(a + 1):
                    information[a, b] += second[a, b] * inverse - mean * first[b] * inverse
    return _finish(information, gradient, p, beta, estimate, error)


@compiled
def _cox_step_alone(
    values: FloatArray, order: IntArray, event: BoolArray, member: BoolArray, beta: FloatArray,
    estimate: FloatArray, error: FloatArray,
) -> bool:  # fmt: skip
    total, first, second, gradient, information = 0.0, 0.0, 0.0, 0.0, 0.0
    slope = beta[0]
    one = math.exp(slope)
    for patient in order:
        value = values[patient]
        if not member[patient] or math.isnan(value):
            continue
        if value == 0.0:
            total += 1.0
        else:
            weight = one if value == 1.0 else math.exp(slope * value)
            total += weight
            first += weight * value
            second += weight * value * value
        if event[patient]:
            mean = first / total
            gradient += value - mean
            information += second / total - mean * mean
    if information <= 1e-10:
        return False
    estimate[0] = slope + gradient / information
    error[0] = 1.0 / math.sqrt(information)
    return True


@compiled
def logistic_step(
    x: FloatArray, columns: IntArray, order: IntArray, event: BoolArray, member: BoolArray, beta: FloatArray,
    estimate: FloatArray, error: FloatArray,
) -> bool:  # fmt: skip
    """One Newton step of logistic regression; the intercept is the last of ``beta``."""
    p = len(columns) + 1
    gradient = np.zeros(p)
    information = np.zeros((p, p))
    row = np.ones(p)
    for patient in order:
        if not member[patient]:
            continue
        linear = beta[p - 1]
        known = True
        for a in range(p - 1):
            value = x[columns[a], patient]
            if math.isnan(value):
                known = False
                break
            row[a] = value
            linear += value * beta[a]
        if not known:
            continue
        risk = 1.0 / (1.0 + math.exp(-linear))
        residual = (1.0 if event[patient] else 0.0) - risk
        spread = risk * (1.0 - risk)
        for a in range(p):
            if row[a] != 0.0:
                gradient[a] += residual * row[a]
                weighted = spread * row[a]
                for b in range(a + 1):
                    information[a, b] += weighted * row[b]
    return _finish(information, gradient, p, beta, estimate, error)


@compiled
def _finish(
    information: FloatArray, gradient: FloatArray, n_terms: int, beta: FloatArray, estimate: FloatArray, error: FloatArray
) -> bool:
    step = np.zeros(n_terms)
    variance = np.zeros(n_terms)
    if not _solve(information, gradient, n_terms, step, variance):
        return False
    for a in range(n_terms):
        # A longer step than this leaves the region in which it means anything.
        estimate[a] = beta[a] + max(-1.0, min(1.0, step[a]))
        error[a] = math.sqrt(variance[a])
    return True
