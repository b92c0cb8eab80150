"""What happened after surgery: relapse, death, follow-up.

Fixed by the paper: 96 events by 6 months, 161 by 12, 207 relapses at three kinds of site, 92 with later locoregional
treatment, median DFS 9.7, median OS 49.7, median follow-up 92.3 months, nobody followed for less than 12 months. The Cox rows of
Table 3 imply 205 to 212 events of DFS and 118 to 125 deaths. In between, times are drawn.

The text's 149 relapses by 12 months cannot be met as well: with 161 events it asks for 12 deaths without relapse and so for at
least 219 events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohort.reconstruct.assign import STRATUM, BoolArray, FloatArray, even, hand_out_below, pick
from cohort.reconstruct.clinical import Columns, words
from cohort.reconstruct.published import N_PATIENTS, fact, facts
from cohort.reconstruct.tables import STRATUM_SIZES

N = N_PATIENTS

#: Deaths without relapse. With the text's 207 relapses they make 209 events of DFS, as the Cox rows of Table 3 imply.
N_DEATHS_WITHOUT_RELAPSE = 2
N_DEATHS = 122

MIN_FOLLOW_UP_MONTHS = 12.0

#: Hazard of death after relapse. Published: 0.19 for locoregional treatment, medians of 60.3 and 19.1 months with and without,
#: which make the Weibull shape log(1 / 0.19) / log(60.3 / 19.1). Sites and early relapse have a P but no number: assumed.
#: Multiorgan relapse is seldom treated, so that a part of the 0.19 is due to the site: 0.24 is left.
HAZARD_LOCOREGIONAL, HAZARD_MULTIORGAN, HAZARD_EARLY = 0.24, 1.6, 1.4
WEIBULL_SHAPE = 1.45
SHORTEST_MONTHS_AFTER_RELAPSE = 0.5

#: Rounding to 0.01 months makes new ties, which may move a median; the second and third stretch put it back.
WARPS = 3

#: Sites by early (6 months) relapse: multiorgan a little commoner when early, P 0.11 as published (chi-squared).
EARLY_SITES = {"hepatic_only": 43, "extrahepatic_single_organ": 15, "multiorgan": 38}


@dataclass(frozen=True)
class Times:
    """Disease-free and overall survival in months, in the order of ``STRATUM``."""

    dfs_months: FloatArray
    dfs_event: BoolArray
    os_months: FloatArray
    os_event: BoolArray


def kaplan_meier_median(months: FloatArray, event: BoolArray) -> float:
    """The first time at which Kaplan-Meier survival is at most one half; infinity where it stays above."""
    survival = 1.0
    for time in np.unique(months[event]):
        survival *= 1 - float((event & (months == time)).sum()) / float((months >= time).sum())
        if survival <= 0.5 + 1e-12:
            return float(time)
    return float("inf")


def _event_times(rng: np.random.Generator, n_late: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Times of the events of the three strata, sorted; the median of DFS lies among those of the second."""
    early = np.sort(0.7 + 5.28 * rng.beta(2.0, 1.3, STRATUM_SIZES[0]))
    middle = np.sort(rng.uniform(0, 1, STRATUM_SIZES[1]))
    # With nobody censored so early the median is the 134th event's time; the 135th stays close, for the other convention.
    rank = N // 2 - STRATUM_SIZES[0] - 1
    median = facts()["median_dfs_months"]
    middle = np.interp(middle, [0, middle[rank], middle[rank + 1], 1], [6.02, median - 0.01, median + 0.01, 11.98])
    late = np.sort(12.05 + 13.0 * rng.exponential(1, n_late))
    return early, middle, late


def _follow_up_pool() -> FloatArray:
    """How long each patient could be followed, to the day the data were closed or contact was lost.

    A median survival of 49.7 months with only 122 deaths of 268 needs many patients censored well before it, a median
    follow-up of 92.3 months needs more than half followed for longer: two groups, operated on lately and long ago.
    """
    n_lately = round(0.45 * N)
    lately = MIN_FOLLOW_UP_MONTHS + 0.3 + 14 * _thinning(n_lately)
    return np.concatenate([lately, 85 + 90 * _thinning(N - n_lately)])


def _thinning(n: int) -> FloatArray:
    """``n`` numbers from 0 to 1 that grow sparser towards 1: quantiles of the beta distribution (1, 1.3)."""
    return np.asarray(1 - (1 - even(n)) ** (1 / 1.3), dtype=np.float64)


def _follow_up(rng: np.random.Generator, seen_until: FloatArray) -> FloatArray:
    """Follow-up handed out at random, but so that every event happened within it."""
    backwards = hand_out_below(-_follow_up_pool(), -seen_until, rng.normal(size=N))
    return np.asarray(-backwards, dtype=np.float64)


def _months_after_relapse(rng: np.random.Generator, hazard: FloatArray, treated: BoolArray) -> FloatArray:
    """Months from relapse to death, Weibull; spread evenly among the treated and the others so that their medians are met."""
    probability = np.empty(len(hazard))
    for group in (treated, ~treated):
        probability[group] = rng.permutation(even(int(group.sum())))
    typical = np.exp(np.log(hazard[~treated]).mean())
    median = facts()["median_post_relapse_os_no_locoregional_months"]
    relative = np.log(probability) / np.log(0.5) * typical / hazard
    return np.asarray(median * relative ** (1 / WEIBULL_SHAPE), dtype=np.float64)


def _stretched(months: FloatArray, available: FloatArray, n_deaths: int) -> FloatArray:
    """``months`` times the one factor (near 1) with which ``n_deaths`` of them fall within the follow-up ``available``."""
    needed = np.sort(available / months)[::-1]
    factor = float(needed[n_deaths - 1] + needed[n_deaths]) / 2
    return np.asarray(np.maximum(months * factor, SHORTEST_MONTHS_AFTER_RELAPSE), dtype=np.float64)


def _warp(months: FloatArray, median_os: float, median_follow_up: float) -> FloatArray:
    """Stretch the time axis beyond 12 months so that both medians fall on the published ones; the order stays as it is."""
    known = [0.0, MIN_FOLLOW_UP_MONTHS, median_os, median_follow_up]
    target = [0.0, MIN_FOLLOW_UP_MONTHS, facts()["median_os_months"], facts()["median_follow_up_months"]]
    far = 1000.0  # beyond every time: later than the median follow-up the axis is only shifted
    return np.interp(months, [*known, median_follow_up + far], [*target, target[-1] + far])


def _sites(rng: np.random.Generator, relapse: BoolArray) -> Columns:
    """The site of relapse by early relapse, the rest of each site's total among the late ones."""
    site = np.full(N, None, dtype=object)
    for early in (True, False):
        rows = rng.permutation(np.flatnonzero(relapse & ((STRATUM == 0) == early)))
        totals = {name: fact(f"n_relapse_{name}") for name in EARLY_SITES}
        counts = [EARLY_SITES[name] if early else totals[name] - EARLY_SITES[name] for name in totals]
        site[rows] = np.repeat(np.array(list(totals), dtype=object), counts)
    return {"relapse_site": site}


def _locoregional(rng: np.random.Generator, relapse: BoolArray, multiorgan: BoolArray) -> BoolArray:
    """Later locoregional treatment: 36% of relapses by 6 months, 42% of those by 12, 92 in all; seldom if multiorgan."""
    relapsed = np.bincount(STRATUM[relapse], minlength=3)
    by_6 = round(facts()["pct_locoregional_early_6m"] / 100 * relapsed[0])
    by_12 = round(facts()["pct_locoregional_early_12m"] / 100 * (relapsed[0] + relapsed[1]))
    counts = (by_6, by_12 - by_6, fact("n_locoregional_treatment") - by_12)
    return pick(counts, rng.normal(size=N) - 1.2 * multiorgan, relapse)


def outcome_columns(rng: np.random.Generator) -> Columns:
    """Outcomes in the order of ``STRATUM``. Within a stratum patients are exchangeable: permuting them changes no odds ratio."""
    n_events = fact("n_relapse") + N_DEATHS_WITHOUT_RELAPSE
    died_first = np.zeros(N, dtype=np.bool_)
    died_first[rng.choice(np.flatnonzero(STRATUM == 1), N_DEATHS_WITHOUT_RELAPSE, replace=False)] = True
    late_event = pick((0, 0, n_events - STRATUM_SIZES[0] - STRATUM_SIZES[1]), rng.normal(size=N))
    event = (STRATUM < 2) | late_event
    relapse = event & ~died_first

    event_months = np.full(N, np.nan)
    for rows, drawn in zip((STRATUM == 0, STRATUM == 1, late_event), _event_times(rng, int(late_event.sum())), strict=True):
        event_months[rows] = rng.permutation(drawn)
    columns = _sites(rng, relapse)
    multiorgan = np.asarray(columns["relapse_site"] == "multiorgan")
    treated = _locoregional(rng, relapse, multiorgan)
    hazard = np.where(treated, HAZARD_LOCOREGIONAL, 1.0) * np.where(multiorgan, HAZARD_MULTIORGAN, 1.0)
    times = _times(rng, event_months, relapse, treated, hazard * np.where(STRATUM == 0, HAZARD_EARLY, 1.0))
    return columns | {
        "dfs_months": times.dfs_months,
        "dfs_event": times.dfs_event.astype(np.int64),
        "relapse": words(relapse),
        "os_months": times.os_months,
        "os_event": times.os_event.astype(np.int64),
        "locoregional_treatment": words(treated, known=relapse),
    }


def _times(
    rng: np.random.Generator, event_months: FloatArray, relapse: BoolArray, treated: BoolArray, hazard: FloatArray
) -> Times:
    """Deaths and follow-up for the given ``event_months`` (NaN: no event); an event without relapse is a death."""
    event = ~np.isnan(event_months)
    died_first = event & ~relapse
    follow_up = _follow_up(rng, np.where(event, event_months + 1.0, 0.0))
    death_months = np.where(died_first, event_months, np.inf)
    after_relapse = _months_after_relapse(rng, hazard[relapse], treated[relapse])
    available = follow_up[relapse] - event_months[relapse]
    death_months[relapse] = event_months[relapse] + _stretched(after_relapse, available, N_DEATHS - int(died_first.sum()))
    died = death_months <= follow_up
    os_months = np.where(died, death_months, follow_up)
    dfs_months = np.where(event, event_months, os_months)
    for _ in range(WARPS):
        medians = kaplan_meier_median(os_months, died), kaplan_meier_median(os_months, ~died)
        dfs_months = np.round(_warp(dfs_months, *medians), 2)
        os_months = np.round(_warp(os_months, *medians), 2)
    return Times(dfs_months, event, os_months, died)
