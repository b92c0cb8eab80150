"""The report's description of the cohort: Table 1, follow-up and events, as lines of text for the template."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cohort.describe import CohortDescription, PopulationDescription
from cohort.dictionary import KnownAt


@dataclass(frozen=True)
class CohortRow:
    """A line of Table 1: ``texts`` holds, population by population, the summary and what is missing."""

    label: str
    kind: str
    """heading, variable or level"""
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CohortView:
    populations: tuple[tuple[str, int], ...]
    table1: tuple[CohortRow, ...]
    survival: tuple[tuple[str, tuple[str, ...]], ...]
    events: tuple[tuple[str, tuple[tuple[Any, ...], ...]], ...]
    left_out: tuple[str, ...]


_KNOWN_AT_HEADINGS = {
    KnownAt.BASELINE.label: "Known at diagnosis of the metastases",
    KnownAt.PRE_SURGERY.label: "Known the day before surgery",
    KnownAt.POST_SURGERY.label: "Known after surgery (never a predictor)",
    KnownAt.OUTCOME.label: "Outcome (never a predictor)",
}


def cohort_view(description: CohortDescription) -> CohortView:
    populations = description.populations
    return CohortView(
        populations=tuple((p.label, p.n_patients) for p in populations),
        table1=tuple(_table1(populations)),
        survival=tuple(_survival(populations)),
        events=tuple((p.label, tuple(p.events.drop(columns="endpoint").itertuples(index=False, name=None))) for p in populations),
        left_out=description.left_out,
    )


def _table1(populations: Sequence[PopulationDescription]) -> Iterator[CohortRow]:
    if not populations:
        return
    tables = [list(p.variables.iterrows()) for p in populations]  # the same variables and levels in each
    heading = variable = ""
    for index, (_, row) in enumerate(tables[0]):
        known_at = _KNOWN_AT_HEADINGS[row["known_at"]]
        if known_at != heading:
            heading = known_at
            yield CohortRow(heading, "heading")
        same = [table[index][1] for table in tables]
        missing = tuple(map(_missing, same))
        label = _with_unit(str(row["label"]), str(row["unit"]))
        if not row["level"]:
            yield CohortRow(label, "variable", tuple(zip(map(_median_text, same), missing, strict=True)))
            continue
        if row["variable"] != variable:
            variable = row["variable"]
            yield CohortRow(label, "variable", tuple(("", text) for text in missing))
        yield CohortRow(str(row["level"]).replace("_", " "), "level", tuple((_count_text(one), "") for one in same))


def _with_unit(label: str, unit: str) -> str:
    return f"{label}, {unit}" if unit and unit.lower() not in label.lower() else label  # no "number of lesions, lesions"


def _missing(row: pd.Series) -> str:
    text = f"{int(row['n_missing'])}"
    return f"{text} ({int(row['n_not_applicable'])} n/a)" if row["n_not_applicable"] else text


def _median_text(row: pd.Series) -> str:
    if not row["n"]:
        return "not recorded"
    median, q1, q3, low, high = (_short(row[name]) for name in ("median", "q1", "q3", "low", "high"))
    return f"{median} ({q1}–{q3}; {low}–{high})"


def _short(number: float) -> str:
    """One decimal below 100, none above; no trailing zero."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.1f}".removesuffix(".0")


def _count_text(row: pd.Series) -> str:
    return f"{int(row['count'])} ({row['percent']:.0f}%)" if row["n"] else "not recorded"


def _survival(populations: Sequence[PopulationDescription]) -> Iterator[tuple[str, tuple[str, ...]]]:
    kinds: tuple[tuple[str, Callable[[PopulationDescription], pd.DataFrame], Callable[[pd.Series], str]], ...] = (
        ("Events of {}, patients", lambda p: p.medians, _events),
        ("Median {}, months", lambda p: p.medians, _months),
        ("Median follow-up for {}, months (reverse Kaplan-Meier)", lambda p: p.follow_up, _months),
    )
    for title, table, text in kinds:
        per_population = [table(p).set_index("source") for p in populations]
        for source in per_population[0].index if per_population else ():
            rows = [one.loc[source] for one in per_population]
            yield title.format(str(rows[0]["label"]).lower()), tuple(map(text, rows))


def _events(row: pd.Series) -> str:
    return f"{row['n_events']:.0f} of {row['n']:.0f}"


def _months(row: pd.Series) -> str:
    if not np.isfinite(row["median"]):
        return "not reached"
    low, high = (f"{row[part]:.1f}" if np.isfinite(row[part]) else "not reached" for part in ("ci_low", "ci_high"))
    return f"{row['median']:.1f} (95% CI {low} to {high})"
