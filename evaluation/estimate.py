"""Every metric of a cell with its interval, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from evaluation.metrics.metric import Metric
from evaluation.metrics.registry import METRICS
from evaluation.predictions import HorizonPredictions, at_horizon

#: Two-sided 95 % percentile interval.
_BOUNDS = (2.5, 97.5)
#: Above this share of failed resamples no interval is given.
_MAX_FAILED = 0.2


@dataclass(frozen=True)
class Estimate:
    """One metric of one cell. NaN values come with a ``note`` that says why."""

    metric: str
    horizon_months: float
    estimate: float
    ci_low: float
    ci_high: float
    n: int
    n_events: int
    note: str = ""


def bootstrap_weights(n_patients: int, n_bootstraps: int, seed: int) -> FloatArray:
    """(B, n) how often each patient was drawn.

    One seed gives all cells of a population the same resamples: comparisons are paired.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size=n_bootstraps).astype(np.float64)


def estimate_cell(predictions: pd.DataFrame, endpoint: Endpoint, n_bootstraps: int, seed: int) -> list[Estimate]:
    """All metrics at all horizons of an endpoint from one cell's out-of-fold predictions.

    Intervals are percentiles over ``n_bootstraps`` resamples of patients; the fits stay as they were, so an
    interval speaks of these predictions in such patients, not of refitting in other samples.
    """
    patients = predictions.drop_duplicates("patient_id").sort_values("patient_id")
    outcome = Outcome(patients["time_months"].to_numpy(dtype=np.float64), patients["event"].to_numpy(dtype=np.bool_))
    weights = bootstrap_weights(len(outcome), n_bootstraps, seed)
    estimates: list[Estimate] = []
    for horizon in endpoint.horizons_months:
        reason = unsupported(outcome, horizon)
        if reason:
            estimates += [_refused(metric, horizon, outcome, reason) for metric in METRICS.values()]
        else:
            at = at_horizon(predictions, horizon, endpoint.tau_months)
            estimates += [_estimate(metric, at, weights) for metric in METRICS.values()]
    return estimates


def unsupported(outcome: Outcome, horizon_months: float) -> str:
    """Why a horizon cannot be evaluated in these patients, or an empty text."""
    longest = float(outcome.time_months.max())
    status = outcome.status_at(horizon_months)
    if longest < horizon_months:
        return f"follow-up ends at {longest:.1f} months, before the horizon"
    if not (status == 1).any():
        return "no event by the horizon"
    if not (status == 0).any():
        return "nobody is known to be event-free at the horizon"
    return ""


def percentile_interval(resampled: FloatArray) -> tuple[float, float, str]:
    """95 % percentile interval of ``resampled`` (B,), and a note where resamples failed (NaN) or there are none.

    Both bounds are NaN where more than a fifth failed.
    """
    usable = resampled[np.isfinite(resampled)]
    failed = len(resampled) - len(usable)
    note = f"{failed} of {len(resampled)} resamples could not be estimated" if failed else ""
    if not len(resampled):
        note = "no interval: no resample was asked for"
    low, high = (np.nan, np.nan)
    if len(usable) and failed <= _MAX_FAILED * len(resampled):
        low, high = np.percentile(usable, _BOUNDS)
    return float(low), float(high), note


def _estimate(metric: Metric, at: HorizonPredictions, weights: FloatArray) -> Estimate:
    if metric.needs_variation and not at.varies:
        return _refused(metric, at.horizon_months, at.outcome, "all patients of a fold have one risk")
    value = float(metric.compute(at, np.ones((1, len(at.outcome))))[0])
    if not np.isfinite(value):
        return _refused(metric, at.horizon_months, at.outcome, metric.undefined)
    low, high, note = percentile_interval(metric.compute(at, weights[: metric.most_resamples]) if len(weights) else np.array([]))
    n_events = at.outcome.events_by(at.horizon_months)
    return Estimate(metric.name, at.horizon_months, value, low, high, len(at.outcome), n_events, note)


def _refused(metric: Metric, horizon_months: float, outcome: Outcome, reason: str) -> Estimate:
    n_events = outcome.events_by(horizon_months)
    return Estimate(metric.name, horizon_months, np.nan, np.nan, np.nan, len(outcome), n_events, reason)
