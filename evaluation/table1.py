"""Table 1 of the paper on any cohort: who the patients are, at baseline and before surgery, and what changed.

One row a variable and statistic, as the paper's table is kept as data: medians, quartiles (type 7) and ranges, counts by
level, and the paired test (Wilcoxon of the values, McNemar of the two levels) beside the first row that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.dictionary import KnownAt, Variable
from cohort.types import Cohort
from evaluation.paired_tests import PairedTest, mcnemar, wilcoxon_signed_rank

TABLE1_COLUMNS = ["variable", "statistic", "baseline", "pre_surgery", "p_value", "test"]

_QUANTILES = {"median": 0.5, "q1": 0.25, "q3": 0.75, "min": 0.0, "max": 1.0}


@dataclass(frozen=True)
class Line:
    """A variable of Table 1: the columns that hold it at either time, and the cut that makes two levels of a number.

    ``labels`` are the two levels' names, at or above the cut first.
    """

    name: str
    baseline: str | None
    pre_surgery: str | None
    cut: float | None = None
    labels: tuple[str, str] = ("", "")


def _both(name: str, cut: float | None = None, labels: tuple[str, str] = ("", "")) -> Line:
    return Line(name, f"baseline_{name}", f"presurgery_{name}", cut, labels)


#: In the order of print.
LINES: tuple[Line, ...] = (
    Line("age", "age", None, 65, (">=65", "<65")),
    *(Line(name, name, None) for name in ("sex", "ecog_ps", "primary_location", "synchronous", "primary_resected", "pt_stage")),
    *(Line(name, name, None) for name in ("pn_stage", "ras_braf", "mmr_status")),
    _both("mri"),
    *(Line(name, name, None) for name in ("regimen", "biologic_agent", "chemotherapy_duration")),
    Line("objective_response", None, "objective_response"),
    _both("cea", 10, (">=10", "<10")),
    _both("lobes"),
    _both("segments", 4, (">=4", "<4")),
    _both("lesions", 4, (">=4", "<4")),
    _both("max_diameter"),
    _both("vessel_contacts", 1, ("yes", "no")),
    Line("vanished_lesions", None, "vanished_lesions", 1, ("yes", "no")),
)  # fmt: skip


def table1(cohort: Cohort) -> pd.DataFrame:
    """Columns :data:`TABLE1_COLUMNS`; NaN where a cell does not apply. A cohort's further variables follow those of print."""
    rows = [row for line in lines_of(cohort) for row in _rows(line, cohort.frame, cohort.variables)]
    return pd.DataFrame(rows, columns=TABLE1_COLUMNS)


def left_out(cohort: Cohort) -> list[str]:
    """Variables of the paper's Table 1 that the cohort records at neither time."""
    return [line.name for line in LINES if not {line.baseline, line.pre_surgery} & set(cohort.frame.columns)]


def lines_of(cohort: Cohort) -> Iterator[Line]:
    """The paper's lines, then the cohort's other variables; only what is recorded."""
    recorded = set(cohort.frame.columns)
    printed: set[str] = set()
    for line in LINES:
        baseline = line.baseline if line.baseline in recorded else None
        later = line.pre_surgery if line.pre_surgery in recorded else None
        printed |= {name for name in (line.baseline, line.pre_surgery) if name}
        if baseline or later:
            yield Line(line.name, baseline, later, line.cut, line.labels)
    for variable in cohort.variables.values():
        shown = variable.kind in ("continuous", "count", "categorical") and variable.known_at <= KnownAt.PRE_SURGERY
        if shown and variable.name in recorded - printed:
            early = variable.known_at is KnownAt.BASELINE
            yield Line(variable.name, *((variable.name, None) if early else (None, variable.name)))


def _rows(line: Line, frame: pd.DataFrame, variables: Mapping[str, Variable]) -> Iterator[tuple[object, ...]]:
    names = (line.baseline, line.pre_surgery)
    kept = next(name for name in names if name)
    variable = variables[kept]
    columns = [frame[name] if name else None for name in names]
    if variable.is_numeric:
        tested = _paired(*columns, numeric=True)
        for statistic, share in _QUANTILES.items():
            cells = [np.nan if c is None or c.isna().all() else float(np.quantile(c.dropna(), share)) for c in columns]
            yield (line.name, statistic, *cells, *(_test_cells(tested) if statistic == "median" else (np.nan, "")))
    flags = list(_levels(line, variable, columns))
    tested = _paired(*flags[0][1], numeric=False) if len(flags) == 2 else None
    for number, (label, members) in enumerate(flags):
        cells = [np.nan if m is None else float((m == 1).sum()) for m in members]
        yield (line.name, f"count:{label}", *cells, *(_test_cells(tested) if number == 0 else (np.nan, "")))
    applies = np.ones(len(frame), dtype=np.bool_)
    if variable.only_if is not None and variable.only_if[0] in frame:
        applies = (frame[variable.only_if[0]] == variable.only_if[1]).to_numpy(dtype=np.bool_)
    for statistic, where in (("missing", applies), ("not_applicable", ~applies)):
        counts = [np.nan if c is None else float((c.isna() & where).sum()) for c in columns]
        if np.nansum(counts) > 0:
            yield (line.name, statistic, *counts, np.nan, "")


def _levels(line: Line, variable: Variable, columns: list[pd.Series | None]) -> Iterator[tuple[str, list[pd.Series | None]]]:
    """Each level with its 0/1 columns (NaN where not known) at the two times."""
    if line.cut is not None:
        for above, label in zip((True, False), line.labels, strict=True):
            yield label, [None if c is None else ((c >= line.cut) == above).astype(float).where(c.notna()) for c in columns]
    for level in variable.levels[::-1] if len(variable.levels) == 2 else variable.levels:
        yield level, [None if c is None else (c == level).astype(float).where(c.notna()) for c in columns]


def _paired(first: pd.Series | None, second: pd.Series | None, *, numeric: bool) -> PairedTest | None:
    if first is None or second is None:
        return None
    known = (first.notna() & second.notna()).to_numpy(dtype=np.bool_)
    a, b = first.to_numpy(dtype=np.float64)[known], second.to_numpy(dtype=np.float64)[known]
    return wilcoxon_signed_rank(a, b) if numeric else mcnemar(a == 1, b == 1)


def _test_cells(tested: PairedTest | None) -> tuple[float, str]:
    return (np.nan, "") if tested is None else (tested.p_value, tested.test)
