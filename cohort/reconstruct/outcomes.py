"""What happened after surgery: relapse, death, follow-up.

Fixed by the paper: 96 events by 6 months, 161 by 12, 207 relapses at three kinds of site, 92 with later locoregional
treatment, median DFS 9.7 (8.06-11.55), median OS 49.7 (40.49-64.57), median follow-up 92.3 months, nobody followed for less
than 12 months, and some twenty numbers about survival after relapse. The Cox rows of Table 3 imply 205 to 212 events of DFS and
about 120 deaths. A first draft is drawn; ``outcome_fit`` changes it until the numbers are met.

The text's 149 relapses by 12 months cannot be met as well: with 161 events it asks for 12 deaths without relapse and so for at
least 219 events.
"""

from __future__ import annotations

import math

import numpy as np

from cohort.intervals import Z_95
from cohort.reconstruct.assign import STRATUM, BoolArray, FloatArray, IntArray, even, pick
from cohort.reconstruct.clinical import Columns, words
from cohort.reconstruct.outcome_fit import OutcomeState, OutcomeTargets, anneal_outcomes
from cohort.reconstruct.published import N_PATIENTS, fact, facts, interval
from cohort.reconstruct.tables import STRATUM_SIZES

N = N_PATIENTS

#: Deaths without relapse. With the text's 207 relapses they make 209 events of DFS, as the Cox rows of Table 3 imply.
N_DEATHS_WITHOUT_RELAPSE = 2
N_DEATHS = 120

SITES = ("hepatic_only", "extrahepatic_single_organ", "multiorgan")

#: Relapses by stratum (early, 6 to 12 months, later), site and first locoregional treatment (empty: none). Totals are the text's:
#: 101/39/67 sites, 92 treated (54 liver surgery, 15 other liver, 13 lung surgery, 2 lung radiotherapy, 4 + 4 other), P 0.11 and
#: 0.25 of site by early relapse, 36 v 51 % and 42 v 50 % treated, liver surgery 48 v 64 %, other liver 31 v 7 %, lung surgery 6 v
#: 19 % of the early and late treatments. A treatment is given where the relapse is.
LABELS: dict[tuple[int, str, str], int] = {
    (0, "hepatic_only", "liver_surgery"): 17,
    (0, "hepatic_only", "liver_nonsurgical"): 11,
    (0, "hepatic_only", ""): 15,
    (0, "extrahepatic_single_organ", "lung_surgery"): 2,
    (0, "extrahepatic_single_organ", "lung_radiotherapy"): 1,
    (0, "extrahepatic_single_organ", "other_single_organ"): 2,
    (0, "extrahepatic_single_organ", ""): 10,
    (0, "multiorgan", "other_multiorgan"): 2,
    (0, "multiorgan", ""): 36,
    (1, "hepatic_only", "liver_surgery"): 23,
    (1, "hepatic_only", "liver_nonsurgical"): 3,
    (1, "hepatic_only", ""): 11,
    (1, "extrahepatic_single_organ", "lung_surgery"): 5,
    (1, "extrahepatic_single_organ", "other_single_organ"): 1,
    (1, "extrahepatic_single_organ", ""): 5,
    (1, "multiorgan", "other_multiorgan"): 1,
    (1, "multiorgan", ""): 14,
    (2, "hepatic_only", "liver_surgery"): 14,
    (2, "hepatic_only", "liver_nonsurgical"): 1,
    (2, "hepatic_only", ""): 6,
    (2, "extrahepatic_single_organ", "lung_surgery"): 6,
    (2, "extrahepatic_single_organ", "lung_radiotherapy"): 1,
    (2, "extrahepatic_single_organ", "other_single_organ"): 1,
    (2, "extrahepatic_single_organ", ""): 5,
    (2, "multiorgan", "other_multiorgan"): 1,
    (2, "multiorgan", ""): 13,
}

#: Tests of survival after relapse: which sites, which strata are the late group, and the P that the text prints ("<0.0001" as
#: bounds). Strata 1 and 2 are late by the 6-month cut-off, stratum 2 alone by that of 12 months.
_ALL, _HEPATIC, _EXTRAHEPATIC, _MULTIORGAN = (0, 1, 2), (0,), (1,), (2,)
TIMING_TESTS: tuple[tuple[tuple[int, ...], tuple[int, ...], float, float], ...] = (
    (_ALL, (1, 2), 3e-6, 9e-5),
    (_ALL, (2,), 3e-6, 9e-5),
    (_HEPATIC, (1, 2), 0.0016, 0.0024),
    (_MULTIORGAN, (1, 2), 0.036, 0.044),
    (_EXTRAHEPATIC, (1, 2), 0.136, 0.144),
    (_HEPATIC, (2,), 0.0456, 0.0464),
    (_EXTRAHEPATIC, (2,), 0.026, 0.034),
    (_MULTIORGAN, (2,), 0.396, 0.404),
)
#: Multiorgan relapse against the other sites: P < 0.001.
MULTIORGAN_P = (1e-9, 2e-4)

_DRAFT_SHAPE = 1.45  # Weibull, of the first draft of survival after relapse
#: Steps of the annealing, and the temperatures at its ends.
OUTCOME_STEPS, _HOT, _COLD = 300_000, 20.0, 0.02


def _event_times(rng: np.random.Generator, n_late: int) -> tuple[IntArray, IntArray, IntArray]:
    """Hundredths of months of the events of the three strata, sorted, none tied.

    Nobody is censored before 12 months, so that survival is 1 - k/N after the k-th event: the ranks at which the curve
    and its band reach one half are known, and their times are set to the printed median and bounds.
    """
    early = _distinct(np.sort(0.7 + 5.28 * rng.beta(2.0, 1.3, STRATUM_SIZES[0])), 600)
    knots = {0: 6.03, STRATUM_SIZES[1] - 1: 11.97}
    k = np.arange(1, N)
    band = Z_95 * np.sqrt(k / (N * (N - k)))
    median, low, high = interval("median_dfs_months")
    for curve, month in (((1 - k / N) * np.exp(-band), low), (np.minimum(1, (1 - k / N) * np.exp(band)), high)):
        knots[int(np.argmax(curve <= 0.5)) - STRATUM_SIZES[0]] = month
    middle_rank = N // 2 - 1 - STRATUM_SIZES[0]  # exactly one half is left: R prints the middle of this step
    knots |= {middle_rank: median - 0.01, middle_rank + 1: median + 0.01}
    ranks = np.array(sorted(knots))
    jitter = rng.uniform(-0.4, 0.4, STRATUM_SIZES[1])
    jitter[ranks] = 0
    middle = np.interp(np.arange(STRATUM_SIZES[1]) + jitter, ranks, [knots[r] for r in ranks])
    late = _distinct(np.sort(12.05 + 13.0 * rng.exponential(1, n_late)), 100_000)
    return early, _distinct(middle, 1200), late


def _distinct(months: FloatArray, below: int) -> IntArray:
    """Sorted hundredths, each above the one before it and none at ``below`` or later."""
    times = np.round(months * 100).astype(np.int64)
    for i in range(1, len(times)):
        times[i] = max(times[i], times[i - 1] + 1)
    for i in range(len(times) - 1, -1, -1):
        times[i] = min(times[i], below - len(times) + i)
    return times


def _follow_up(rng: np.random.Generator, n: int) -> IntArray:
    """How long patients are followed: some operated on lately, more long ago."""
    lately = rng.random(n) < 0.3
    thinning = 1 - (1 - rng.permutation(even(n))) ** (1 / 1.3)
    return np.round(100 * np.where(lately, 13 + 40 * thinning, 70 + 90 * thinning)).astype(np.int64)


def _draft(rng: np.random.Generator) -> tuple[OutcomeState, list[tuple[str, str]], BoolArray, BoolArray, tuple[IntArray, ...]]:
    died_first = np.zeros(N, dtype=np.bool_)
    died_first[rng.choice(np.flatnonzero(STRATUM == 1), N_DEATHS_WITHOUT_RELAPSE, replace=False)] = True
    n_events = fact("n_relapse") + N_DEATHS_WITHOUT_RELAPSE
    late_event = pick((0, 0, n_events - STRATUM_SIZES[0] - STRATUM_SIZES[1]), rng.normal(size=N))
    relapse = ((STRATUM < 2) | late_event) & ~died_first
    event_times = _event_times(rng, int(late_event.sum()))
    dfs = np.zeros(N, dtype=np.int64)
    for rows, drawn in zip((STRATUM == 0, STRATUM == 1, late_event), event_times, strict=True):
        dfs[rows] = rng.permutation(drawn)
    kinds = sorted({(site, kind) for _, site, kind in LABELS})
    label = np.zeros(N, dtype=np.int64)
    for stratum in range(3):
        rows = rng.permutation(np.flatnonzero(relapse & (stratum == STRATUM)))
        label[rows] = np.concatenate([np.full(n, kinds.index((s, k))) for (t, s, k), n in LABELS.items() if t == stratum])
    treated = np.array([kind != "" for _, kind in kinds])[label]
    scale = np.where(treated, 60.3, 19.1) * np.where(STRATUM == 0, 0.8, 1.1)
    after = np.round(100 * scale * (rng.exponential(1, N) / math.log(2)) ** (1 / _DRAFT_SHAPE)).astype(np.int64)
    follow_up = _follow_up(rng, N)
    available = np.maximum(follow_up - dfs, 1300)
    # The deaths are those that come soonest within what is followed.
    order = np.argsort(np.where(relapse, after / available, np.inf))
    died = np.zeros(N, dtype=np.bool_)
    died[order[: N_DEATHS - N_DEATHS_WITHOUT_RELAPSE]] = True
    after = np.where(died, np.minimum(after, available), available).clip(50, 16000)
    while (tied := ~relapse & ~died_first & np.isin(follow_up, dfs)).any():
        follow_up[tied] += 1
    state = OutcomeState(
        dfs=dfs[relapse], stratum=STRATUM[relapse].astype(np.int64), after=after[relapse], died=died[relapse],
        label=label[relapse], os_other=np.where(died_first, dfs, follow_up)[~relapse], died_other=died_first[~relapse],
    )  # fmt: skip
    return state, kinds, relapse, died_first, (dfs,)


def targets() -> OutcomeTargets:
    """What the text prints of survival after relapse, overall survival and follow-up."""
    from scipy.stats import chi2

    groups, low, high = [], [], []
    for sites, late, p_low, p_high in TIMING_TESTS:
        groups.append([[(1 if stratum in late else 0) if site in sites else -1 for site in range(3)] for stratum in range(3)])
        low.append(chi2.isf(p_high, 1))
        high.append(chi2.isf(p_low, 1))
    groups.append([[1 if site == 2 else 0 for site in range(3)] for _ in range(3)])
    low.append(chi2.isf(MULTIORGAN_P[1], 1))
    high.append(chi2.isf(MULTIORGAN_P[0], 1))
    number = facts()
    after_relapse = (
        number["median_post_relapse_os_locoregional_months"], number["median_post_relapse_os_no_locoregional_months"],
        number["median_post_relapse_os_early_6m_months_at_least"] + 0.4,
    )  # fmt: skip
    return OutcomeTargets(
        groups=np.array(groups, dtype=np.int64), low=np.array(low), high=np.array(high),
        hazard_ratio=np.array(interval("hr_post_relapse_os_locoregional")),
        medians=np.array([*after_relapse, number["median_follow_up_months"]]), median_os=np.array(interval("median_os_months")),
    )  # fmt: skip


def outcome_columns(rng: np.random.Generator, steps: int = OUTCOME_STEPS) -> Columns:
    """Outcomes in the order of ``STRATUM``. Within a stratum patients are exchangeable: permuting them changes no odds ratio."""
    state, kinds, relapse, died_first, (dfs,) = _draft(rng)
    label_site = np.array([SITES.index(site) for site, _ in kinds], dtype=np.int64)
    label_treated = np.array([kind != "" for _, kind in kinds])
    anneal_outcomes(
        int(rng.integers(2**31)), steps, _HOT, _COLD, state.dfs, state.stratum, state.after, state.died, state.label, label_site,
        label_treated, state.os_other, state.died_other, targets(),
    )  # fmt: skip

    os_months = np.zeros(N, dtype=np.int64)
    os_months[relapse], os_months[~relapse] = state.dfs + state.after, state.os_other
    died = np.zeros(N, dtype=np.bool_)
    died[relapse], died[~relapse] = state.died, state.died_other
    event = relapse | died_first
    site, kind = np.full(N, None, dtype=object), np.full(N, None, dtype=object)
    site[relapse] = [kinds[k][0] for k in state.label]
    kind[relapse] = [kinds[k][1] or None for k in state.label]
    treated = np.array([k is not None for k in kind])
    repeated = np.zeros(N, dtype=np.bool_)
    repeated[rng.permutation(np.flatnonzero(treated))[: fact("n_more_than_one_locoregional_treatment")]] = True
    return {
        "dfs_months": np.where(event, dfs, os_months) / 100,
        "dfs_event": event.astype(np.int64),
        "relapse": words(relapse),
        "relapse_site": site,
        "os_months": os_months / 100,
        "os_event": died.astype(np.int64),
        "locoregional_treatment": words(treated, known=relapse),
        "locoregional_kind": kind,
        "locoregional_repeated": words(repeated, known=treated),
    }
