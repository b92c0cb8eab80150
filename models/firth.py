"""Firth's penalised likelihood: finite estimates where a level has no event, or only events (BRAF: 6 patients).

The log likelihood gains half the log determinant of the information, Jeffreys' prior (Firth, Biometrika 1993;80:27). Intervals
and P
values are those of the profile penalised likelihood, because Wald's are misleading there (logistic: Heinze and Schemper, Stat Med
2002;21:2409; Cox: Heinze and Schemper, Biometrics 2001;57:114). R has them in ``logistf`` and ``coxphf``.

Every maximum is found by Newton's method with analytic derivatives, in standard deviations of the covariates: Jeffreys' prior
only gains a constant by that, and a covariate's unit decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.linalg import cho_solve
from scipy.special import expit, logit

from cohort.types import BoolArray, FloatArray, Outcome
from models.batched.kernels import SEPARATED_BEYOND
from models.cox import RiskSets

_CRITICAL = float(stats.chi2.ppf(0.95, 1))

#: Newton's iterations and step halvings, and the longest step, in standard deviations (``logistf`` has 5 of a covariate's unit).
_MAX_ITERATIONS, _MAX_HALVINGS, _LONGEST_STEP = 100, 40, 5.0
#: Squared distance to the maximum in standard errors at which Newton's next step is the last one: it squares the distance.
_NEAR = 1e-12
#: Smallest eigenvalue of the information, scaled to a diagonal of 1, below which the columns are taken to be collinear.
_COLLINEAR = 1e-10
#: Iterations in the search for a bound, and how near the signed root of the likelihood ratio must come to 1.96.
_MAX_TRIALS, _BOUND_TOLERANCE = 60, 1e-8


@dataclass(frozen=True, eq=False)
class FirthFit:
    """``coefficients``, ``standard_errors``, the 95 % profile interval and ``p_values``, all (p,); ``intercept`` is 0 in Cox.

    What was not found is NaN, and ``converged`` says whether everything was.
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    p_values: FloatArray
    intercept: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Penalised:
    """The penalised log likelihood at one place: its ``score`` (q,) and ``hessian`` (q, q), and the plain ``information`` (q, q).

    Where the information is singular the ``value`` is minus infinity, and nothing else is read.
    """

    value: float
    score: FloatArray
    hessian: FloatArray
    information: FloatArray


#: coefficients (q,) -> the penalised log likelihood there.
PenalisedAt = Callable[[FloatArray], Penalised]


@dataclass(frozen=True, eq=False)
class _Maximum:
    """Where the penalised log likelihood is largest, or where the search for that ended."""

    beta: FloatArray
    at: Penalised
    converged: bool


def is_separated(coefficients: FloatArray, standard_errors: FloatArray) -> BoolArray:
    """(p,) whether a Wald fit ran off: per unit of a 0/1 covariate, a coefficient or error beyond ``SEPARATED_BEYOND``."""
    beyond = (np.abs(coefficients) > SEPARATED_BEYOND) | (standard_errors > SEPARATED_BEYOND)
    return np.asarray(beyond | ~np.isfinite(coefficients) | ~np.isfinite(standard_errors), dtype=np.bool_)


def fit_firth_logistic(x: FloatArray, outcome: Outcome) -> FirthFit:
    """Logistic regression of ``outcome.event`` on (n, p) ``x`` and an intercept.

    Raises ``ValueError`` on missing values, and nothing else: of collinear columns, all is NaN and ``converged`` False.
    """
    z, centre, scale = _standardised(_checked(x, outcome))
    design = np.column_stack([z, np.ones(len(z))])
    event = outcome.event.astype(np.float64)
    start = np.zeros(design.shape[1])
    start[-1] = logit((event.sum() + 0.5) / (len(event) + 1))
    return _fit(lambda beta: penalised_logistic(design, event, beta), start, centre, scale)


def fit_firth_cox(x: FloatArray, outcome: Outcome) -> FirthFit:
    """Cox regression (Efron's ties) on (n, p) ``x``.

    Raises ``ValueError`` on missing values or where no event was seen, and nothing else: of collinear columns, all is NaN and
    ``converged`` False.
    """
    values = _checked(x, outcome)
    sets = RiskSets(outcome)
    z, centre, scale = _standardised(values)
    ordered = z[sets.order]
    return _fit(lambda beta: penalised_cox(sets, ordered, beta), np.zeros(z.shape[1]), centre, scale)


def _checked(x: FloatArray, outcome: Outcome) -> FloatArray:
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or len(values) != len(outcome) or not np.isfinite(values).all():
        raise ValueError("x is a finite (n, p) matrix with one row a patient")
    return values


def _standardised(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(n, p) ``x`` in standard deviations from its mean, with the means and deviations (p,); a constant column is exactly 0."""
    varies = np.ptp(x, axis=0) > 0
    centre = x.mean(axis=0)
    with np.errstate(all="ignore"):  # values whose squares overflow: not finite, and so not found
        scale = np.where(varies, x.std(axis=0), 1.0)
        return np.where(varies, x - centre, 0.0) / scale, centre, scale


# ---- the two penalised likelihoods


def penalised_logistic(design: FloatArray, event: FloatArray, beta: FloatArray) -> Penalised:
    """Of (n, q) ``design`` with its intercept and (n,) ``event`` of 0 and 1.

    The score is X'(y - r + h (1/2 - r)) with risks r and hat values h (Heinze and Schemper 2002, equation 3). With w = r (1 - r)
    and A the inverse information, the penalty's second derivative is half of the sum of w'' x'Ax x x', less half of
    tr(A I_k A I_l), where I_k is the information's derivative.
    """
    eta = design @ beta
    risk, other = expit(eta), expit(-eta)  # 1 - risk would lose the small risks of a separated level
    weight = risk * other
    information = (design * weight[:, None]).T @ design
    root = _cholesky(information)
    if root is None:
        return _nowhere(len(beta))
    likelihood = float(np.sum(event * eta - np.logaddexp(0, eta)))
    z = design @ np.linalg.inv(root).T
    distance = np.sum(z**2, axis=1)
    slope = weight * (other - risk)
    curvature = slope * (other - risk) - 2 * weight**2
    third = _third(z, slope)
    penalty_score = z.T @ (slope * distance)
    penalty_hessian = (z * (curvature * distance)[:, None]).T @ z - third.T @ third
    return _penalise(likelihood, design.T @ np.where(event > 0, other, -risk), root, penalty_score, penalty_hessian)


def penalised_cox(sets: RiskSets, x: FloatArray, beta: FloatArray) -> Penalised:
    """Of (n, q) ``x`` sorted as ``sets`` has it, with Efron's ties.

    The information is the sum over events of the covariance of x in the risk set, each patient weighted by the hazard. Its
    derivatives are the third and fourth cumulants there. In z, x turned so that the information is 1, with the mean m and the
    covariance C in an event's risk set and d = (z - m)'(z - m), the penalty's score is half the sum over events of the covariance
    of d and z (Heinze and Schemper 2001). Its second derivative is half of the sum of E[d (z - m)(z - m)'] - tr(C) C - 2 CC, less
    half of tr(I_k I_l), where I_k is the information's derivative. All sums need only the moments about 0.
    """
    likelihood, score, information = sets.derivatives(x, beta)
    root = _cholesky(information)
    if root is None or not np.isfinite(likelihood):
        return _nowhere(len(beta))
    average = _RiskSetAverage(sets, x @ beta)
    z = x @ np.linalg.inv(root).T
    q = z.shape[1]
    pairs = _pairs(z)
    distance = np.sum(z**2, axis=1)
    mean = average.over_patients(z)
    second = _square(average.over_patients(pairs), q)
    covariance = second - mean[:, :, None] * mean[:, None, :]
    mean_distance = average.over_patients(distance[:, None])[:, 0]
    distance_z = average.over_patients(distance[:, None] * z)
    squared_mean = np.sum(mean**2, axis=1)
    second_mean = (second @ mean[:, :, None])[:, :, 0]
    # Cov(d, z) = Cov(z'z, z) - 2 C m, summed over events.
    penalty_score = np.sum(distance_z - mean_distance[:, None] * mean - 2 * (second_mean - squared_mean[:, None] * mean), axis=0)

    exposure = average.over_events(np.ones((len(mean), 1)))[:, 0]
    means_met = average.over_events(mean)  # the sum of m over a patient's events
    cross = mean.T @ (distance_z - 2 * second_mean)
    fourth = (z * (exposure * distance - 2 * np.sum(z * means_met, axis=1))[:, None]).T @ z - cross - cross.T
    fourth += (mean * (mean_distance - 2 * squared_mean)[:, None]).T @ mean
    trace = mean_distance - squared_mean
    fourth += np.tensordot(squared_mean - trace, covariance, axes=1)
    stacked = covariance.reshape(len(mean) * q, q)
    fourth -= 2 * stacked.T @ stacked

    shifted = _square(means_met.T @ pairs, q)  # the sum over events of m_i E[z_j z_k]
    third = _square((z * exposure[:, None]).T @ pairs, q) - shifted - shifted.transpose(1, 0, 2) - shifted.transpose(2, 1, 0)
    flat = third.reshape(q * q, q) + 2 * _third(mean, np.ones(len(mean)))
    return _penalise(likelihood, score, root, penalty_score, fourth - flat.T @ flat)


def _penalise(likelihood: float, score: FloatArray, root: FloatArray, slope: FloatArray, curvature: FloatArray) -> Penalised:
    """Likelihood and penalty together: ``slope`` and ``curvature`` are those of the log determinant, turned by the ``root``."""
    value = likelihood + float(np.sum(np.log(np.diag(root))))
    information = root @ root.T
    return Penalised(value, score + 0.5 * root @ slope, 0.5 * root @ curvature @ root.T - information, information)


class _RiskSetAverage:
    """Means over the risk set of each of E events, weighted by hazard, and the transpose: sums over a patient's events.

    An event's ties count in its risk set less the share that Efron takes out of them, as in ``RiskSets.derivatives``.
    """

    def __init__(self, sets: RiskSets, eta: FloatArray) -> None:
        self._sets = sets
        self._hazard = np.exp(eta - eta.max(initial=-np.inf))
        self._first_of_tie = np.flatnonzero(np.diff(sets.tie_of_event, prepend=-1))
        self._total = np.ones(len(sets.events))
        self._total = self.over_patients(np.ones((len(eta), 1)))[:, 0]

    def over_patients(self, values: FloatArray) -> FloatArray:
        """(n, k) -> (E, k)."""
        sets = self._sets
        weighted = values * self._hazard[:, None]
        sums = np.cumsum(weighted, axis=0)[sets.last_at_risk[sets.tie_of_event]]
        tied = sets.share > 0
        sums[tied] -= sets.share[tied, None] * self._by_time(weighted[sets.events])[sets.tie_of_event[tied]]
        sums /= self._total[:, None]
        return sums

    def over_events(self, values: FloatArray) -> FloatArray:
        """(E, k) -> (n, k)."""
        sets = self._sets
        shares = values / self._total[:, None]
        by_time = np.cumsum(self._by_time(shares), axis=0)
        exposure = np.vstack([np.zeros((1, values.shape[1])), by_time])[sets.times_passed]
        exposure[sets.events] -= self._by_time(shares * sets.share[:, None])[sets.tie_of_event]
        return np.asarray(exposure * self._hazard[:, None])

    def _by_time(self, values: FloatArray) -> FloatArray:
        # Events come by descending time, so tied ones are neighbours.
        return np.asarray(np.add.reduceat(values, self._first_of_tie, axis=0)[::-1])


def _cholesky(matrix: FloatArray) -> FloatArray | None:
    """Its lower triangular root; None where it is no positive definite matrix."""
    try:
        root = np.asarray(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError:
        return None
    return root if np.isfinite(root).all() else None


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray | None:
    """The solution (q,) of a positive definite system; None where ``matrix`` is no such."""
    root = _cholesky(matrix)
    return None if root is None else np.asarray(cho_solve((root, True), right, check_finite=False))


def _nowhere(size: int) -> Penalised:
    """A place where the information is singular."""
    return Penalised(-np.inf, np.zeros(size), np.zeros((size, size)), np.zeros((size, size)))


def _pairs(x: FloatArray) -> FloatArray:
    """(n, q) -> (n, q (q + 1) / 2): the products of two columns, each once."""
    first, second = np.triu_indices(x.shape[1])
    return np.asarray(x[:, first] * x[:, second])


def _square(pairs: FloatArray, q: int) -> FloatArray:
    """(n, q (q + 1) / 2) -> (n, q, q), symmetric."""
    first, second = np.triu_indices(q)
    place = np.empty((q, q), dtype=np.intp)
    place[first, second] = place[second, first] = np.arange(len(first))
    return np.asarray(pairs[:, place])


def _third(x: FloatArray, weight: FloatArray) -> FloatArray:
    """(q q, q) sum over rows of weight x_i x_j x_k: a row a pair of i and j."""
    q = x.shape[1]
    return _square((x * weight[:, None]).T @ _pairs(x), q).reshape(q * q, q)


# ---- the fit, in standard deviations of the covariates


def _fit(penalised: PenalisedAt, start: FloatArray, centre: FloatArray, scale: FloatArray) -> FirthFit:
    """The maximum from ``start`` (p or p + 1,), errors and profiles, with ``centre`` and ``scale`` (p,) taken back out."""
    p = len(scale)
    with np.errstate(all="ignore"):  # a step too far overflows, is minus infinity and is halved
        best = _maximum(penalised, start, np.ones(len(start), dtype=np.bool_))
        if not best.converged:
            nothing = np.full(p, np.nan)
            return FirthFit(nothing, nothing, nothing, nothing, nothing, np.nan if len(start) > p else 0.0, converged=False)
        errors = np.sqrt(np.diag(np.linalg.inv(best.at.information)))[:p]
        low = np.array([_bound(penalised, best, j, -errors[j]) for j in range(p)], dtype=np.float64)
        high = np.array([_bound(penalised, best, j, errors[j]) for j in range(p)], dtype=np.float64)
        p_values = np.array([_p_value(penalised, best, j) for j in range(p)], dtype=np.float64)
    coefficients = best.beta[:p] / scale
    intercept = float(best.beta[p] - coefficients @ centre) if len(start) > p else 0.0
    found = bool(np.isfinite([low, high, p_values]).all())
    return FirthFit(coefficients, errors / scale, low / scale, high / scale, p_values, intercept, found)


def _maximum(penalised: PenalisedAt, start: FloatArray, free: BoolArray) -> _Maximum:
    """Newton's method over the ``free`` (q,) coefficients, with steps halved until the penalised likelihood does not fall."""
    beta, at = start, penalised(start)
    if not np.isfinite(at.value) or _is_collinear(at.information):
        return _Maximum(beta, at, converged=False)
    for _ in range(_MAX_ITERATIONS):
        step, is_newton = _step(at, free)
        distance = float(step @ at.score)
        if not np.isfinite(distance):
            break
        if distance <= (_NEAR if is_newton else _NEAR**2):
            last = penalised(beta + step)
            return _Maximum(beta + step, last, converged=bool(np.isfinite(last.value)))
        step = step * min(1.0, _LONGEST_STEP / np.abs(step).max())
        tried = penalised(beta + step)
        for _ in range(_MAX_HALVINGS):
            if tried.value >= at.value - 1e-13 * abs(at.value):
                break
            step = step / 2
            tried = penalised(beta + step)
        else:
            break
        beta, at = beta + step, tried
    return _Maximum(beta, at, converged=False)


def _step(at: Penalised, free: BoolArray) -> tuple[FloatArray, bool]:
    """Newton's step; Fisher's, and False, where the penalised likelihood is not concave and Newton's would lead astray."""
    step = np.zeros(len(free))
    block = np.ix_(free, free)
    for matrix, is_newton in ((-at.hessian[block], True), (at.information[block], False)):
        solved = _solve(matrix, at.score[free])
        if solved is not None:
            step[free] = solved
            return step, is_newton
    return np.full(len(free), np.nan), False


def _is_collinear(information: FloatArray) -> bool:
    """Whether some combination of the columns carries no information: no likelihood, penalised or not, has a maximum then."""
    size = np.sqrt(np.diag(information))
    return bool(len(size)) and bool(np.linalg.eigvalsh(information / np.outer(size, size))[0] < _COLLINEAR)


# ---- profiles


def _held(penalised: PenalisedAt, near: _Maximum, j: int, value: float) -> _Maximum:
    """The maximum with coefficient ``j`` held at ``value``, from the maximum ``near`` along the profile's tangent."""
    free = np.arange(len(near.beta)) != j
    moved = near.beta.copy()
    moved[j] = value
    along = near.beta.copy()
    along[j] = value
    tangent = _solve(-near.at.hessian[np.ix_(free, free)], near.at.hessian[free, j])
    if tangent is not None:
        along[free] += tangent * (value - near.beta[j])
    for start in (along, moved):
        found = _maximum(penalised, start, free)
        if found.converged:
            return found
    return found


def _p_value(penalised: PenalisedAt, best: _Maximum, j: int) -> float:
    """Of the penalised likelihood ratio against coefficient ``j`` of 0; NaN where that model's maximum was not found."""
    null = _held(penalised, best, j, 0.0)
    return float(stats.chi2.sf(max(0.0, 2 * (best.at.value - null.at.value)), 1)) if null.converged else np.nan


def _bound(penalised: PenalisedAt, best: _Maximum, j: int, error: float) -> float:
    """Where the profile of coefficient ``j`` has fallen by the critical value, towards the sign of ``error``; NaN if not found.

    The root of the likelihood ratio is near a straight line in the coefficient (exactly so under normality), and the profile's
    slope is the score of the coefficient held: Newton's method on the root takes a few steps. Bisection guards it.
    """
    target = float(np.sqrt(_CRITICAL))
    sign = float(np.sign(error))
    inside, outside = best.beta[j], np.inf * sign
    near, value = best, best.beta[j] + target * error
    for _ in range(_MAX_TRIALS):
        held = _held(penalised, near, j, value)
        if held.converged:
            near = held
            root = float(np.sqrt(max(0.0, 2 * (best.at.value - held.at.value))))
            if abs(root - target) <= _BOUND_TOLERANCE:
                return float(value)
            inside, outside = (value, outside) if root < target else (inside, value)
            step = (target - root) * root / -held.at.score[j]
        else:  # too far at once: halfway back
            outside, step = value, np.nan
        longest = max(2 * abs(value - best.beta[j]), abs(error))
        proposal = value + step if abs(step) <= longest else np.nan
        if not min(inside, outside) < proposal < max(inside, outside):
            proposal = (inside + outside) / 2 if np.isfinite(outside) else inside + sign * longest
        value = float(proposal)
    return np.nan
