"""The reproduction as one self-contained HTML page: the bar first, then the paper's tables, figures, the comparison, the
audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cohort.types import EVIDENCE_LABELS, Evidence
from evaluation.effects import INDEPENDENT_P, MULTIVARIABLE, UNIVARIATE, row_name
from evaluation.figures import endpoint_label, population_label
from evaluation.report import image, template
from evaluation.reproduction import verdict_word
from evaluation.reproduction_figures import p_text, stands_out
from models.two_stage import ENTRY_P

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
        audit=[] if data.audit is None else data.audit.to_dict("records"),
        figures=[(title, image(png)) for title, png in data.figures.values()],
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
    }


def _table1_rows(data: ReproductionData) -> list[dict[str, str]]:
    verdicts = {}
    if data.table1_compared is not None:
        keys = data.table1_compared[["variable", "statistic"]].itertuples(index=False, name=None)
        verdicts = dict(zip(keys, data.table1_compared["verdict"], strict=True))
    rows = []
    for _, row in data.table1.iterrows():
        counted = str(row["statistic"]).startswith("count:") or row["statistic"] in ("missing", "not_applicable")
        digits = 0 if counted else 1
        rows.append(
            {
                "variable": str(row["variable"]).replace("_", " "),
                "statistic": str(row["statistic"]).removeprefix("count:").replace("_", " "),
                "baseline": number_text(row["baseline"], digits),
                "pre_surgery": number_text(row["pre_surgery"], digits),
                "p_value": f"{p_text(row['p_value'])} ({row['test']})" if row["test"] else "",
                "verdict": verdicts.get((row["variable"], row["statistic"]), ""),
            }
        )
    return rows


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
        rows.append(
            {"name": row_name(variable, level).replace("_", " "), "reference": reference.replace("_", " "), "cells": cells}
        )
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
        "note": row["note"],
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
                "fact": str(row["fact"]).replace("_", " "),
                "description": str(row["description"]),
                "ours": _fact_text(row["value"], row["ci_low"], row["ci_high"], p_text(row["p_value"])) or str(row["note"]),
                "print": "" if print_row is None else _printed_fact(print_row),
                "verdict": "" if print_row is None else str(print_row["verdict"]),
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
            "name": row_name(str(row["variable"]), str(row["level"]) or str(row["form"])).replace("_", " "),
            "print": f"{row['estimate']} ({row['ci_low']}–{row['ci_high']})",
            "print_p": str(row["p_value"]),
            "ours": interval_text(row, "ours_"),
            "ours_p": p_text(row["ours_p_value"]),
            "exact": "exact" if row["exact"] else "",
            "verdict": str(row["verdict"]),
        }
        for _, row in compared.iterrows()
    ]


def _differing(compared: pd.DataFrame | None) -> list[dict[str, str]]:
    return [row for row in _comparison_rows(compared) if verdict_word(row["verdict"]) == "differs"]
