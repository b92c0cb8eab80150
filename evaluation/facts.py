"""The numbers of the paper's text on any cohort: follow-up, survival, patterns of relapse, what followed relapse.

Proportions are compared by Pearson's chi-squared without continuity correction: the printed P values of the 2x2 tables (36 v
51 %,
0.03; 42 v 50 %, 0.32) are those. Survival is compared by the log-rank test; survival after relapse runs from relapse to death.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from cohort.describe import median_survival
from cohort.intervals import Z_95
from cohort.types import BoolArray, Cohort, FloatArray, Outcome
from evaluation.log_rank import log_rank
from models.cox import fit_cox

FACT_COLUMNS = ["fact", "population", "value", "ci_low", "ci_high", "p_value", "description", "note"]

#: A death recorded on the day of relapse still needs a time above 0.
SHORTEST_MONTHS = 0.01

SITES = {"hepatic": "hepatic_only", "extrahepatic": "extrahepatic_single_organ", "multiorgan": "multiorgan"}


@dataclass(frozen=True)
class Number:
    """A fact's cells; NaN where it has none."""

    value: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    p_value: float = np.nan


@dataclass(frozen=True)
class Fact:
    """``needs``: columns without which it cannot be computed."""

    name: str
    population: str
    description: str
    needs: tuple[str, ...]
    compute: Callable[[Cohort], Number]


def facts(cohort: Cohort, effects: pd.DataFrame) -> pd.DataFrame:
    """One row a fact, columns :data:`FACT_COLUMNS`; where the cohort lacks a variable ``note`` says so and the cells are NaN.

    ``effects`` is :func:`evaluation.effects.paper_effects` of all populations: five facts are effects of its second stage.
    """
    rows = [_row(fact, cohort) for fact in FACTS]
    rows += [_effect_row(name, effects, *where) for name, where in _EFFECTS.items()]
    return pd.DataFrame(rows, columns=FACT_COLUMNS)


def _row(fact: Fact, cohort: Cohort) -> tuple[object, ...]:
    absent = [name for name in fact.needs if name not in cohort.frame]
    number, note = Number(), f"the cohort does not record {', '.join(absent)}" if absent else ""
    if not absent:
        try:
            number = fact.compute(cohort)
        except ValueError as error:  # too few groups or no event
            note = str(error)
    return (
        fact.name, fact.population, number.value, number.ci_low, number.ci_high, number.p_value, fact.description, note
    )  # fmt: skip


# ---- patients


def _is(cohort: Cohort, column: str, level: str) -> BoolArray:
    return (cohort.frame[column] == level).to_numpy(dtype=np.bool_)


def _count(column: str, level: str, cohort: Cohort) -> Number:
    if not cohort.frame[column].notna().any():
        raise ValueError(f"{column} is known in no patient")
    return Number(float(_is(cohort, column, level).sum()))


def _mri_any(cohort: Cohort) -> Number:
    return Number(float((_is(cohort, "baseline_mri", "yes") | _is(cohort, "presurgery_mri", "yes")).sum()))


def _events_by(months: float, cohort: Cohort) -> Number:
    return Number(float(cohort.outcome("dfs").events_by(months)))


def _relapses_by(months: float, cohort: Cohort) -> Number:
    early = cohort.outcome("dfs").time_months <= months
    return Number(float((_is(cohort, "relapse", "yes") & early).sum()))


def _median(source: str, cohort: Cohort) -> Number:
    return Number(*median_survival(cohort.outcome("dfs" if source == "dfs" else "os")))


def _follow_up(cohort: Cohort) -> Number:
    """Reverse Kaplan-Meier: death is what censors."""
    outcome = cohort.outcome("os")
    return Number(median_survival(Outcome(outcome.time_months, ~outcome.event))[0])


# ---- after relapse


def relapsed(cohort: Cohort, *known: str) -> Cohort:
    """The patients with a relapse in whom the variables ``known`` are; raises ``ValueError``, with the reason, where there are
    none.
    """
    with_relapse = _is(cohort, "relapse", "yes")
    if not with_relapse.any():
        recorded = bool(cohort.frame["relapse"].notna().any())
        raise ValueError("nobody relapsed" if recorded else "relapse is known in no patient")
    rows = with_relapse & cohort.frame[list(known)].notna().all(axis=1).to_numpy(dtype=np.bool_)
    if not rows.any():
        asked = [name for name in known if name != "relapse"]
        never = [name for name in asked if not cohort.frame[name][with_relapse].notna().any()]
        raise ValueError(f"no relapsed patient has a known {' and '.join(never or asked)}")
    return Cohort(
        cohort.name, cohort.title, cohort.evidence, cohort.frame[rows].reset_index(drop=True), cohort.citation, cohort.variables
    )  # fmt: skip


def survival_after_relapse(patients: Cohort) -> Outcome:
    """Months from relapse to death or last contact of relapsed ``patients``, and whether they died."""
    months = patients.outcome("os").time_months - patients.outcome("dfs").time_months
    return Outcome(np.maximum(_ties_merged(months), SHORTEST_MONTHS), patients.outcome("os").event)


def _ties_merged(months: FloatArray) -> FloatArray:
    """Times equal to 6 decimals become one, the shortest: subtraction splits ties by the noise of the last bits, and R's
    survival merges them so (``timefix``).
    """
    shortest = pd.Series(months).groupby(np.round(months, 6)).transform("min")
    return np.asarray(shortest.to_numpy(), dtype=np.float64)


def early_relapse(patients: Cohort, months: float) -> BoolArray:
    """(n,) whether the relapse came by ``months`` after surgery."""
    return np.asarray(patients.outcome("dfs").time_months <= months, dtype=np.bool_)


def chi_squared_p(first: Sequence[object], second: Sequence[object]) -> float:
    """P of Pearson's chi-squared of two classifications, without continuity correction."""
    table = pd.crosstab(np.asarray(first, dtype=str), np.asarray(second, dtype=str)).to_numpy()
    if min(table.shape) < 2:
        raise ValueError("only one group, nothing to compare")
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def _site_by_timing(months: float, cohort: Cohort) -> Number:
    patients = relapsed(cohort, "relapse_site")
    return Number(p_value=chi_squared_p(list(patients.frame["relapse_site"]), list(early_relapse(patients, months))))


def _survival_by_timing(months: float, site: str | None, cohort: Cohort) -> Number:
    patients = relapsed(cohort)
    rows = np.ones(len(patients), dtype=np.bool_) if site is None else _is(patients, "relapse_site", SITES[site])
    outcome, early = survival_after_relapse(patients), early_relapse(patients, months)
    return Number(p_value=log_rank(outcome.subset(rows), list(early[rows])).p_value)


def _survival_by_site(cohort: Cohort) -> Number:
    patients = relapsed(cohort, "relapse_site")
    return Number(p_value=log_rank(survival_after_relapse(patients), list(patients.frame["relapse_site"])).p_value)


def _median_after_early(cohort: Cohort) -> Number:
    patients = relapsed(cohort)
    return Number(median_survival(survival_after_relapse(patients).subset(early_relapse(patients, 6)))[0])


def _treated_share(months: float, early: bool, cohort: Cohort) -> Number:
    patients = relapsed(cohort, "locoregional_treatment")
    treated, timing = _is(patients, "locoregional_treatment", "yes"), early_relapse(patients, months)
    p_value = chi_squared_p(list(treated), list(timing))  # first: it refuses an empty group
    return Number(100 * float(treated[timing == early].mean()), p_value=p_value)


def _kind_share(kind: str, early: bool, cohort: Cohort) -> Number:
    """Among treated patients whose first kind is known, by early relapse (6 months), how many had this kind first."""
    patients = relapsed(cohort, "locoregional_kind")
    treated = _is(patients, "locoregional_treatment", "yes")
    of_kind, timing = _is(patients, "locoregional_kind", kind)[treated], early_relapse(patients, 6)[treated]
    p_value = chi_squared_p(list(of_kind), list(timing))  # first: it refuses an empty group
    return Number(100 * float(of_kind[timing == early].mean()), p_value=p_value)


def _hazard_ratio_of_treatment(cohort: Cohort) -> Number:
    patients = relapsed(cohort, "locoregional_treatment")
    treated = _is(patients, "locoregional_treatment", "yes")
    if treated.all() or not treated.any():
        raise ValueError("only one group, nothing to compare")
    fit = fit_cox(treated.astype(np.float64)[:, None], survival_after_relapse(patients))
    b, error = float(fit.coefficients[0]), float(fit.standard_errors[0])
    ratio, low, high = np.exp([b, b - Z_95 * error, b + Z_95 * error])
    return Number(float(ratio), float(low), float(high), float(2 * stats.norm.sf(abs(b / error))))


def _median_by_treatment(treated: str, cohort: Cohort) -> Number:
    patients = relapsed(cohort, "locoregional_treatment")
    group = _is(patients, "locoregional_treatment", treated)
    if not group.any():
        raise ValueError(f"no relapsed patient has locoregional_treatment {treated}")
    return Number(*median_survival(survival_after_relapse(patients).subset(group)))


def _facts() -> list[Fact]:
    """In the order of the paper's numbers as data."""
    found: list[Fact] = []

    def add(name: str, population: str, needs: str, compute: Callable[[Cohort], Number], description: str) -> None:
        found.append(Fact(name, population, description, tuple(needs.split()), compute))

    add("n_patients", "overall", "", lambda cohort: Number(float(len(cohort))), "patients in the analysis")
    add("n_relapse", "overall", "relapse", partial(_count, "relapse", "yes"), "relapsed during follow-up")
    add("median_follow_up_months", "overall", "", _follow_up, "reverse Kaplan-Meier")
    add("n_early_6m", "overall", "", partial(_events_by, 6.0), "relapse or death within 6 months of surgery")
    add("n_relapse_12m", "overall", "relapse", partial(_relapses_by, 12.0), "relapsed within 12 months of surgery")
    add("median_dfs_months", "overall", "", partial(_median, "dfs"), "Kaplan-Meier median, log interval")
    add("median_os_months", "overall", "", partial(_median, "os"), "Kaplan-Meier median, log interval")
    for name, column, level in (
        ("n_r0", "resection_margin", "r0"), ("n_r1", "resection_margin", "r1"),
        ("n_concurrent_ablation", "concurrent_ablation", "yes"),
        ("n_one_stage", "surgery_steps", "one"), ("n_two_stage", "surgery_steps", "two"),
        ("n_postoperative_chemotherapy", "postoperative_chemotherapy", "yes"),
    ):  # fmt: skip
        add(name, "overall", column, partial(_count, column, level), f"{column}: {level}")
    add("n_mri_any", "overall", "baseline_mri presurgery_mri", _mri_any, "MRI at baseline or before surgery")
    for level in SITES.values():
        add(f"n_relapse_{level}", "relapsed", "relapse_site", partial(_count, "relapse_site", level), f"relapse_site: {level}")
    site = "relapse relapse_site"
    for months in (6, 12):
        add(f"p_site_by_early_{months}m", "relapsed", site, partial(_site_by_timing, float(months)), "chi-squared")
    for months in (6, 12):
        test = partial(_survival_by_timing, float(months), None)
        add(f"p_post_relapse_os_by_early_{months}m", "relapsed", "relapse", test, "log-rank, early v late")
    add("p_post_relapse_os_by_site", "relapsed", site, _survival_by_site, "log-rank of the three sites")
    for name, months in (
        ("hepatic", 6), ("multiorgan", 6), ("extrahepatic", 6), ("hepatic", 12), ("extrahepatic", 12), ("multiorgan", 12),
    ):  # fmt: skip
        test = partial(_survival_by_timing, float(months), name)
        add(f"p_post_relapse_os_{name}_early_vs_late_{months}m", "relapsed", site, test, f"log-rank within {SITES[name]}")
    add(
        "median_post_relapse_os_early_6m_months_at_least", "relapsed", "relapse", _median_after_early,
        "Kaplan-Meier median after relapse by 6 months",
    )  # fmt: skip
    treatment = "relapse locoregional_treatment"
    treated = partial(_count, "locoregional_treatment", "yes")
    add("n_locoregional_treatment", "relapsed", treatment, treated, "at least one locoregional treatment after relapse")
    repeated = partial(_count, "locoregional_repeated", "yes")
    add("n_more_than_one_locoregional_treatment", "relapsed", "locoregional_repeated", repeated, "more than one")
    for months in (6, 12):
        for early, word in ((False, "late"), (True, "early")):
            share = partial(_treated_share, float(months), early)
            add(f"pct_locoregional_{word}_{months}m", "relapsed", treatment, share, f"treated among {word} relapses; chi-squared")
    for name, kind in (
        ("n_liver_surgery_locoregional", "liver_surgery"), ("n_liver_nonsurgical_locoregional", "liver_nonsurgical"),
        ("n_lung_surgery", "lung_surgery"), ("n_lung_radiotherapy", "lung_radiotherapy"),
    ):  # fmt: skip
        add(name, "relapsed", "locoregional_kind", partial(_count, "locoregional_kind", kind), f"first treatment: {kind}")
    add(
        "hr_post_relapse_os_locoregional", "relapsed", treatment, _hazard_ratio_of_treatment,
        "Cox, any locoregional treatment v none",
    )  # fmt: skip
    for name, level in (("locoregional", "yes"), ("no_locoregional", "no")):
        median = partial(_median_by_treatment, level)
        add(f"median_post_relapse_os_{name}_months", "relapsed", treatment, median, "Kaplan-Meier median after relapse")
    for kind in ("liver_surgery", "liver_nonsurgical", "lung_surgery"):
        for early, word in ((True, "early"), (False, "late")):
            share = partial(_kind_share, kind, early)
            text = f"{kind} among treated {word} relapses (6 months); chi-squared"
            add(f"pct_{kind}_{word}_6m", "relapsed", f"{treatment} locoregional_kind", share, text)
    return found


FACTS: tuple[Fact, ...] = tuple(_facts())

#: Facts that are effects of the second stage in the primary-resected population: (outcome, variable, level).
_EFFECTS = {
    "or_pn_positive_6m_multivariable": ("relapse_6m", "pn_stage", "n1_2"),
    "hr_pn_positive_dfs_multivariable": ("dfs", "pn_stage", "n1_2"),
    "hr_braf_dfs_multivariable": ("dfs", "ras_braf", "braf_mutated"),
    "hr_braf_os_multivariable": ("os", "ras_braf", "braf_mutated"),
    "hr_ecog_os_multivariable": ("os", "ecog_ps", "1-2"),
}


def _effect_row(name: str, effects: pd.DataFrame, outcome: str, variable: str, level: str) -> tuple[object, ...]:
    found = effects[
        (effects["population"] == "primary_resected") & (effects["outcome"] == outcome) & (effects["analysis"] == "multivariable")
        & (effects["variable"] == variable) & (effects["level"] == level)
    ]  # fmt: skip
    text = f"{outcome}: {variable} ({level}), second stage"
    if found.empty:
        return (name, "primary_resected", np.nan, np.nan, np.nan, np.nan, text, "did not enter the second stage")
    row = found.iloc[0]
    return (name, "primary_resected", row["estimate"], row["ci_low"], row["ci_high"], row["p_value"], text, row["note"])
