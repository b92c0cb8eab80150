"""Risks brought to what was observed, learned where the model had not looked: optional, inside the training patients.

The procedure is fitted anew, with the settings that tuning chose, in inner training folds; the risks of the inner test folds and
what happened to those patients give one curve a horizon, through which the risks of the model of all training patients then go.

- ``platt``: logistic regression of the status on the logit of the risk (Platt 1999; Steyerberg's logistic recalibration).
- ``isotonic``: the nearest curve that does not fall (Zadrozny and Elkan 2002). It ties patients, and needs many of them.

Patients weigh by the inverse probability of censoring. Neither turns the order of risks round: where higher risks had fewer
events, everybody is given the observed risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from cohort.types import FloatArray, Outcome
from models.kaplan_meier import horizon_weights

RecalibrationMethod = Literal["none", "platt", "isotonic"]

#: Risks of 0 and 1 have no logit.
_SMALLEST_RISK = 1e-6
#: Risks that differ by less carry no order to learn from.
_NO_SPREAD = 1e-9


@dataclass(frozen=True)
class Platt:
    """``logit(new risk) = intercept + slope * logit(risk)``, slope 0 or more."""

    intercept: float
    slope: float

    def __call__(self, risk: FloatArray) -> FloatArray:
        return np.asarray(expit(self.intercept + self.slope * _logit(risk)), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Steps:
    """Straight lines between ``risk`` (k,), which rises, and ``observed`` (k,), which does not fall; level beyond the ends."""

    risk: FloatArray
    observed: FloatArray

    def __call__(self, risk: FloatArray) -> FloatArray:
        return np.asarray(np.interp(risk, self.risk, self.observed), dtype=np.float64)


Recalibration = Platt | Steps


def learn_recalibration(method: RecalibrationMethod, risk: FloatArray, outcome: Outcome, horizon_months: float) -> Recalibration:
    """The curve from ``risk`` (n,) of patients whom its model had not seen to their ``outcome`` at a horizon.

    Raises ``ValueError`` where all whose status is known have the same, or for another method.
    """
    status = outcome.status_at(horizon_months)
    known = ~np.isnan(status)
    weights, event = horizon_weights(outcome, horizon_months)[0][known], status[known]
    if len(np.unique(event)) < 2:
        raise ValueError(f"recalibration: all training patients have the same status at {horizon_months:g} months")
    if method == "platt":
        return _platt(risk[known], event, weights)
    if method == "isotonic":
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(risk[known], event, sample_weight=weights)
        return Steps(np.asarray(fitted.X_thresholds_), np.asarray(fitted.y_thresholds_))
    raise ValueError(f"recalibration is platt or isotonic; got {method!r}")


def _platt(risk: FloatArray, event: FloatArray, weights: FloatArray) -> Platt:
    observed = float(np.average(event, weights=weights))
    if np.ptp(risk) > _NO_SPREAD:
        fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(_logit(risk)[:, None], event, sample_weight=weights)
        if fitted.coef_[0, 0] >= 0:
            return Platt(float(fitted.intercept_[0]), float(fitted.coef_[0, 0]))
    return Platt(float(logit(observed)), 0.0)


def _logit(risk: FloatArray) -> FloatArray:
    return np.asarray(logit(np.clip(risk, _SMALLEST_RISK, 1 - _SMALLEST_RISK)), dtype=np.float64)
