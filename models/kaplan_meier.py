"""Kaplan-Meier for patients and for whole stacks of bootstrap weights at once, and the inverse-probability-of-censoring weights.

A bootstrap resample is a row of whole-number weights over the same patients, so times are sorted once and every resample is a
row of cumulative sums. Ties follow the usual convention: at one time, events come before censorings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohort.types import FloatArray, Outcome

#: Keeps a weight finite where the last patients leave; a horizon with so little follow-up is refused earlier.
_SMALLEST_G = 1e-6


@dataclass(frozen=True, eq=False)
class StepSurvival:
    """Right-continuous step functions: ``survival`` (B, m) holds from ``times_months`` (m,) on; 1 before the first."""

    times_months: FloatArray
    survival: FloatArray

    def at(self, months: npt.ArrayLike) -> FloatArray:
        """(B, k) survival at ``months`` (k,)."""
        return self._read(np.searchsorted(self.times_months, np.atleast_1d(months), side="right"))

    def just_before(self, months: npt.ArrayLike) -> FloatArray:
        """(B, k) left limits: survival up to but not including ``months``."""
        return self._read(np.searchsorted(self.times_months, np.atleast_1d(months), side="left"))

    def _read(self, steps: npt.NDArray[np.intp]) -> FloatArray:
        padded = np.concatenate([np.ones((len(self.survival), 1)), self.survival], axis=1)
        return padded[:, steps]


def kaplan_meier(outcome: Outcome, weights: FloatArray | None = None, *, of_censoring: bool = False) -> StepSurvival:
    """Kaplan-Meier survival of the event, or of censoring.

    ``weights`` (B, n) are patient weights; without them, one row of ones. With ``of_censoring`` censorings are what is
    counted, and patients with the event at a time have already left when those censored at it do.
    """
    weights = np.ones((1, len(outcome))) if weights is None else np.atleast_2d(weights)
    order = np.lexsort((~outcome.event, outcome.time_months))  # by time, events first
    time, event = outcome.time_months[order], outcome.event[order]
    sorted_weights = weights[:, order]
    times, first = np.unique(time, return_index=True)
    counted = ~event if of_censoring else event
    leaving = np.add.reduceat(sorted_weights * counted, first, axis=1)
    total = sorted_weights.sum(axis=1, keepdims=True)
    before = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(sorted_weights, axis=1)], axis=1)
    at_risk = total - before[:, first]
    if of_censoring:
        at_risk = at_risk - np.add.reduceat(sorted_weights * event, first, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(at_risk > 0, leaving / at_risk, 0.0)
    return StepSurvival(times, np.cumprod(1 - hazard, axis=1))


def horizon_weights(outcome: Outcome, horizon_months: float, weights: FloatArray | None = None) -> FloatArray:
    """(B, n) inverse-probability-of-censoring weights at a horizon (Graf et al. 1999), times the patient weights.

    With G the Kaplan-Meier survival of censoring among the same patients: an event at T by the horizon weighs 1 / G(T-), a
    patient event-free up to it 1 / G(horizon-), one censored before it 0. Without censoring before the horizon all weigh 1.
    """
    weights = np.ones((1, len(outcome))) if weights is None else np.atleast_2d(weights)
    status = outcome.status_at(horizon_months)
    if not np.isnan(status).any():
        return weights
    censoring = kaplan_meier(outcome, weights, of_censoring=True)
    at_event = np.maximum(censoring.just_before(outcome.time_months), _SMALLEST_G)
    # Patients censored exactly at the horizon count as event-free, so the controls' G is taken just before it.
    at_horizon = np.maximum(censoring.just_before([horizon_months]), _SMALLEST_G)
    return weights * np.where(status == 1, 1 / at_event, np.where(status == 0, 1 / at_horizon, 0.0))


def ipcw_brier(outcome: Outcome, risk: FloatArray, horizon_months: float) -> float:
    """IPCW Brier score of ``risk`` (n,) at a horizon; lower is better."""
    case_weights = horizon_weights(outcome, horizon_months)[0]
    status = np.nan_to_num(outcome.status_at(horizon_months))
    return float(np.sum(case_weights * (status - risk) ** 2) / len(outcome))
