"""Small cohorts and small published tables that the tests of the reproduction share."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.stats import norm

from cohort.reconstruct.published import EVENTS
from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from evaluation.published_audit import AUDIT_COLUMNS

NAN = float("nan")
NO_FINDING = pd.DataFrame(columns=AUDIT_COLUMNS)

_Z = 1.959963984540054


def cohort_of(**columns: object) -> Cohort:
    """Dictionary columns of any patients; followed for a year without an event where the columns do not say otherwise."""
    frame = pd.DataFrame(columns)
    frame.insert(0, "patient_id", [f"P{i:02d}" for i in range(1, len(frame) + 1)])
    for name, value in (("dfs_months", 12.0), ("dfs_event", False), ("os_months", 12.0), ("os_event", False)):
        if name not in frame:
            frame[name] = value
    return Cohort("small", "A small cohort", "simulated", frame)


def after_relapse(**changes: object) -> Cohort:
    """Eight patients; months from relapse to death 2, 6, (24), 40, 1, in brackets where alive.

    Relapses at 3, 4, 6, 10 and 13 months, a death without one at 5, two event-free.
    """
    columns: dict[str, object] = {
        "dfs_months": [3.0, 4.0, 6.0, 10.0, 13.0, 5.0, 40.0, 60.0],
        "dfs_event": [True] * 6 + [False] * 2,
        "os_months": [5.0, 10.0, 30.0, 50.0, 14.0, 5.0, 40.0, 60.0],
        "os_event": [True, True, False, True, True, True, False, False],
        "relapse": ["yes"] * 5 + ["no"] * 3,
        "relapse_site": ["hepatic_only", "multiorgan", "hepatic_only", "multiorgan", "extrahepatic_single_organ", *[None] * 3],
        "locoregional_treatment": ["yes", "no", "no", "yes", "no", *[None] * 3],
        "locoregional_kind": ["liver_surgery", None, None, "lung_surgery", *[None] * 4],
        "locoregional_repeated": ["yes", None, None, "no", *[None] * 4],
    }
    return cohort_of(**columns | changes)


def followed_after_relapse(n_patients: int = 150, seed: int = 4) -> Cohort:
    """A simulated cohort with what the paper records after relapse."""
    simulated = simulate_cohort(n_patients, seed=seed).cohort
    rng = np.random.default_rng(seed)
    frame = simulated.frame.copy()
    relapsed = frame["dfs_event"].to_numpy(dtype=bool)
    treated = relapsed & (rng.random(n_patients) < 0.5)
    site = rng.choice(["hepatic_only", "extrahepatic_single_organ", "multiorgan"], n_patients)
    kind = rng.choice(["liver_surgery", "liver_nonsurgical", "lung_surgery"], n_patients)
    frame["relapse"] = np.where(relapsed, "yes", "no")
    frame["relapse_site"] = pd.Series(site, dtype=object).where(relapsed)
    frame["locoregional_treatment"] = pd.Series(np.where(treated, "yes", "no"), dtype=object).where(relapsed)
    frame["locoregional_kind"] = pd.Series(kind, dtype=object).where(treated)
    return Cohort("followed", "Followed after relapse", "simulated", frame)


# ---- published tables


def effect_row(**changes: str) -> dict[str, str]:
    """A row of Table 2 as text."""
    row = {"table": "Table 2", "outcome": "relapse_6m", "analysis": "univariate", "variable": "regimen", "form": "categorical"}
    row |= {"level": "triplet", "reference": "doublet", "n_level": "112", "n_reference": "156"}
    row |= {"estimate": "1.50", "ci_low": "1.02", "ci_high": "2.20", "p_value": "0.04", "inconsistency": ""}
    return row | changes


def numbers(log_ratio: float, error: float) -> dict[str, str]:
    """Estimate, Wald interval and P as a paper prints them."""
    ratios = [math.exp(log_ratio + z * error) for z in (0, -_Z, _Z)]
    cells = dict(zip(("estimate", "ci_low", "ci_high"), (f"{r:.2f}" for r in ratios), strict=True))
    return {**cells, "p_value": f"{2 * norm.sf(abs(log_ratio / error)):.2f}"}


def odds_row(outcome: str, variable: str, groups: tuple[str, str], events: int, sizes: tuple[int, int]) -> dict[str, str]:
    """``events`` of the level; the reference has the other events of the outcome."""
    a, c = events, EVENTS[outcome] - events
    b, d = sizes[0] - a, sizes[1] - c
    cells = numbers(math.log(a * d / (b * c)), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d))
    names = {"level": groups[0], "reference": groups[1], "n_level": str(sizes[0]), "n_reference": str(sizes[1])}
    return effect_row(outcome=outcome, variable=variable, **names, **cells)


def hazard_row(
    outcome: str, variable: str, groups: tuple[str, str], ratio: float, n_events: int, sizes: tuple[int, int]
) -> dict[str, str]:
    """The interval that ``n_events`` give where the hazards are much the same: variance 1 / (d p (1 - p))."""
    share = sizes[0] / sum(sizes)
    cells = numbers(math.log(ratio), 1 / math.sqrt(n_events * share * (1 - share)))
    names = {"level": groups[0], "reference": groups[1], "n_level": str(sizes[0]), "n_reference": str(sizes[1])}
    return effect_row(table="Table 3", outcome=outcome, variable=variable, **names, **cells)


_REGIMEN, _RESECTED, _SEX = ("triplet", "doublet"), ("yes", "no"), ("male", "female")


def consistent_effects() -> pd.DataFrame:
    """Rows that 96 and 161 events, 205 relapses or deaths and 119 deaths of 268 patients give."""
    rows = [
        odds_row("relapse_6m", "regimen", _REGIMEN, 44, (112, 156)),
        odds_row("relapse_6m", "primary_resected", _RESECTED, 44, (154, 114)),
        odds_row("relapse_6m", "sex", _SEX, 60, (159, 109)),
        odds_row("relapse_12m", "regimen", _REGIMEN, 70, (112, 156)),
        odds_row("relapse_12m", "primary_resected", _RESECTED, 85, (154, 114)),
        odds_row("relapse_12m", "sex", _SEX, 99, (159, 109)),
        hazard_row("dfs", "regimen", _REGIMEN, 1.09, 205, (112, 156)),
        hazard_row("dfs", "primary_resected", _RESECTED, 0.66, 205, (154, 114)),
        hazard_row("os", "regimen", _REGIMEN, 1.31, 119, (112, 156)),
        hazard_row("os", "primary_resected", _RESECTED, 0.78, 119, (154, 114)),
        hazard_row("os", "sex", _SEX, 1.17, 119, (159, 109)),
    ]
    return pd.DataFrame(rows)


def consistent_table1() -> pd.DataFrame:
    """Counts that make 268, and quartiles on the side of the cut that the counts say."""
    rows = [
        ("regimen", "count:triplet", "112", ""),
        ("regimen", "count:doublet", "156", ""),
        ("primary_resected", "count:yes", "154", ""),
        ("primary_resected", "count:no", "114", ""),
        ("sex", "count:male", "159", ""),
        ("sex", "count:female", "109", ""),
        ("cea", "median", "9", "4"),
        ("cea", "q1", "5", "2"),
        ("cea", "q3", "104", "11"),
        ("cea", "count:>=10", "95", "53"),
        ("cea", "count:<10", "127", "123"),
        ("cea", "missing", "46", "92"),
        # Half of 268 are below 4, so the median is the mean of the last below and the first above, of 3 and 6 say.
        ("lesions", "median", "4.5", "3"),
        ("lesions", "count:>=4", "134", "111"),
        ("lesions", "count:<4", "134", "157"),
    ]
    table = pd.DataFrame(rows, columns=["variable", "statistic", "baseline", "pre_surgery"])
    return table.assign(p_value="", test="")


def consistent_facts() -> pd.DataFrame:
    return pd.DataFrame(
        [("n_early_6m", "overall", "96"), ("n_relapse_12m", "overall", "161")], columns=["fact", "population", "value"]
    ).assign(ci_low="", ci_high="", p_value="", description="")
