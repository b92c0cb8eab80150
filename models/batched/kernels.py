"""Newton's method for the weighted logistic and Cox likelihoods, compiled by numba.

Weights are whole numbers and mean *cases*: a row of weight 3 is three patients. In Cox regression an event of weight 3 is three
events tied at one time, of which Efron's method takes 0, 1/3 and 2/3 out of the risk set, as in the fit of the duplicated rows.
R's ``coxph(weights=)`` means something else: there the row stays one event, with an average weight (Therneau and Grambsch 2000,
section 3.3), so that its estimates differ from these wherever a weight is above 1.

A covariate set is given by its ``distinct`` rows (G, p) and the pattern of each patient: a 0/1 covariate has two, and costs two
exponentials a step whatever the number of patients. Covariates are standardised among the weighted rows, so that a unit decides
nothing. Efron's sums over k of d tied events need only the sums of 1 / denominator and of its square, times powers of k / d.

numba notices that a file has changed, not that one it imports has: all that is compiled together stands in this file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from cohort.types import BoolArray, FloatArray, IntArray

WeightArray = npt.NDArray[np.int32]
CodeArray = npt.NDArray[np.int8]
#: Standardised covariates z (G, q); patients and cases (G,) of each row (logistic); of Cox regression, by descending time,
#: pattern, weight and event (n,), and where each time starts (T + 1,).
Data = tuple[FloatArray, FloatArray, FloatArray, IntArray, FloatArray, BoolArray, IntArray]
_P = ParamSpec("_P")
_R = TypeVar("_R")


class FitStatus(IntEnum):
    """How a fit ended.

    ``ALIASED``: converged, and some column is constant or a combination of those before it: coefficient and error are 0.
    ``SEPARATED``: a coefficient ran off, since the likelihood has no maximum; what is given is where it was flat.
    ``ONE_STATUS``: no event was seen (or, in logistic regression, nothing else): coefficients and errors are 0.
    """

    CONVERGED = 0
    ALIASED = 1
    SEPARATED = 2
    NOT_CONVERGED = 3
    ONE_STATUS = 4


#: A coefficient of one standard deviation beyond this, or a standard error, means that the likelihood has no maximum: risks of
#: 0.0001 against 0.9999 in 300 patients are separation, not an effect.
SEPARATED_BEYOND = 10.0

# numba reads plain integers as constants.
_CONVERGED, _ALIASED, _SEPARATED, _NOT_CONVERGED, _ONE_STATUS = (int(status) for status in FitStatus)
_MAX_ITERATIONS, _MAX_HALVINGS = 30, 20
#: Squared distance to the maximum in standard errors at which Newton's next step is the last one: it squares the distance.
_NEAR = 1e-12
#: A step that gains less than this share of the log likelihood (R's coxph.control), and yet is long for what it gains, since the
#: standard error along it is beyond ``SEPARATED_BEYOND``: the likelihood is flat there, and has no maximum.
_FLAT_GAIN = 1e-9
#: Share of a column that the others do not give, below which it is taken to be their combination.
_COLLINEAR = 1e-10
#: R's glm starts at risks of 1/4 and 3/4, which makes its first step longer than one from 0 by (log 3 + 4/3) / 2.
_FIRST_LOGISTIC_STEP = (math.log(3.0) + 4.0 / 3.0) / 2.0


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compiled with whatever calls it; division by zero gives infinity, as numpy has it."""
    return cast("Callable[_P, _R]", numba.njit(error_model="numpy")(cast("Any", function)))


def compiled_once(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compiled when first called, and kept on disk where a place for that can be written to."""
    try:
        kept = numba.njit(error_model="numpy", nogil=True, cache=True)(cast("Any", function))
    except RuntimeError:  # no place: the package and the home directory are read-only
        kept = numba.njit(error_model="numpy", nogil=True)(cast("Any", function))
    return cast("Callable[_P, _R]", kept)


# ---- small systems


@compiled
def _cholesky(matrix: FloatArray, active: BoolArray, floor: float, lower: FloatArray) -> bool:
    """Lower triangular root of the active rows of ``matrix``, whose lower triangle is read; the rest is the unit matrix.

    A row whose pivot is not above ``floor`` becomes inactive if ``floor`` is above 0; otherwise the answer is False.
    """
    for i in range(len(active)):
        for j in range(i + 1):
            total = matrix[i, j] if active[i] and active[j] else (1.0 if i == j else 0.0)
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = total / lower[j, j]
            elif total > (floor if active[i] else 0.0):
                lower[i, i] = math.sqrt(total)
            elif floor > 0.0:
                active[i] = False
                for k in range(i):
                    lower[i, k] = 0.0
                lower[i, i] = 1.0
            else:
                return False
    return True


@compiled
def _solve(lower: FloatArray, right: FloatArray, active: BoolArray, solution: FloatArray) -> None:
    p = len(right)
    for i in range(p):
        total = right[i] if active[i] else 0.0
        for k in range(i):
            total -= lower[i, k] * solution[k]
        solution[i] = total / lower[i, i]
    for i in range(p - 1, -1, -1):
        total = solution[i]
        for k in range(i + 1, p):
            total -= lower[k, i] * solution[k]
        solution[i] = total / lower[i, i]


@compiled
def _inverse(lower: FloatArray, active: BoolArray) -> FloatArray:
    """Of the matrix whose root is ``lower``; rows and columns that are not active are 0."""
    p = len(active)
    inverse, unit, column = np.zeros((p, p)), np.zeros(p), np.zeros(p)
    for j in range(p):
        if active[j]:
            unit[j] = 1.0
            _solve(lower, unit, active, column)
            unit[j] = 0.0
            for i in range(p):
                inverse[i, j] = column[i]
    return inverse


# ---- the two likelihoods: value, gradient, and the lower triangle of the information


@compiled
def _add_squares(z: FloatArray, weight: FloatArray, matrix: FloatArray) -> None:
    """Add z' diag(weight) z to the lower triangle of ``matrix``."""
    n, p = z.shape
    for g in range(n):
        for a in range(p):
            scaled = weight[g] * z[g, a]
            for b in range(a + 1):
                matrix[a, b] += scaled * z[g, b]


@compiled
def _logistic_derivatives(
    z: FloatArray, total: FloatArray, cases: FloatArray, beta: FloatArray, gradient: FloatArray, information: FloatArray
) -> float:
    n, q = z.shape
    gradient.fill(0.0)
    information.fill(0.0)
    spread = np.empty(n)
    value = 0.0
    for g in range(n):
        eta = 0.0
        for a in range(q):
            eta += z[g, a] * beta[a]
        small = math.exp(-abs(eta))  # 1 - risk would lose the small risks of a separated level
        risk = (1.0 if eta >= 0.0 else small) / (1.0 + small)
        value += cases[g] * eta - total[g] * (max(eta, 0.0) + math.log1p(small))
        spread[g] = total[g] * small / (1.0 + small) ** 2
        residual = cases[g] - total[g] * risk
        for a in range(q):
            gradient[a] += residual * z[g, a]
    _add_squares(z, spread, information)
    return value


@compiled
def _cox_derivatives(
    z: FloatArray, pattern: IntArray, weight: FloatArray, event: BoolArray, first: IntArray, beta: FloatArray,
    gradient: FloatArray, information: FloatArray,
) -> float:  # fmt: skip
    """As ``cox_derivatives``. Times need not differ: what counts as one is what lies between two starts.

    Summed over events, the second moments are one cross product of the rows, each weighted by its hazard at the events it was at
    risk of.
    """
    n, p = z.shape
    n_times = len(first) - 1
    hazard, shift = np.empty(n), -np.inf
    for g in range(n):
        hazard[g] = 0.0
        for a in range(p):
            hazard[g] += z[g, a] * beta[a]
        shift = max(shift, hazard[g])
    for g in range(n):
        hazard[g] = math.exp(hazard[g] - shift)
    gradient.fill(0.0)
    information.fill(0.0)
    at_risk, tied, expected = np.zeros(p), np.zeros(p), np.zeros(p)  # first moments
    step, taken_out = np.zeros(n_times), np.zeros(n_times)
    at_risk_0, n_events, log_sum, product = 0.0, 0.0, 0.0, 1.0
    for t in range(n_times):
        tied_0, ties = 0.0, 0.0
        tied.fill(0.0)
        for r in range(first[t], first[t + 1]):
            g = pattern[r]
            h = weight[r] * hazard[g]
            at_risk_0 += h
            for a in range(p):
                at_risk[a] += h * z[g, a]
            if event[r]:
                ties += weight[r]
                tied_0 += h
                for a in range(p):
                    tied[a] += h * z[g, a]
                    gradient[a] += weight[r] * z[g, a]
        if ties == 0.0:
            continue
        n_events += ties
        c0, c1, c2 = 0.0, 0.0, 0.0
        for k in range(int(ties)):
            share = k / ties
            denominator = at_risk_0 - share * tied_0
            if not denominator > 1e-100:  # underflow: so far from the maximum that nothing can be said
                return -np.inf
            product *= denominator  # a logarithm a hundred factors, not one each
            if product > 1e150 or product < 1e-150:
                log_sum += math.log(product)
                product = 1.0
            inverse = 1.0 / denominator
            step[t] += inverse
            taken_out[t] += share * inverse
            c0 += inverse * inverse
            c1 += share * inverse * inverse
            c2 += share * share * inverse * inverse
        for a in range(p):
            expected[a] += step[t] * at_risk[a] - taken_out[t] * tied[a]
            left, right = c0 * at_risk[a] - c1 * tied[a], c2 * tied[a] - c1 * at_risk[a]
            for b in range(a + 1):
                information[a, b] -= left * at_risk[b] + right * tied[b]
    exposure, cumulative = np.zeros(n), 0.0
    for t in range(n_times - 1, -1, -1):
        cumulative += step[t]
        for r in range(first[t], first[t + 1]):
            exposure[pattern[r]] += weight[r] * (cumulative - (taken_out[t] if event[r] else 0.0))
    for g in range(n):
        exposure[g] *= hazard[g]
    _add_squares(z, exposure, information)
    value = -n_events * shift - log_sum - math.log(product)
    for a in range(p):
        value += beta[a] * gradient[a]
        gradient[a] -= expected[a]
    return value


@compiled
def _derivatives(data: Data, is_cox: bool, beta: FloatArray, gradient: FloatArray, information: FloatArray) -> float:
    z, total, cases, pattern, weight, event, first = data
    if is_cox:
        return _cox_derivatives(z, pattern, weight, event, first, beta, gradient, information)
    return _logistic_derivatives(z, total, cases, beta, gradient, information)


@compiled_once
def cox_derivatives(
    z: FloatArray, pattern: IntArray, weight: FloatArray, event: BoolArray, first: IntArray, beta: FloatArray,
    gradient: FloatArray, information: FloatArray,
) -> float:  # fmt: skip
    """Log partial likelihood at ``beta`` (p,); writes the gradient (p,) and the lower triangle of the information (p, p).

    The rows of ``z`` (G, p) are the covariates' distinct values; ``pattern``, ``weight`` and ``event`` (n,) are the patients by
    descending time, ``first`` (T + 1,) where each time starts. Minus infinity where a sum over a risk set underflows.
    """
    return _cox_derivatives(z, pattern, weight, event, first, beta, gradient, information)


# ---- one fit


@compiled
def _newton(data: Data, is_cox: bool, floor: float, first_step: float, beta: FloatArray) -> tuple[int, float, float, FloatArray]:
    """From ``beta`` (q,), which is 0 and overwritten: status, log likelihood there and at 0, and the covariance (q, q).

    Columns whose pivot in the information at 0 is not above ``floor`` are combinations of those before them, as R has it: they
    stay at 0. Steps are halved until the likelihood does not fall.
    """
    q = len(beta)
    gradient, information, lower = np.zeros(q), np.zeros((q, q)), np.zeros((q, q))
    step, trial, active = np.zeros(q), np.zeros(q), np.ones(q, dtype=np.bool_)
    value = null = _derivatives(data, is_cox, beta, gradient, information)
    _cholesky(information, active, floor, lower)
    n_active = 0
    for a in range(q):
        n_active += 1 if active[a] else 0
    status = _CONVERGED if n_active == q else _ALIASED
    if n_active == 0:
        return status, value, null, np.zeros((q, q))
    for iteration in range(_MAX_ITERATIONS):
        _solve(lower, gradient, active, step)
        gain, longest = 0.0, 0.0
        for a in range(q):
            gain += gradient[a] * step[a]
            longest = max(longest, abs(step[a]))
            if iteration == 0:
                step[a] *= first_step
        near = gain <= _NEAR
        flat = gain <= 2.0 * _FLAT_GAIN * max(1.0, abs(value)) and longest > SEPARATED_BEYOND * math.sqrt(gain)
        # What rounding may take from the likelihood; the last step is so short that nothing else can.
        lowest = value - (1e-9 if near else 1e-12) * max(1.0, abs(value))
        risen = -np.inf
        for _ in range(_MAX_HALVINGS):
            for a in range(q):
                trial[a] = beta[a] + step[a]
                step[a] *= 0.5
            risen = _derivatives(data, is_cox, trial, gradient, information)
            if risen >= lowest:
                break
        if not risen >= lowest:
            status = _NOT_CONVERGED
            break
        value = risen
        for a in range(q):
            beta[a] = trial[a]
        if not _cholesky(information, active, 0.0, lower):
            status = _SEPARATED if flat else _NOT_CONVERGED
            break
        if flat:
            status = _SEPARATED
        if near or flat:
            break
        if iteration == _MAX_ITERATIONS - 1:
            status = _NOT_CONVERGED
    return status, value, null, _inverse(lower, active)


@compiled
def _standardise(
    x: FloatArray, total: FloatArray, everybody: float, z: FloatArray, ones: int, centre: FloatArray, scale: FloatArray,
    varies: BoolArray,
) -> None:  # fmt: skip
    """``z`` = (x - mean) / deviation of ``everybody``; exactly 0 in a column that is constant among them.

    Of the patients ``total`` (G,) have each row of ``x`` (G, p). ``z`` has ``ones`` columns before them.
    """
    n, p = x.shape
    for a in range(p):
        low, high, mean = np.inf, -np.inf, 0.0
        for g in range(n):
            low, high = min(low, x[g, a]), max(high, x[g, a])
            mean += total[g] * x[g, a] / everybody
        square = 0.0
        for g in range(n):
            square += total[g] * (x[g, a] - mean) ** 2
        varies[a] = high > low
        centre[a] = mean
        scale[a] = math.sqrt(square / everybody) if varies[a] else 1.0
        for g in range(n):
            z[g, ones + a] = (x[g, a] - mean) / scale[a] if varies[a] else 0.0


@compiled
def _in_units(
    status: int, beta: FloatArray, covariance: FloatArray, ones: int, scale: FloatArray, coefficients: FloatArray
) -> tuple[int, FloatArray]:
    """The status, or separated where a coefficient or an error of one standard deviation is beyond bounds; the covariance (p, p).

    ``beta`` and its covariance have ``ones`` entries before those of the columns. Writes ``coefficients`` (p,).
    """
    p = len(scale)
    scaled = np.empty((p, p))
    for a in range(p):
        if not (abs(beta[ones + a]) <= SEPARATED_BEYOND and covariance[ones + a, ones + a] <= SEPARATED_BEYOND**2):
            status = _SEPARATED
        coefficients[a] = beta[ones + a] / scale[a]
        for b in range(p):
            scaled[a, b] = covariance[ones + a, ones + b] / (scale[a] * scale[b])
    return status, scaled


@compiled
def _event_times(time: IntArray, event: BoolArray) -> IntArray:
    """Where each event's time starts among rows by descending ``time``, and their number at the end.

    Who is censored waits for the next event: only then does it matter that he is at risk.
    """
    first = np.zeros(len(time) + 2, dtype=np.int64)
    n_times, has_event = 1, False
    for r in range(len(time)):
        if has_event and time[r] != time[r - 1]:
            first[n_times] = r
            n_times += 1
            has_event = False
        has_event = has_event or event[r]
    first[n_times] = len(time)
    return first[: n_times + 1]


@compiled
def _fit(
    x: FloatArray, total: FloatArray, cases: FloatArray, pattern: IntArray, weight: FloatArray, event: BoolArray, time: IntArray,
    is_cox: bool, coefficients: FloatArray, varies: BoolArray,
) -> tuple[int, float, float, float, float, FloatArray]:  # fmt: skip
    """One fit: status, log likelihoods with and without covariates, intercept, patients, and covariance (p, p).

    ``x`` (G, p) are the distinct rows of ``total`` (G,) patients, each above 0, of whom ``cases`` (G,) had the event; the rest
    are the n rows as in ``fit_sets``. Writes ``coefficients`` and ``varies`` (p,).
    """
    n, p = x.shape
    everybody, events = 0.0, 0.0
    for g in range(n):
        everybody += total[g]
        events += cases[g]
    if n > 0:
        ones = 0 if is_cox else 1
        z, centre, scale, beta = np.ones((n, p + ones)), np.zeros(p), np.ones(p), np.zeros(p + ones)
        _standardise(x, total, everybody, z, ones, centre, scale, varies)
    if events == 0.0 or (events == everybody and not is_cox):
        intercept = np.nan if n == 0 else np.inf if events > 0.0 else -np.inf
        return _ONE_STATUS, 0.0, 0.0, 0.0 if is_cox else intercept, everybody, np.zeros((p, p))
    floor = _COLLINEAR * (events if is_cox else everybody / 4.0)
    first_step = 1.0 if is_cox else _FIRST_LOGISTIC_STEP
    data = (z, total, cases, pattern, weight, event, _event_times(time, event))
    status, value, null, covariance = _newton(data, is_cox, floor, first_step, beta)
    status, covariance = _in_units(status, beta, covariance, ones, scale, coefficients)
    if is_cox:
        return status, value, null, 0.0, everybody, covariance
    null = events * math.log(events / everybody) + (everybody - events) * math.log1p(-events / everybody)
    intercept = beta[0]
    for a in range(p):
        intercept -= coefficients[a] * centre[a]
    return status, value, null, intercept, everybody, covariance


# ---- many fits


@compiled
def _fit_drawn(
    distinct: FloatArray, pattern: IntArray, rows: IntArray, event: BoolArray, time: IntArray, weights: WeightArray,
    is_cox: bool, coefficients: FloatArray, varies: BoolArray,
) -> tuple[int, float, float, float, float, FloatArray]:  # fmt: skip
    """``_fit`` of the patients who were drawn and whose ``pattern`` (n,) is known: one of ``distinct`` (G, p), not -1."""
    n, (n_patterns, p) = len(rows), distinct.shape
    place, x = np.full(n_patterns, -1), np.empty((min(n, n_patterns), p))
    total, cases = np.zeros(len(x)), np.zeros(len(x))
    drawn_pattern, drawn_time = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    weight, drawn_event = np.empty(n), np.empty(n, dtype=np.bool_)
    m, used = 0, 0
    for i in range(n):
        times, g = weights[rows[i]], pattern[i]
        if times == 0 or g < 0:
            continue
        if place[g] < 0:
            place[g] = used
            for a in range(p):
                x[used, a] = distinct[g, a]
            used += 1
        g = place[g]
        total[g] += times
        if event[i]:
            cases[g] += times
        drawn_pattern[m], drawn_time[m], weight[m], drawn_event[m] = g, time[i], times, event[i]
        m += 1
    return _fit(
        x[:used], total[:used], cases[:used], drawn_pattern[:m], weight[:m], drawn_event[:m], drawn_time[:m], is_cox,
        coefficients, varies,
    )  # fmt: skip


@compiled_once
def fit_sets(
    distinct: FloatArray, start: IntArray, column_start: IntArray, pattern: IntArray, rows: IntArray, event: BoolArray,
    time: IntArray, weights: WeightArray, is_cox: bool, coefficients: FloatArray, errors: FloatArray, varies: BoolArray,
    fit: FloatArray, status: CodeArray,
) -> None:  # fmt: skip
    """Every covariate set in every resample, on the patients in whom the set is known.

    Set s has ``distinct[start[s]:start[s + 1]]`` as its distinct rows, flattened, and ``column_start[s]`` as its first place in
    ``coefficients``, ``errors`` and ``varies`` (B, q). ``pattern`` (S, n) are places among the distinct rows, -1 where unknown;
    ``rows`` (n,) the columns of ``weights`` (B, N). ``fit`` (B, S, 4) takes the log likelihoods with and without covariates, the
    intercept, and the number of patients; ``status`` is (B, S).
    """
    for b in range(len(weights)):
        for s in range(len(pattern)):
            low, high = column_start[s], column_start[s + 1]
            x = distinct[start[s] : start[s + 1]].reshape((-1, high - low))
            code, value, null, intercept, n, covariance = _fit_drawn(
                x, pattern[s], rows, event, time, weights[b], is_cox, coefficients[b, low:high], varies[b, low:high]
            )
            for a in range(high - low):
                errors[b, low + a] = math.sqrt(covariance[a, a])
            fit[b, s, 0], fit[b, s, 1], fit[b, s, 2], fit[b, s, 3] = value, null, intercept, n
            status[b, s] = code


@compiled_once
def fit_selected(
    x: FloatArray, rows: IntArray, event: BoolArray, time: IntArray, weights: WeightArray, selected: BoolArray, is_cox: bool,
    coefficients: FloatArray, errors: FloatArray, varies: BoolArray, fit: FloatArray, status: CodeArray, covariances: FloatArray,
) -> None:  # fmt: skip
    """One fit a resample, on its own columns ``selected[b]`` (k,) of ``x`` (n, k), and on the patients complete in them.

    The rest as in ``fit_sets``, with one set a resample. ``covariances`` is (B, k, k), or (0, k, k) where nobody asks.
    """
    n = len(x)
    for b in range(len(weights)):
        columns, p = np.empty(selected.shape[1], dtype=np.int64), 0
        for a in range(selected.shape[1]):
            if selected[b, a]:
                columns[p] = a
                p += 1
        chosen = np.empty((n, p))
        pattern = np.arange(n)
        for i in range(n):
            for a in range(p):
                chosen[i, a] = x[i, columns[a]]
                if math.isnan(chosen[i, a]):
                    pattern[i] = -1
        found, changes = np.zeros(p), np.zeros(p, dtype=np.bool_)
        code, value, null, intercept, used, covariance = _fit_drawn(
            chosen, pattern, rows, event, time, weights[b], is_cox, found, changes
        )
        for a in range(p):
            coefficients[b, columns[a]], varies[b, columns[a]] = found[a], changes[a]
            errors[b, columns[a]] = math.sqrt(covariance[a, a])
            if len(covariances) > 0:
                for c in range(p):
                    covariances[b, columns[a], columns[c]] = covariance[a, c]
        fit[b, 0], fit[b, 1], fit[b, 2], fit[b, 3] = value, null, intercept, used
        status[b] = code
