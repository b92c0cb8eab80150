"""The paper's regressions as compiled code reads them, and what patients cost: how far each regression is from print.

A regression on one covariate is measured once (``influence``) and its changes are foretold from there; all others are fitted
anew, one Newton step at a time (``regressions``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cohort.intervals import Z_95
from cohort.reconstruct.covariates import N_COVARIATES, Field, broken_rules, encode
from cohort.reconstruct.influence import Influence, measure_cox, measure_logistic, shift_cox, shift_logistic
from cohort.reconstruct.regressions import MAX_TERMS, FloatArray, IntArray, compiled, cox_step, logistic_step
from cohort.reconstruct.targets import OUTCOMES, PRIMARY_RESECTED, Regression, numbers

BoolArray = npt.NDArray[np.bool_]

#: The tolerance of a reproduction, or this share of the standard error where that is more: where six patients carry an effect,
#: each of their swaps moves it by many tolerances, and would be frozen long before the rest.
OF_AN_ERROR = 0.15
#: A P on the wrong side lets a covariate enter a second stage that print has without it, and every number there is another one.
WRONG_SIDE = 12.0
#: What a row pays that is not exact, and one that is not within tolerance.
NOT_EXACT, NOT_NEAR = 0.9, 1.5
NOT_ESTIMABLE = 200.0  # cost of a regression whose information is singular


class Problem(NamedTuple):
    """All regressions in flat arrays, as compiled code reads them; regression m has terms ``start[m]:start[m + 1]``."""

    kind: IntArray  # (m,) row of ``event``: 0, 1 logistic, 2, 3 Cox
    resected_only: BoolArray  # (m,)
    start: IntArray  # (m + 1,)
    column: IntArray  # (terms,)
    printed: FloatArray  # (terms, 3) ratio and bounds, NaN where none is printed
    half: FloatArray  # (terms,) half a unit of the last digit
    loose: BoolArray  # (terms,) whether the last digits do not count
    z_low: FloatArray  # (terms,)
    z_high: FloatArray  # (terms,)
    weight: FloatArray  # (terms,)
    touched: IntArray  # regressions by covariate, flat
    touched_start: IntArray  # (covariates + 1,)
    narrow: BoolArray  # (m,) on one covariate: its changes are foretold by ``influence``


class Outcomes(NamedTuple):
    """What happened: ``stratum`` (n,), and by outcome the ``order`` (4, n) by falling time and the ``event`` (4, n)."""

    stratum: IntArray
    order: IntArray
    event: BoolArray


class Patients(NamedTuple):
    """``records`` (fields, n), the covariates ``x`` (covariates, n) that follow from them, and who is ``resected`` (n,)."""

    records: IntArray
    x: FloatArray
    resected: BoolArray


class Estimates(NamedTuple):
    """Of every regression: coefficients and errors (m, terms), cost (m,), and of those on one covariate the influence."""

    beta: FloatArray
    error: FloatArray
    cost: FloatArray
    influence: Influence


@compiled
def no_estimates(n_regressions: int, n_patients: int) -> Estimates:
    """Where estimation begins."""
    shape = (n_regressions, MAX_TERMS)
    influence = Influence(np.zeros((n_regressions, 5)), np.zeros((n_regressions, n_patients, 4)))
    return Estimates(np.zeros(shape), np.ones(shape), np.zeros(n_regressions), influence)


def starts(sizes: Sequence[int]) -> IntArray:
    """Where each part of a flat array begins, and the last one ends."""
    return np.cumsum([0, *sizes]).astype(np.int64)


def problem_of(regressions: Sequence[Regression], weights: Sequence[float]) -> Problem:
    """The regressions and their targets; ``weights`` (m,) of their terms."""
    terms = [(m, t) for m, r in enumerate(regressions) for t in r.targets]
    printed = np.full((len(terms), 3), np.nan)
    half = np.full(len(terms), 0.005)
    for place, (_, target) in enumerate(terms):
        if (given := numbers(target)) is not None:
            printed[place], half[place] = given[0], given[1][0]
    by_covariate = [sorted({m for m, t in terms if t.column == c}) for c in range(N_COVARIATES)]
    return Problem(
        kind=np.array([OUTCOMES.index(r.outcome) for r in regressions], dtype=np.int64),
        resected_only=np.array([r.population == PRIMARY_RESECTED for r in regressions], dtype=np.bool_),
        start=starts([len(r.targets) for r in regressions]),
        column=np.array([t.column for _, t in terms], dtype=np.int64),
        printed=printed,
        half=half,
        loose=np.array([t.loose for _, t in terms], dtype=np.bool_),
        z_low=np.array([t.z_low for _, t in terms]),
        z_high=np.array([t.z_high for _, t in terms]),
        weight=np.array([weights[m] for m, _ in terms]),
        touched=np.array([m for ms in by_covariate for m in ms], dtype=np.int64),
        touched_start=starts([len(ms) for ms in by_covariate]),
        narrow=np.array([len(r.targets) == 1 for r in regressions], dtype=np.bool_),
    )


@compiled
def term_cost(
    beta: float, error: float, printed: FloatArray, half: float, loose: bool, z_low: float, z_high: float
) -> float:  # fmt: skip
    """How far a term is from print: 0 where every printed digit and the side of P agree.

    A row that is not exact pays a step, one that is not near a larger one, so that many come out exact rather than all almost;
    beyond the printed digit the cost grows like a logarithm, beyond the tolerance of a reproduction (0.02 or 3 %) like the
    distance.
    """
    cost = 0.0
    if not math.isnan(printed[0]):
        exact, near = True, True
        ratio, spread = math.exp(min(beta, 20.0)), math.exp(min(Z_95 * error, 20.0))
        for k in range(3):
            value = ratio if k == 0 else (ratio / spread if k == 1 else ratio * spread)
            off = abs(value - printed[k])
            digits = off / half - 0.9
            if digits > 0.0 and not loose:
                cost += 0.35 * math.log1p(4.0 * digits)
            exact = exact and off < 0.985 * half
            tolerance = max(0.02, 0.03 * printed[k])
            near = near and off < 0.98 * tolerance
            if off > 0.7 * tolerance:  # far away it is the ratio that counts, or a wild bound would never come back
                width = max(math.log1p(tolerance / printed[k]), OF_AN_ERROR * error)
                times = min(abs(math.log(max(value, 1e-9) / printed[k])) / width, 60.0)
                cost += 3.0 * max(0.0, times - 0.9)
        cost += (0.0 if exact or loose else NOT_EXACT) + (0.0 if near else NOT_NEAR)
    z = beta / error
    if math.isnan(printed[0]) or printed[0] == 1.0:
        z = abs(z)
    elif printed[0] < 1.0:
        z = -z
    if z < z_low and z_low > 0.0:
        cost += WRONG_SIDE + 80.0 * (z_low - z)
    elif abs(z) > z_high:
        cost += WRONG_SIDE + 80.0 * (abs(z) - z_high)
    return cost


@compiled
def _term_cost(term: int, beta: float, error: float, problem: Problem) -> float:
    cost = term_cost(
        beta, error, problem.printed[term], problem.half[term], problem.loose[term], problem.z_low[term], problem.z_high[term]
    )
    return float(problem.weight[term] * cost)


@compiled
def measure(
    m: int, patients: Patients, outcomes: Outcomes, problem: Problem, member: BoolArray, beta: FloatArray, influence: Influence
) -> None:
    """Measure the narrow regression ``m`` among ``member`` (n,) at ``beta``, into row m of ``influence``."""
    k = problem.kind[m]
    values = patients.x[problem.column[problem.start[m]]]
    if k < 2:
        measure_logistic(values, outcomes.event[k], member, beta[0], beta[1], influence.sums[m])
    else:
        measure_cox(values, outcomes.order[k], outcomes.event[k], member, beta[0], influence.sums[m], influence.at[m])


@compiled
def foretell(
    m: int, pair: IntArray, old: FloatArray, new: FloatArray, problem: Problem, member: BoolArray, outcomes: Outcomes,
    beta: FloatArray, influence: Influence, out_beta: FloatArray, out_error: FloatArray,
) -> float:  # fmt: skip
    """Cost of the narrow regression ``m``, measured at ``beta``, if ``pair`` had the values ``new``; writes the estimates."""
    k = problem.kind[m]
    event, sums = outcomes.event[k], influence.sums[m]
    if k < 2:
        out_beta[0], out_error[0], out_beta[1] = shift_logistic(pair, old, new, event, member, beta[0], beta[1], sums)
    else:
        out_beta[0], out_error[0] = shift_cox(pair, old, new, event, member, beta[0], sums, influence.at[m])
    return _term_cost(problem.start[m], out_beta[0], out_error[0], problem) if out_error[0] > 0.0 else NOT_ESTIMABLE


@compiled
def evaluate(
    m: int, patients: Patients, outcomes: Outcomes, problem: Problem, member: BoolArray, beta: FloatArray, new: Estimates
) -> float:
    """Cost of regression ``m``; its estimates, one step from ``beta``, are written into row m of ``new``."""
    if problem.narrow[m]:
        measure(m, patients, outcomes, problem, member, beta, new.influence)
        nobody, nothing = np.empty(0, dtype=np.int64), np.empty(0)
        return foretell(
            m, nobody, nothing, nothing, problem, member, outcomes, beta, new.influence, new.beta[m], new.error[m]
        )  # fmt: skip
    first, last = problem.start[m], problem.start[m + 1]
    columns = problem.column[first:last]
    k = problem.kind[m]
    fitted = False
    if k < 2:
        fitted = logistic_step(patients.x, columns, outcomes.order[2], outcomes.event[k], member, beta, new.beta[m], new.error[m])
    else:
        fitted = cox_step(patients.x, columns, outcomes.order[k], outcomes.event[k], member, beta, new.beta[m], new.error[m])
    if not fitted:
        return NOT_ESTIMABLE
    cost = 0.0
    for term in range(first, last):
        cost += _term_cost(term, new.beta[m, term - first], new.error[m, term - first], problem)
    return cost


@compiled
def measure_anew(
    m: int, patients: Patients, outcomes: Outcomes, problem: Problem, member: BoolArray, estimates: Estimates
) -> None:
    """Measure the narrow regression ``m`` where its estimate now lies; its cost is that of the estimate one step on."""
    measure(m, patients, outcomes, problem, member, estimates.beta[m], estimates.influence)
    nobody, nothing = np.empty(0, dtype=np.int64), np.empty(0)
    beta, error = np.empty(2), np.empty(1)
    estimates.cost[m] = foretell(
        m, nobody, nothing, nothing, problem, member, outcomes, estimates.beta[m], estimates.influence, beta, error
    )  # fmt: skip


@compiled
def evaluate_all(patients: Patients, outcomes: Outcomes, problem: Problem, estimates: Estimates, rounds: int) -> None:
    """Iterate every regression ``rounds`` times from the estimates, in place."""
    everyone = np.ones(patients.x.shape[1], dtype=np.bool_)
    beta, error = np.zeros_like(estimates.beta), np.zeros_like(estimates.error)
    new = Estimates(beta, error, estimates.cost, estimates.influence)
    for m in range(len(problem.kind)):
        member = patients.resected if problem.resected_only[m] else everyone
        for _ in range(rounds):
            estimates.cost[m] = evaluate(m, patients, outcomes, problem, member, estimates.beta[m], new)
            estimates.beta[m] = beta[m]
            estimates.error[m] = error[m]
        if problem.narrow[m]:
            measure_anew(m, patients, outcomes, problem, member, estimates)


def patients_of(records: IntArray) -> Patients:
    """A copy of ``records`` (fields, n) with the covariates that follow."""
    x = np.empty((N_COVARIATES, records.shape[1]))
    for patient in range(records.shape[1]):
        covariates = np.empty(N_COVARIATES)
        encode(np.ascontiguousarray(records[:, patient]), covariates)
        x[:, patient] = covariates
    return Patients(records.copy(), x, records[Field.RESECTED] == 1)


def n_broken(records: IntArray) -> int:
    """Broken rules of all patients."""
    return sum(broken_rules(np.ascontiguousarray(records[:, p])) for p in range(records.shape[1]))
