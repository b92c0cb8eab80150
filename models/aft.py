"""Accelerated failure time without predictors: log(time) = location + scale * error, by maximum likelihood.

Where boosted AFT starts from, and the scale that it keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import minimize

from cohort.types import FloatArray, Outcome

#: The error's distribution by XGBoost's name for it: log-normal, log-logistic and Weibull times.
ERRORS = {"normal": stats.norm, "logistic": stats.logistic, "extreme": stats.gumbel_l}
_LARGEST_LOG_SCALE = 5.0


@dataclass(frozen=True)
class AftFit:
    """``location`` of log(months), and ``scale`` of its error."""

    location: float
    scale: float


def stop_at(outcome: Outcome, last_months: float) -> Outcome:
    """Everybody still followed after ``last_months`` censored there."""
    later = outcome.time_months > last_months
    return Outcome(np.where(later, last_months, outcome.time_months), outcome.event & ~later)


def fit_aft(outcome: Outcome, distribution: str) -> AftFit:
    """Fit all patients' times at once; censored ones count as later than observed. Agrees with R's ``survreg(Surv ~ 1)``.

    Raises ``ValueError`` where no event was seen or no maximum is found.
    """
    if not outcome.event.any():
        raise ValueError("no event was seen, so no time to event can be estimated")
    error, log_time, event = ERRORS[distribution], np.log(outcome.time_months), outcome.event
    # Standardised first, so that the unit of time decides nothing.
    centre, spread = float(log_time.mean()), max(float(log_time.std()), 1e-6)
    y = (log_time - centre) / spread

    def minus_log_likelihood(theta: FloatArray) -> float:
        scale = np.exp(np.clip(theta[1], -_LARGEST_LOG_SCALE, _LARGEST_LOG_SCALE))
        z = (y - theta[0]) / scale
        return -float(np.sum(np.where(event, error.logpdf(z) - np.log(scale), error.logsf(z))))

    found = minimize(minus_log_likelihood, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    if not found.success or abs(found.x[1]) >= _LARGEST_LOG_SCALE:
        raise ValueError(f"no AFT model ({distribution}) can be fitted to {len(outcome)} times")
    return AftFit(centre + spread * float(found.x[0]), spread * float(np.exp(found.x[1])))


def aft_risk(location: FloatArray, scale: float, distribution: str, horizon_months: float) -> FloatArray:
    """(n,) risk by the horizon in closed form: F((log horizon - location) / scale), 1 - S of the time's distribution."""
    risk = ERRORS[distribution].cdf((np.log(horizon_months) - location) / scale)
    return np.asarray(np.clip(risk, 0.0, 1.0), dtype=np.float64)
