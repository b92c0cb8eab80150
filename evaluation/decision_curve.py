"""Decision curves: net benefit of treating those whose predicted risk reaches a threshold, beside treating all and nobody.

A threshold p states what a decision costs: who treats from 20 % on holds one patient treated rightly to be worth four treated
needlessly, p / (1 - p) = 1/4. Net benefit is the share of patients treated rightly, less that of patients treated needlessly at
this rate of exchange. Censoring before the horizon is met as in Vickers et al. 2008 (BMC Med Inform Decis Mak 8:53):

    net benefit = share treated * (1 - S) - share treated * S * p / (1 - p)

with S the Kaplan-Meier survival at the horizon among the treated.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cohort.types import FloatArray, Outcome
from evaluation.estimate import bootstrap_weights, percentile_interval, unsupported
from evaluation.metrics.concordance import TIED
from evaluation.predictions import HorizonPredictions

#: 5 % to 60 % by 1 %.
THRESHOLDS: FloatArray = np.arange(5, 61) / 100

#: Resamples are taken in blocks of at most this many numbers an array: what is at work stays near the processor.
_BLOCK = 200_000
#: A difference above this is more than the last digit of two equal sums.
_NOTHING = 1e-9


def decision_curve(at: HorizonPredictions, n_bootstraps: int, seed: int, thresholds: FloatArray = THRESHOLDS) -> pd.DataFrame:
    """One row a threshold, with 95 % percentile intervals over ``n_bootstraps`` resamples of patients.

    threshold : the lowest risk that is treated. share_treated : of patients, averaged over repeats.
    net_benefit, ci_low, ci_high : of treating by the model. treat_all, treat_none : net benefit of the defaults; the second is 0.
    difference, difference_ci_low, difference_ci_high : net benefit less that of the better default. Which default is better is
        asked in each resample anew, so a lower bound above 0 lies above both.
    note : why a number is missing, or how many resamples could not be estimated.

    The resamples are those of :func:`evaluation.estimate.estimate_cell`; intervals hold for one threshold at a time.
    Raises ``ValueError`` where the horizon cannot be evaluated in these patients.
    """
    reason = unsupported(at.outcome, at.horizon_months)
    if reason:
        raise ValueError(f"no decision curve at {at.horizon_months:g} months: {reason}")
    everybody = np.ones((1, len(at.outcome)))
    treated, all_treated = (values[0] for values in net_benefit(at, everybody, thresholds))
    resampled, all_resampled = net_benefit(at, bootstrap_weights(len(at.outcome), n_bootstraps, seed), thresholds)
    better, better_resampled = np.maximum(all_treated, 0), np.maximum(all_resampled, 0)
    share = np.mean(at.risk[:, :, None] >= thresholds - TIED, axis=(0, 1))
    rows = []
    for number, threshold in enumerate(thresholds):
        low, high, _ = percentile_interval(resampled[:, number])
        # The difference fails where either side does: its note speaks for both.
        difference_low, difference_high, note = percentile_interval(resampled[:, number] - better_resampled[:, number])
        if not np.isfinite(treated[number]):
            low = high = difference_low = difference_high = np.nan
            note = "those treated are not followed up to the horizon"
        rows.append(
            {
                "threshold": threshold,
                "share_treated": share[number],
                "net_benefit": treated[number],
                "ci_low": low,
                "ci_high": high,
                "treat_all": all_treated[number],
                "treat_none": 0.0,
                "difference": treated[number] - better[number],
                "difference_ci_low": difference_low,
                "difference_ci_high": difference_high,
                "note": note,
            }
        )
    return pd.DataFrame(rows)


def net_benefit(
    at: HorizonPredictions, weights: FloatArray, thresholds: FloatArray = THRESHOLDS
) -> tuple[FloatArray, FloatArray]:
    """(B, m) of treating by the model, averaged over repeats, and (B, m) of treating all, at rising ``thresholds`` (m,).

    ``weights`` (B, n) are how often each patient was drawn. 0 where nobody reaches the threshold; NaN where, in some
    repeat, those who do are not followed up to the horizon and the last of them left without the event.
    """
    if not (np.diff(thresholds, prepend=0, append=1) > 0).all():
        raise ValueError("thresholds rise, between 0 and 1")
    exchange = thresholds / (1 - thresholds)
    treated, all_treated = (np.empty((len(weights), len(thresholds))) for _ in range(2))
    all_risks = np.ones(len(at.outcome))
    n_rows = max(1, _BLOCK // len(at.outcome))
    for start in range(0, len(weights), n_rows):
        block = slice(start, start + n_rows)
        drawn = np.ascontiguousarray(weights[block].T)
        by_repeat = [_treated(at.outcome, at.horizon_months, risk, thresholds, drawn) for risk in at.risk.T]
        treated[block] = np.mean([_value(share, survival, exchange) for share, survival in by_repeat], axis=0)
        share, survival = _treated(at.outcome, at.horizon_months, all_risks, thresholds[-1:], drawn)
        all_treated[block] = _value(share, survival, exchange)
    return treated, all_treated


def _value(share: FloatArray, survival: FloatArray, exchange: FloatArray) -> FloatArray:
    """(B, m) net benefit from (m, B), or (1, B) for all thresholds alike."""
    return np.asarray((share * (1 - survival)).T - (share * survival).T * exchange, dtype=np.float64)


def _treated(
    outcome: Outcome, horizon_months: float, risk: FloatArray, thresholds: FloatArray, drawn: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(m, B) share of patients at or above each threshold, and (m, B) their Kaplan-Meier survival at the horizon.

    From the highest threshold down patients only join, so each is counted once: ``drawn`` (n, B) is added to the row of the last
    time of an event at which the patient is still there, and those at risk are sums of rows from below.
    """
    time = outcome.time_months
    case = outcome.event & (time <= horizon_months)
    event_times = np.unique(time[case])
    last = np.searchsorted(event_times, time, side="right")  # 0: left before the first event
    n_reached = np.searchsorted(thresholds, risk + TIED, side="right")
    present = np.zeros((len(event_times) + 1, drawn.shape[1]))
    events = np.zeros((len(event_times), drawn.shape[1]))
    n_treated, n_followed = np.zeros((2, drawn.shape[1]))
    shares, survivals = np.zeros((len(thresholds), drawn.shape[1])), np.ones((len(thresholds), drawn.shape[1]))
    survival = survivals[-1]
    for number in range(len(thresholds) - 1, -1, -1):
        joining = np.flatnonzero(n_reached == number + 1)
        if len(joining):
            cases = joining[case[joining]]
            np.add.at(present, last[joining], drawn[joining])
            np.add.at(events, last[cases] - 1, drawn[cases])
            n_treated += drawn[joining].sum(axis=0)
            n_followed += drawn[joining[time[joining] >= horizon_months]].sum(axis=0)
            at_risk = np.cumsum(present[:0:-1], axis=0)[::-1]
            survival = np.prod(1 - np.divide(events, at_risk, out=np.zeros_like(events), where=at_risk > 0), axis=0)
            survival[(n_treated > 0) & (n_followed == 0) & (survival > 0)] = np.nan
        shares[number], survivals[number] = n_treated, survival
    return shares / drawn.sum(axis=0), survivals


def useful_thresholds(curve: pd.DataFrame) -> tuple[tuple[float, float], ...]:
    """(lowest, highest) of each range of thresholds in which the lower bound of the difference to both defaults lies above 0."""
    useful = (curve["difference_ci_low"] > _NOTHING).to_numpy()
    edges = np.diff(useful.astype(np.int8), prepend=0, append=0)
    thresholds = curve["threshold"].to_numpy()
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return tuple((float(thresholds[a]), float(thresholds[b])) for a, b in zip(first, last, strict=True))


def useful_in_words(curve: pd.DataFrame) -> str:
    """Where the model is better than both defaults, as a sentence without its full stop."""
    if curve["difference_ci_low"].isna().all():
        return "Not known to be better than both defaults at any threshold: there is no interval"
    ranges = useful_thresholds(curve)
    if not ranges:
        considered = _range(curve["threshold"].iloc[0], curve["threshold"].iloc[-1])
        return f"Not shown to be better than both defaults at any threshold from {considered}"
    where = " and ".join(_range(*each) for each in ranges)
    one = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    return f"Better than both defaults at {'a threshold' if one else 'thresholds'} of {where}"


def _range(low: float, high: float) -> str:
    return f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
