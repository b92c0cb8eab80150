"""From printed odds ratios to whole numbers: the 2x2 tables behind Table 2.

An odds ratio with its interval, the two group sizes and the total number of events leave, as a rule, one whole-number table.
Tables at 6 and at 12 months together fix how many patients of a level fall into each of three strata:
event by 6 months, event after 6 and by 12 months, no event by 12 months.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from cohort.intervals import Z_95
from cohort.reconstruct.published import EVENTS, N_PATIENTS, Effect, categorical_odds_ratios, count, facts, odds_ratio

#: Patients in each of the three strata.
STRATUM_SIZES = (EVENTS["relapse_6m"], EVENTS["relapse_12m"] - EVENTS["relapse_6m"], N_PATIENTS - EVENTS["relapse_12m"])

StratumCounts = tuple[int, int, int]

MISSING = "missing"

#: Rows whose interval is misprinted: far too wide for 268 patients. Only the odds ratio is used.
INTERVAL_MISPRINTED = frozenset({("relapse_12m", "mri_any")})

#: P at which a variable enters the paper's second stage, and the z of 0.105, which is printed so.
ENTRY_P, _ENTRY_Z = 0.10, 1.6211

_FloatArray = npt.NDArray[np.float64]
_IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Solution:
    """Events by a horizon: ``events[level]`` (reference and missing included), and how many printed numbers it does not give."""

    variable: str
    outcome: str
    events: dict[str, int]
    mismatches: int


def _wald(a: _IntArray, n_level: int, c: _IntArray, n_reference: int) -> tuple[_FloatArray, _FloatArray, _FloatArray]:
    """``odds_ratio`` for arrays of tables; a table with an empty cell gives infinities, which fit nothing."""
    b, d = n_level - a, n_reference - c
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(a * d / (b * c))
        half_width = Z_95 * np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        return np.exp(log_ratio), np.exp(log_ratio - half_width), np.exp(log_ratio + half_width)


def _misfit(row: Effect, a: _IntArray, c: _IntArray) -> list[_FloatArray]:
    """How badly each candidate table fits, the weightiest measure first.

    Whether its P, read at two decimals, would let the variable enter the second stage where print does not, or the reverse.
    Printed numbers it gives neither rounded nor cut off; printed numbers it does not give rounded; distance from the printed
    odds ratio; summed distance from all three. Cut-off digits count as second best because rows whose table is beyond doubt
    show them (baseline lesions, 6 months: 1.215 printed as 1.21).
    """
    foreign, unrounded, distance, first = (np.zeros(a.shape) for _ in range(4))
    found = _wald(a, row.n_level, c, row.n_reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = 2 * Z_95 * np.abs(np.log(found[0])) / np.log(found[2] / found[1])
    otherwise = (np.nan_to_num(z) >= _ENTRY_Z) != (row.p_value.value <= ENTRY_P)
    statistics = zip((row.estimate, row.ci_low, row.ci_high), found, strict=True)
    for position, (number, got) in enumerate(statistics):
        if position > 0 and (row.outcome, row.variable) in INTERVAL_MISPRINTED:
            continue
        last_digit = 10.0**-number.decimals
        excess = np.nan_to_num(got - number.value, nan=np.inf)
        rounded = np.abs(excess) <= 0.5 * last_digit + 1e-9
        cut_off = (excess >= -1e-9) & (excess < last_digit)
        foreign += ~(rounded | cut_off)
        unrounded += ~rounded
        distance += np.abs(excess)
        if position == 0:
            first = np.abs(excess)
    return [otherwise.astype(np.float64), foreign, unrounded, first, distance]


def solve(rows: Sequence[Effect], total: int, n_patients: int = N_PATIENTS) -> Solution:
    """The whole-number table of one variable at one horizon.

    ``rows`` share one reference group (one row a level). ``total`` events happened among ``n_patients``; those of patients
    with a missing value are free. The best by ``_misfit`` wins, then the one with the fewest reference events.
    """
    n_reference = rows[0].n_reference
    sizes = [n_reference, *(row.n_level for row in rows)]
    n_missing = n_patients - sum(sizes)
    grid = [g.ravel() for g in np.meshgrid(*(np.arange(1, n) for n in sizes), indexing="ij")]
    unseen = total - np.sum(grid, axis=0)
    possible = (unseen >= 0) & (unseen <= n_missing)
    reference, *levels = (g[possible] for g in grid)
    misfit = np.sum([_misfit(row, level, reference) for row, level in zip(rows, levels, strict=True)], axis=0)
    best = int(np.lexsort((reference, *misfit[::-1]))[0])
    events = {rows[0].reference: int(reference[best]), MISSING: int(unseen[possible][best])}
    events |= {row.level: int(level[best]) for row, level in zip(rows, levels, strict=True)}
    return Solution(rows[0].variable, rows[0].outcome, events, int(misfit[2, best]))


@cache
def solutions() -> dict[tuple[str, str], Solution]:
    """Every categorical variable of Table 2 solved at both horizons, by (outcome, variable)."""
    rows: dict[tuple[str, str], list[Effect]] = {}
    for row in categorical_odds_ratios():
        rows.setdefault((row.outcome, row.variable), []).append(row)
    return {key: solve(group, EVENTS[key[0]]) for key, group in rows.items()}


def _sizes(variable: str) -> dict[str, int]:
    rows = [row for row in categorical_odds_ratios() if row.variable == variable]
    sizes = {rows[0].reference: rows[0].n_reference} | {row.level: row.n_level for row in rows}
    return sizes | {MISSING: N_PATIENTS - sum(sizes.values())}


@cache
def stratum_counts(variable: str) -> dict[str, StratumCounts]:
    """Patients of each level in the three strata. Raises ``ValueError`` where 6 and 12 months contradict each other."""
    early, late = (solutions()[(outcome, variable)].events for outcome in ("relapse_6m", "relapse_12m"))
    counts = {level: (early[level], late[level] - early[level], n - late[level]) for level, n in _sizes(variable).items()}
    if min(min(c) for c in counts.values()) < 0:
        raise ValueError(f"{variable}: the tables at 6 and 12 months contradict each other: {counts}")
    return counts


@cache
def node_positive_counts() -> StratumCounts:
    """Node-positive patients among the resected primaries, by stratum.

    Supplementary Table S1's odds ratio at 6 months (a model with pN alone, as its interval shows) fixes the first count. No
    12-month effect is printed: the others are spread in proportion.
    """
    resected = stratum_counts("primary_resected")["yes"]
    positive = count("pn_stage", "n1_2")
    printed_ratio = facts()["or_pn_positive_6m_multivariable"]

    def distance(early: int) -> float:
        return abs(odds_ratio(early, positive, resected[0] - early, sum(resected) - positive)[0] - printed_ratio)

    early = min(range(1, resected[0]), key=distance)
    middle = round((positive - early) * resected[1] / (resected[1] + resected[2]))
    return (early, middle, positive - early - middle)
