"""Firth's penalised likelihood: finite estimates where a level has no event, or only events (BRAF: 6 patients).

The log likelihood gains half the log determinant of the information, Jeffreys' prior (Firth, Biometrika 1993;80:27). Intervals
and P
values are those of the profile penalised likelihood, because Wald's are misleading there (logistic: Heinze and Schemper, Stat Med
2002;21:2409; Cox: Heinze and Schemper, Biometrics 2001;57:114). R has them in ``logistf`` and ``coxphf``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq, minimize

from cohort.types import BoolArray, FloatArray, Outcome
from models.cox import RiskSets

#: A coefficient of one standard deviation beyond this, or a standard error, means that the likelihood has no maximum: risks of
#: 0.0001 against 0.9999 in 300 patients are separation, not an effect.
SEPARATED_BEYOND = 10.0

_CRITICAL = float(stats.chi2.ppf(0.95, 1))

#: coefficients -> log likelihood, its gradient (q,) and the information (q, q).
Derivatives = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]


@dataclass(frozen=True, eq=False)
class FirthFit:
    """``coefficients``, ``standard_errors``, the 95 % profile interval and ``p_values``, all (p,); ``intercept`` is 0 in Cox."""

    coefficients: FloatArray
    standard_errors: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    p_values: FloatArray
    intercept: float
    converged: bool


def is_separated(coefficients: FloatArray, standard_errors: FloatArray) -> BoolArray:
    """(p,) whether a Wald fit ran off: per unit of a 0/1 covariate, a coefficient or error beyond ``SEPARATED_BEYOND``."""
    beyond = (np.abs(coefficients) > SEPARATED_BEYOND) | (standard_errors > SEPARATED_BEYOND)
    return np.asarray(beyond | ~np.isfinite(coefficients) | ~np.isfinite(standard_errors), dtype=np.bool_)


def fit_firth_logistic(x: FloatArray, outcome: Outcome) -> FirthFit:
    """Logistic regression of ``outcome.event`` on (n, p) ``x`` and an intercept. Raises ``ValueError`` on missing values."""
    values = _checked(x, outcome)
    design = np.column_stack([values, np.ones(len(values))])
    event = outcome.event.astype(np.float64)

    def derivatives(beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        eta = design @ beta
        risk = 1 / (1 + np.exp(-np.clip(eta, -500, 500)))
        likelihood = float(np.sum(event * eta - np.logaddexp(0, eta)))
        return likelihood, design.T @ (event - risk), (design * (risk * (1 - risk))[:, None]).T @ design

    return _fit(derivatives, values.shape[1], has_intercept=True)


def fit_firth_cox(x: FloatArray, outcome: Outcome) -> FirthFit:
    """Cox regression (Efron's ties) on (n, p) ``x``. Raises ``ValueError`` on missing values or where no event was seen."""
    values = _checked(x, outcome)
    sets = RiskSets(outcome)
    ordered = (values - values.mean(axis=0))[sets.order]
    return _fit(lambda beta: sets.derivatives(ordered, beta), values.shape[1], has_intercept=False)


def _checked(x: FloatArray, outcome: Outcome) -> FloatArray:
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or len(values) != len(outcome) or not np.isfinite(values).all():
        raise ValueError("x is a finite (n, p) matrix with one row a patient")
    return values


def _fit(derivatives: Derivatives, p: int, *, has_intercept: bool) -> FirthFit:
    size = p + has_intercept
    best, top, converged = _maximum(derivatives, np.zeros(size), free=np.ones(size, dtype=np.bool_))
    errors = np.sqrt(np.diag(np.linalg.pinv(derivatives(best)[2], hermitian=True)))

    def profile(j: int, value: float) -> float:
        start = best.copy()
        start[j] = value
        return _maximum(derivatives, start, free=np.arange(size) != j)[1]

    low, high, p_values = np.empty(p), np.empty(p), np.empty(p)
    for j in range(p):
        low[j] = _bound(lambda value, j=j: 2 * (top - profile(j, value)) - _CRITICAL, best[j], -errors[j])  # type: ignore[misc]
        high[j] = _bound(lambda value, j=j: 2 * (top - profile(j, value)) - _CRITICAL, best[j], errors[j])  # type: ignore[misc]
        p_values[j] = stats.chi2.sf(max(0.0, 2 * (top - profile(j, 0.0))), 1)
    return FirthFit(best[:p], errors[:p], low, high, p_values, float(best[p]) if has_intercept else 0.0, converged)


def _penalised(derivatives: Derivatives, beta: FloatArray) -> tuple[float, FloatArray]:
    likelihood, gradient, information = derivatives(beta)
    sign, log_determinant = np.linalg.slogdet(information)
    return (likelihood + 0.5 * log_determinant if sign > 0 else -1e10), gradient


def _maximum(derivatives: Derivatives, start: FloatArray, free: BoolArray) -> tuple[FloatArray, float, bool]:
    """The maximum over the ``free`` coefficients: where it is, its value, and whether it was reached."""
    places = np.flatnonzero(free)
    if not places.size:
        return start, _penalised(derivatives, start)[0], True

    def loss(part: FloatArray) -> tuple[float, FloatArray]:
        beta = start.copy()
        beta[places] = part
        value, gradient = _penalised(derivatives, beta)
        slope = gradient[places]
        for k, place in enumerate(places):  # the penalty's slope has third derivatives: central differences are enough
            sides = []
            for step in (1e-5, -1e-5):
                moved = beta.copy()
                moved[place] += step
                sides.append(np.linalg.slogdet(derivatives(moved)[2])[1])
            slope[k] += 0.5 * (sides[0] - sides[1]) / 2e-5
        return -value, -slope

    found = minimize(loss, start[places], jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 200})
    beta = start.copy()
    beta[places] = found.x
    return beta, -float(found.fun), bool(np.abs(found.jac).max() < 1e-3)


def _bound(excess: Callable[[float], float], centre: float, step: float) -> float:
    """Where the profile has fallen by the critical value, from ``centre`` in the direction of ``step``."""
    near, far = centre, centre + step
    for _ in range(30):
        if excess(far) > 0:
            return float(brentq(excess, near, far, xtol=1e-7))
        near, far = far, far + (far - centre)
    return float(np.copysign(np.inf, step))
