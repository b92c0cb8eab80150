"""Kaplan-Meier curves as tables, and the groups that the paper's survival figures compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.describe import kaplan_meier_steps, median_survival
from cohort.intervals import Z_95
from cohort.types import BoolArray, Cohort, Outcome
from evaluation.facts import SITES, early_relapse, relapsed, survival_after_relapse
from evaluation.log_rank import log_rank


@dataclass(frozen=True, eq=False)
class SurvivalPanel:
    """One set of axes. ``curves``: group, time_months, survival, ci_low, ci_high, n_at_risk (before the step), from time 0 to
    the end of
    follow-up; ``medians``: group, n, n_events, median, ci_low, ci_high. ``p_value`` is the log-rank's, NaN for one group.
    """

    title: str
    curves: pd.DataFrame
    medians: pd.DataFrame
    p_value: float


@dataclass(frozen=True, eq=False)
class SurvivalFigure:
    """``name`` is a file's stem; ``source`` says which figure of the paper it repeats."""

    name: str
    title: str
    source: str
    panels: tuple[SurvivalPanel, ...]


def survival_panel(title: str, outcome: Outcome, group: Sequence[str] | None = None) -> SurvivalPanel:
    """Curves of the ``group`` labels (n,) in the order of first use of ``dict.fromkeys``; one curve without them."""
    labels = np.asarray(["all patients"] * len(outcome) if group is None else list(group), dtype=object)
    names = list(dict.fromkeys(labels))
    curves, medians = [], []
    for name in names:
        part = outcome.subset(labels == name)
        curves.append(_curve(str(name), part))
        low_high = median_survival(part)
        medians.append((str(name), len(part), int(part.event.sum()), *low_high))
    columns = ["group", "n", "n_events", "median", "ci_low", "ci_high"]
    comparable = len(names) > 1 and bool(outcome.event.any())
    p_value = log_rank(outcome, list(labels)).p_value if comparable else float("nan")
    return SurvivalPanel(title, pd.concat(curves, ignore_index=True), pd.DataFrame(medians, columns=columns), p_value)


def _curve(name: str, outcome: Outcome) -> pd.DataFrame:
    times, survival, error = kaplan_meier_steps(outcome)
    months = np.unique(np.append(outcome.time_months, 0.0))  # also those of censoring, which lower the numbers at risk
    step = np.searchsorted(times, months, side="right")
    s, e = np.append(1.0, survival)[step], np.append(0.0, error)[step]
    band = np.where(np.isfinite(e), e, np.nan)
    at_risk = len(outcome) - np.searchsorted(np.sort(outcome.time_months), months, side="left")
    return pd.DataFrame(
        {
            "group": name,
            "time_months": months,
            "survival": s,
            "ci_low": s * np.exp(-Z_95 * band),
            "ci_high": np.minimum(1.0, s * np.exp(Z_95 * band)),
            "n_at_risk": at_risk,
        }
    )


def survival_figures(cohort: Cohort) -> tuple[list[SurvivalFigure], list[str]]:
    """The paper's survival figures as far as the cohort's variables allow, and the reasons for those left out."""
    found = [
        SurvivalFigure(
            "s2_survival", "Disease-free and overall survival", "Supplementary Figure S2",
            (
                survival_panel("Disease-free survival", cohort.outcome("dfs")),
                survival_panel("Overall survival", cohort.outcome("os")),
            ),
        )
    ]  # fmt: skip
    needs = {
        "2_by_pattern": ("relapse", "relapse_site"), "s3_early_late": ("relapse",),
        "s4_early_late_by_site": ("relapse", "relapse_site"), "s6_locoregional": ("relapse", "locoregional_treatment"),
        "s7_locoregional_by_timing": ("relapse", "locoregional_treatment"),
    }  # fmt: skip
    left_out = []
    for name, columns in needs.items():
        absent = [column for column in columns if column not in cohort.frame]
        if absent:
            left_out.append(f"{_source(name)}: the cohort does not record {', '.join(absent)}")
            continue
        try:
            patients = relapsed(cohort, *columns)
        except ValueError as reason:
            left_out.append(f"{_source(name)}: {reason}")
        else:
            found.append(_BUILDERS[name](patients))
    return found, left_out


def _source(name: str) -> str:
    return f"Figure {name.partition('_')[0].upper()}"


def _early_late(patients: Cohort, months: float) -> list[str]:
    """Early first, so that the order of the legend does not depend on the patients' order."""
    return ["early" if early else "late" for early in early_relapse(patients, months)]


def _ordered_panel(title: str, outcome: Outcome, group: Sequence[str], order: Sequence[str]) -> SurvivalPanel:
    rank = {name: place for place, name in enumerate(order)}
    rows = np.argsort([rank[g] for g in group], kind="stable")
    return survival_panel(title, outcome.subset(rows), [group[i] for i in rows])


def _by_pattern(patients: Cohort) -> SurvivalFigure:
    sites = [str(s).replace("_", " ") for s in patients.frame["relapse_site"]]
    panel = _ordered_panel(
        "Survival after relapse", survival_after_relapse(patients), sites, [s.replace("_", " ") for s in SITES.values()]
    )
    return SurvivalFigure("2_by_pattern", "Survival after relapse by pattern of recurrence", "Figure 2", (panel,))


def _by_timing(patients: Cohort) -> SurvivalFigure:
    outcome = survival_after_relapse(patients)
    panels = tuple(
        _ordered_panel(f"Cut-off {months} months", outcome, _early_late(patients, months), ["early", "late"])
        for months in (6, 12)
    )
    return SurvivalFigure("s3_early_late", "Survival after early and late relapse", "Supplementary Figure S3", panels)


def _by_timing_within_sites(patients: Cohort) -> SurvivalFigure:
    outcome = survival_after_relapse(patients)
    panels = []
    for months in (6, 12):
        timing = np.array(_early_late(patients, months))
        for site in SITES.values():
            rows = (patients.frame["relapse_site"] == site).to_numpy(dtype=np.bool_)
            if rows.any():
                title = f"{site.replace('_', ' ')}, {months} months"
                panels.append(_ordered_panel(title, outcome.subset(rows), list(timing[rows]), ["early", "late"]))
    return SurvivalFigure(
        "s4_early_late_by_site",
        "Survival after early and late relapse within each pattern",
        "Supplementary Figure S4",
        tuple(panels),
    )


_TREATED = ["locoregional treatment", "none"]


def _treatment(patients: Cohort) -> list[str]:
    return [_TREATED[0] if t == "yes" else _TREATED[1] for t in patients.frame["locoregional_treatment"]]


def _by_treatment(patients: Cohort) -> SurvivalFigure:
    panel = _ordered_panel("Survival after relapse", survival_after_relapse(patients), _treatment(patients), _TREATED)
    return SurvivalFigure(
        "s6_locoregional", "Survival after relapse by locoregional treatment", "Supplementary Figure S6", (panel,)
    )


def _by_treatment_and_timing(patients: Cohort) -> SurvivalFigure:
    """From surgery, as the paper has it, by treatment and timing of the relapse."""
    outcome, groups = patients.outcome("os"), np.array(_treatment(patients))
    panels = []
    for months in (6, 12):
        early: BoolArray = early_relapse(patients, months)
        for word, rows in (("early", early), ("late", ~early)):
            if rows.any():
                title = f"{word} relapse, {months} months"
                panels.append(_ordered_panel(title, outcome.subset(rows), list(groups[rows]), _TREATED))
    return SurvivalFigure(
        "s7_locoregional_by_timing", "Survival from surgery by locoregional treatment and timing of relapse",
        "Supplementary Figure S7", tuple(panels),
    )  # fmt: skip


_BUILDERS = {
    "2_by_pattern": _by_pattern,
    "s3_early_late": _by_timing,
    "s4_early_late_by_site": _by_timing_within_sites,
    "s6_locoregional": _by_treatment,
    "s7_locoregional_by_timing": _by_treatment_and_timing,
}


def pattern_table(cohort: Cohort, by: str) -> pd.DataFrame:
    """Figure 1 and S5: relapsed patients by ``by`` (relapse_site or locoregional_kind) overall and by timing of the relapse.

    Columns panel, group, level, count, percent (of the group). Of the treatments those who had one are counted. Raises
    ``ValueError``, with the reason, where ``by`` is known in no relapsed patient.
    """
    patients = relapsed(cohort, by)
    levels = cohort.variables[by].levels
    rows = []
    panels: list[tuple[str, dict[str, BoolArray]]] = [("All relapses", {"all": np.ones(len(patients), dtype=np.bool_)})]
    for months in (6, 12):
        early = early_relapse(patients, months)
        panels.append((f"Cut-off {months} months", {"early": early, "late": ~early}))
    for panel, groups in panels:
        for group, members in groups.items():
            values = patients.frame[by][members]
            for level in levels:
                count = int((values == level).sum())
                rows.append((panel, group, level, count, 100 * count / max(1, int(members.sum()))))
    return pd.DataFrame(rows, columns=["panel", "group", "level", "count", "percent"])
