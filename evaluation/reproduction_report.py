"""The reproduction as one self-contained HTML page: the bar first, then the paper's tables, figures, the comparison, the
audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cohort.dictionary import DICTIONARY
from cohort.types import EVIDENCE_LABELS, Evidence
from evaluation.effects import INDEPENDENT_P, MULTIVARIABLE, UNIVARIATE
from evaluation.figures import (
    data_uri,
    effect_label,
    endpoint_label,
    fact_label,
    in_words,
    level_label,
    p_text,
    population_label,
    variable_label,
)
from evaluation.report import template
from evaluation.reproduction import against_the_bar, loosely_asked
from evaluation.reproduction_figures import stands_out
from models.two_stage import ENTRY_P

#: What the page says of a cohort whose patients nobody treated.
CAVEATS: dict[Evidence, str] = {
    "reconstructed": "The cohort was built so that this analysis gives the published numbers; that it does says nothing about"
    " patients.",
    "simulated": "The patients were drawn from a model; what this analysis finds in them says nothing about patients.",
}

_TESTS = {"wilcoxon": "Wilcoxon", "mcnemar": "McNemar"}
_STATISTICS = {"q1": "lower quartile", "q3": "upper quartile", "min": "minimum", "max": "maximum"}

METHODS = (
    "Logistic regression of relapse or death by 6 and by 12 months (patients censored before are left out), Cox regression"
    " (Efron's ties) of disease-free and overall survival; Wald intervals and P values.",
    f"Two stages: each covariate alone, on the patients in whom it is known; what reaches P ≤ {ENTRY_P:.2f}, read at two"
    f" decimals, enters one regression on complete cases. Independent: P ≤ {INDEPENDENT_P:.2f} there.",
    "A level without events, or with nothing else, is estimated by Firth's penalised likelihood with profile intervals"
    " (marked F).",
    "Holm's and Benjamini and Hochberg's P values adjust for all rows of one outcome and stage in one population.",
    "Proportional hazards: score test of each term against time (R's cox.zph); P below 0.05 is marked PH.",
    "Survival: Kaplan-Meier with the log interval, log-rank tests; paired changes: Wilcoxon's signed-rank and McNemar's test"
    " (with continuity correction); proportions: Pearson's chi-squared.",
)


@dataclass(frozen=True, eq=False)
class ReproductionData:
    """What the page is made of. The tables with ``verdict`` are None where the published numbers are about another cohort."""

    cohort_title: str
    cohort_name: str
    evidence: Evidence
    citation: str
    digest: str
    n_patients: int
    effects: pd.DataFrame
    table1: pd.DataFrame
    facts: pd.DataFrame
    selection: pd.DataFrame
    left_out: tuple[str, ...]
    provenance: Mapping[str, str]
    figures: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    summary: pd.DataFrame | None = None
    effects_compared: pd.DataFrame | None = None
    table1_compared: pd.DataFrame | None = None
    facts_compared: pd.DataFrame | None = None
    audit: pd.DataFrame | None = None


def render_reproduction(data: ReproductionData) -> str:
    """The page as HTML: no script, no link to anything outside."""
    return template("reproduction.html.j2").render(
        data=data,
        evidence_label=EVIDENCE_LABELS[data.evidence],
        caveat=CAVEATS.get(data.evidence, ""),
        methods=METHODS,
        selection=[_words(row) for _, row in data.selection.iterrows()],
        summary=[] if data.summary is None else data.summary.to_dict("records"),
        table1=_table1_rows(data),
        regressions=[
            _regression_table(data.effects, population, outcomes, title)
            for population, outcomes, title in REGRESSION_TABLES
            if (data.effects["population"] == population).any()
        ],
        facts=_fact_rows(data),
        comparison=_comparison_rows(data.effects_compared),
        differing=_differing(data.effects_compared),
        loose=0 if data.effects_compared is None else loosely_asked(data.effects_compared),
        audit=[] if data.audit is None else [_finding(row) for _, row in data.audit.iterrows()],
        figures=[(title, data_uri(png)) for title, png in data.figures.values()],
    )


#: (population, outcomes, title) of the paper's four tables of regressions.
REGRESSION_TABLES: tuple[tuple[str, tuple[str, str], str], ...] = (
    ("overall", ("relapse_6m", "relapse_12m"), "Table 2. Relapse or death within 6 and 12 months"),
    ("overall", ("dfs", "os"), "Table 3. Disease-free and overall survival"),
    ("primary_resected", ("relapse_6m", "relapse_12m"), "Table S1. Relapse or death within 6 and 12 months"),
    ("primary_resected", ("dfs", "os"), "Table S2. Disease-free and overall survival"),
)


def number_text(value: float, decimals: int = 2) -> str:
    """A number for a table; nothing where there is none."""
    return "" if value is None or not np.isfinite(value) else f"{value:.{decimals}f}"


def interval_text(row: pd.Series, prefix: str = "") -> str:
    """``1.83 (0.88–3.79)``."""
    estimate, low, high = (row[f"{prefix}{name}"] for name in ("estimate", "ci_low", "ci_high"))
    return "" if pd.isna(estimate) else f"{estimate:.2f} ({low:.2f}–{high:.2f})"


def _words(row: pd.Series) -> dict[str, object]:
    return {
        **{str(k): v for k, v in row.items()},
        "population": population_label(str(row["population"])),
        "outcome": endpoint_label(str(row["outcome"])),
        "published": names_in_words(str(row["published"])),
        "ours": names_in_words(str(row["ours"])),
        "terms": terms_in_words(str(row["terms"])),
    }


def names_in_words(names: str) -> str:
    """``ecog_ps, ras_braf`` by the dictionary's labels."""
    return ", ".join(map(variable_label, names.split(", ")))


def terms_in_words(terms: str) -> str:
    """``only here: ecog_ps (1-2), presurgery_cea; only in print: ...`` by the dictionary's labels."""
    parts = [side.partition(": ") for side in terms.split("; ") if side]
    return "; ".join(f"{side}: {', '.join(map(_term_in_words, names.split(', ')))}" for side, _, names in parts)


def _term_in_words(name: str) -> str:
    variable, _, level = name.partition(" (")
    return effect_label(variable, level.removesuffix(")"))


def _table1_rows(data: ReproductionData) -> list[dict[str, str]]:
    verdicts = {}
    if data.table1_compared is not None:
        keys = data.table1_compared[["variable", "statistic"]].itertuples(index=False, name=None)
        verdicts = dict(zip(keys, data.table1_compared["verdict"], strict=True))
    rows = []
    for _, row in data.table1.iterrows():
        statistic = str(row["statistic"]).removeprefix("count:")
        rows.append(
            {
                "variable": _line_label(str(row["variable"])),
                "statistic": _STATISTICS.get(statistic, level_label(statistic)),
                "baseline": number_text(row["baseline"], 1).removesuffix(".0"),
                "pre_surgery": number_text(row["pre_surgery"], 1).removesuffix(".0"),
                "p_value": f"{p_text(row['p_value'])} ({_TESTS[row['test']]})" if row["test"] else "",
                "verdict": in_words(verdicts.get((row["variable"], row["statistic"]), "")),
            }
        )
    return rows


def _line_label(name: str) -> str:
    """A line of Table 1 with its unit; a count of lesions or segments has it in the name."""
    variable = DICTIONARY.get(name) or DICTIONARY.get(f"baseline_{name}")
    unit = f" ({variable.unit})" if variable is not None and variable.unit and variable.kind == "continuous" else ""
    return variable_label(name) + unit


def _regression_table(effects: pd.DataFrame, population: str, outcomes: tuple[str, str], title: str) -> dict[str, object]:
    """Laid out like the paper's: one row a covariate, the two outcomes side by side, each alone and in the second stage."""
    chosen = effects[(effects["population"] == population) & effects["outcome"].isin(outcomes)]
    found = {tuple(row[name] for name in ("variable", "level", "outcome", "analysis")): row for _, row in chosen.iterrows()}
    rows = []
    for variable, level, reference in dict.fromkeys(map(tuple, chosen[["variable", "level", "reference"]].to_numpy())):
        cells = []
        for outcome in outcomes:
            for analysis in (UNIVARIATE, MULTIVARIABLE):
                row = found.get((variable, level, outcome, analysis))
                cells.append(None if row is None else _cell(row))
        rows.append({"name": effect_label(variable, level), "reference": level_label(reference), "cells": cells})
    facts = []
    for outcome in outcomes:
        second = chosen[(chosen["outcome"] == outcome) & (chosen["analysis"] == MULTIVARIABLE)]
        entered = "nothing entered the second stage"
        if len(second):
            entered = f"second stage: {second['n_used'].iloc[0]} complete patients, {second['n_events'].iloc[0]} events"
        facts.append(f"{endpoint_label(outcome)} – {entered}")
    return {
        "title": title,
        "population": population_label(population),
        "outcomes": [endpoint_label(outcome) for outcome in outcomes],
        "ratio": "OR" if outcomes[0].startswith("relapse") else "HR",
        "rows": rows,
        "facts": facts,
    }


def _cell(row: pd.Series) -> dict[str, object]:
    marks = [mark for mark, holds in (("F", row["method"] == "firth"), ("PH", row["ph_p_value"] < 0.05)) if holds]
    return {
        "ratio": interval_text(row),
        "p": p_text(row["p_value"]),
        "adjusted": f"{p_text(row['p_holm'])} / {p_text(row['p_bh'])}" if pd.notna(row["p_value"]) else "",
        "strong": stands_out(row["p_value"], str(row["analysis"])),
        "marks": ", ".join(marks),
        "note": in_words(str(row["note"])),
    }


def _fact_rows(data: ReproductionData) -> list[dict[str, str]]:
    published: Mapping[str, pd.Series] = {}
    if data.facts_compared is not None:
        published = {str(row["fact"]): row for _, row in data.facts_compared.iterrows()}
    rows = []
    for _, row in data.facts.iterrows():
        print_row = published.get(str(row["fact"]))
        rows.append(
            {
                "fact": fact_label(str(row["fact"])),
                "description": in_words(str(row["description"])),
                "ours": _fact_text(row["value"], row["ci_low"], row["ci_high"], p_text(row["p_value"]))
                or in_words(str(row["note"])),
                "print": "" if print_row is None else _printed_fact(print_row),
                "verdict": "" if print_row is None else in_words(str(print_row["verdict"])),
            }
        )
    return rows


def _fact_text(value: float, low: float, high: float, p: str) -> str:
    text = "" if pd.isna(value) else f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"
    interval = "" if pd.isna(low) and pd.isna(high) else f" ({number_text(low) or '…'}–{number_text(high) or '…'})"
    return f"{text}{interval}{', ' if text and p else ''}{'P ' + p if p else ''}"


def _printed_fact(row: pd.Series) -> str:
    interval = f" ({row['ci_low']}–{row['ci_high']})" if row["ci_low"] else ""
    p = f"P {row['p_value']}" if row["p_value"] else ""
    return f"{row['value']}{interval}{', ' if row['value'] and p else ''}{p}"


def _comparison_rows(compared: pd.DataFrame | None) -> list[dict[str, str]]:
    if compared is None:
        return []
    return [
        {
            "table": str(row["table"]),
            "outcome": endpoint_label(str(row["outcome"])),
            "analysis": str(row["analysis"]),
            "name": effect_label(str(row["variable"]), str(row["level"])),
            "print": f"{row['estimate']} ({row['ci_low']}–{row['ci_high']})",
            "print_p": str(row["p_value"]),
            "ours": interval_text(row, "ours_"),
            "ours_p": p_text(row["ours_p_value"]),
            "exact": "exact" if row["exact"] else "",
            "verdict": in_words(str(row["verdict"])),
        }
        for _, row in compared.iterrows()
    ]


def _differing(compared: pd.DataFrame | None) -> list[dict[str, str]]:
    """All that the bar's first line counts against us, also what was not computed."""
    return [] if compared is None else _comparison_rows(against_the_bar(compared))


def _finding(row: pd.Series) -> dict[str, str]:
    where = str(row["table"])
    if row["variable"]:
        effect = effect_label(str(row["variable"]), str(row["level"]))
        where += f": {endpoint_label(str(row['outcome']))}, {row['analysis']}, {effect}"
    return {"severity": str(row["severity"]), "where": where, "finding": in_words(str(row["finding"]))}
