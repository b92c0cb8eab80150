"""Cox proportional hazards by Newton's method with Efron's ties, standard errors and Efron's baseline hazard.

scikit-survival's Cox gives no standard errors and statsmodels' takes 60 ms a fit, while the paper's screen needs some forty
fits in every training fold. This is one fit of :mod:`models.batched`. Agrees with R's ``survival::coxph`` (tests/reference/).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohort.types import FloatArray, Outcome
from models.batched.kernels import FitStatus, cox_derivatives
from models.batched.regression import BatchedRegression


@dataclass(frozen=True, eq=False)
class CoxFit:
    """``coefficients`` (p,) are log hazard ratios, ``covariance`` (p, p) their inverse information.

    ``converged`` is True of a separated fit too, whose likelihood stands still; ``status`` tells them apart. ``times_months`` and
    ``cumulative_hazard`` (m,) are the baseline at the predictors' training means ``centre``.
    """

    coefficients: FloatArray
    covariance: FloatArray
    log_likelihood: float
    log_likelihood_null: float
    converged: bool
    centre: FloatArray
    times_months: FloatArray
    cumulative_hazard: FloatArray
    status: FitStatus

    @property
    def standard_errors(self) -> FloatArray:
        return np.sqrt(np.diag(self.covariance))

    def linear_predictor(self, x: FloatArray) -> FloatArray:
        """(n,) log hazard relative to the training mean."""
        return (x - self.centre) @ self.coefficients

    def risk_at(self, x: FloatArray, horizon_months: float) -> FloatArray:
        return risk_from_hazard(self.linear_predictor(x), self.times_months, self.cumulative_hazard, horizon_months)


def fit_cox(x: FloatArray, outcome: Outcome) -> CoxFit:
    """Fit (n, p) ``x``. Raises ``ValueError`` where no event was seen or a value is missing.

    Under separation the likelihood flattens and the iteration stops there, as R's does: a large coefficient with a larger
    standard error. A column that is constant, or a combination of those before it, has the coefficient and error 0.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or len(x) != len(outcome) or not np.isfinite(x).all():
        raise ValueError("x is a finite (n, p) matrix with one row a patient")
    sets = RiskSets(outcome)
    fit = BatchedRegression.cox(x, outcome).fit_once()
    coefficients, centre, status = fit.coefficients[0], x.mean(axis=0), FitStatus(fit.status[0, 0])
    times, hazard = sets.baseline_hazard(((x - centre) @ coefficients)[sets.order])
    return CoxFit(
        coefficients=coefficients,
        covariance=fit.covariance[0],
        log_likelihood=float(fit.log_likelihood[0, 0]),
        log_likelihood_null=float(fit.log_likelihood_null[0, 0]),
        converged=status is not FitStatus.NOT_CONVERGED,
        centre=centre,
        times_months=times,
        cumulative_hazard=hazard,
        status=status,
    )


class RiskSets:
    """Patients sorted by descending time, and for every event its risk set and its place among ties."""

    def __init__(self, outcome: Outcome) -> None:
        if not outcome.event.any():
            raise ValueError("no event was seen, so no hazard can be estimated")
        self.order = np.lexsort((outcome.event, -outcome.time_months))
        time, event = outcome.time_months[self.order], outcome.event[self.order]
        self._event = event
        self._first_at_time = np.concatenate([[0], np.flatnonzero(np.diff(time)) + 1, [len(time)]])
        self.events = np.flatnonzero(event)
        event_times, tie_of_event, ties = np.unique(time[self.events], return_inverse=True, return_counts=True)
        self.times_months = event_times
        self.tie_of_event = tie_of_event
        # Position of an event among those tied with it, as a share: Efron takes that share of the ties out of the risk set.
        first = np.concatenate([[0], np.cumsum(ties)[:-1]])
        rank = np.empty(len(self.events), dtype=np.intp)
        rank[np.argsort(tie_of_event, kind="stable")] = np.arange(len(self.events))
        self.share = (rank - first[tie_of_event]) / ties[tie_of_event]
        # Last sorted row still at risk at each event time (times descend, so the risk set is a prefix).
        self.last_at_risk = np.searchsorted(-time, -event_times, side="right") - 1
        # How many event times are at or before a patient's time.
        self.times_passed = np.searchsorted(event_times, time, side="right")

    def derivatives(self, x: FloatArray, coefficients: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log partial likelihood, its gradient (p,) and the information (p, p), at sorted ``x`` (n, p)."""
        n, p = x.shape
        gradient, lower = np.zeros(p), np.zeros((p, p))
        value = cox_derivatives(
            np.ascontiguousarray(x, dtype=np.float64), np.arange(n), np.ones(n), self._event, self._first_at_time,
            np.ascontiguousarray(coefficients, dtype=np.float64), gradient, lower,
        )  # fmt: skip
        return value, gradient, lower + np.tril(lower, -1).T

    def baseline_hazard(self, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Event times and Efron's cumulative hazard at linear predictor 0, for sorted ``eta`` (n,)."""
        denominator = self._denominators(np.exp(eta))
        steps = np.bincount(self.tie_of_event, 1 / denominator, minlength=len(self.times_months))
        return self.times_months, np.asarray(np.cumsum(steps), dtype=np.float64)

    def _denominators(self, hazard: FloatArray) -> FloatArray:
        at_risk = np.cumsum(hazard)[self.last_at_risk]
        tied = np.bincount(self.tie_of_event, hazard[self.events], minlength=len(self.times_months))
        return np.asarray(at_risk[self.tie_of_event] - self.share * tied[self.tie_of_event], dtype=np.float64)


def risk_from_hazard(
    eta: FloatArray, times_months: FloatArray, cumulative_hazard: FloatArray, horizon_months: float
) -> FloatArray:
    """(n,) risk ``1 - exp(-H0(horizon) exp(eta))``."""
    steps = int(np.searchsorted(times_months, horizon_months, side="right"))
    at_horizon = cumulative_hazard[steps - 1] if steps else 0.0
    return -np.expm1(-at_horizon * np.exp(np.clip(eta, -50.0, 50.0)))


def baseline_hazard(eta: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    """Baseline of any model whose linear predictor ``eta`` (n,) is a log hazard, such as boosted trees."""
    sets = RiskSets(outcome)
    return sets.baseline_hazard(eta[sets.order])
