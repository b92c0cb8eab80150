"""What is missing among the predictors: how much, in which patterns, and whether it goes with the outcome.

Aggregates only; a pattern of fewer than :data:`SMALLEST_CELL` patients is never shown by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.dictionary import Variable
from cohort.errors import CohortError
from cohort.types import POPULATIONS, Cohort, FloatArray, Outcome
from evaluation.log_rank import log_rank
from evaluation.multiplicity import adjust

#: Fewer patients than this are neither shown as a pattern nor compared.
SMALLEST_CELL = 5
#: Patterns listed, the most frequent first.
_MOST_PATTERNS = 10

PREDICTOR_COLUMNS = ["population", "predictor", "label", "n", "n_missing", "percent", "events_known", "events_missing"]
MISSINGNESS_COLUMNS = [*PREDICTOR_COLUMNS, "log_rank_p", "log_rank_p_holm", "note"]
PATTERN_COLUMNS = ["missing", "n", "percent"]


@dataclass(frozen=True, eq=False)
class Missingness:
    """Missing predictors of one population.

    predictors : one row a predictor with missing values, columns :data:`MISSINGNESS_COLUMNS`. ``n`` are the patients to whom it
        applies. ``events_known`` and ``events_missing`` are relapses or deaths over those expected if missingness told nothing
        (1 is no relation); P is the log-rank test's of DFS between patients with and without the value, Holm's over
        the predictors.
    patterns : the most frequent sets of labels missing together, columns :data:`PATTERN_COLUMNS`; the complete patients are one.
    n_other_patterns, n_other_patients : what is not listed.
    monotone : whether the sets of patients with a gap are nested, so that predictors could be imputed one after another; None
        with fewer than two incomplete predictors.
    """

    population: str
    label: str
    n_patients: int
    n_complete: int
    n_predictors: int
    predictors: pd.DataFrame
    patterns: pd.DataFrame
    n_other_patterns: int
    n_other_patients: int
    monotone: bool | None


def missingness(cohort: Cohort, populations: tuple[str, ...] = tuple(POPULATIONS)) -> tuple[Missingness, ...]:
    """For each of the populations that the cohort holds."""
    found = []
    for name in populations:
        try:
            patients = cohort.population(name)
        except CohortError:
            continue
        found.append(_of_population(name, patients, cohort.withheld(name)))
    return tuple(found)


def missingness_table(found: tuple[Missingness, ...]) -> pd.DataFrame:
    """``missingness.csv``: all populations' predictors."""
    tables = [m.predictors for m in found if not m.predictors.empty]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=MISSINGNESS_COLUMNS)


def _of_population(name: str, patients: Cohort, withheld: frozenset[str]) -> Missingness:
    frame = patients.frame
    used = [v for v in patients.variables.values() if v.is_predictor and v.name in frame and v.name not in withheld]
    applies = pd.DataFrame({v.name: _applies(v, frame) for v in used}, index=frame.index)
    gaps = frame[[v.name for v in used]].isna() & applies
    incomplete = [v for v in used if gaps[v.name].any()]
    rows = [_predictor(name, v, applies[v.name], gaps[v.name], patients.outcome("dfs")) for v in incomplete]
    table = pd.DataFrame(rows, columns=MISSINGNESS_COLUMNS)
    table["log_rank_p_holm"] = adjust(table["log_rank_p"].to_numpy(dtype=np.float64))[0]
    patterns, n_other_patterns, n_other_patients = _patterns(gaps[[v.name for v in incomplete]], [v.label for v in incomplete])
    return Missingness(
        population=name,
        label=POPULATIONS[name].label,
        n_patients=len(patients),
        n_complete=int((~gaps.any(axis=1)).sum()),
        n_predictors=len(used),
        predictors=table.sort_values("n_missing", ascending=False, kind="stable", ignore_index=True),
        patterns=patterns,
        n_other_patterns=n_other_patterns,
        n_other_patients=n_other_patients,
        monotone=is_monotone(gaps.to_numpy(dtype=np.bool_)),
    )


def is_monotone(gaps: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> bool | None:
    """Whether the columns of (n, p) ``gaps`` are nested; None where fewer than two of them have any."""
    incomplete = gaps[:, gaps.any(axis=0)]
    if incomplete.shape[1] < 2:
        return None
    ordered = incomplete[:, np.argsort(incomplete.sum(axis=0), kind="stable")]
    return bool((ordered[:, :-1] <= ordered[:, 1:]).all())


def _applies(variable: Variable, frame: pd.DataFrame) -> pd.Series:
    if variable.only_if is None or variable.only_if[0] not in frame:
        return pd.Series(data=True, index=frame.index)
    other, level = variable.only_if
    return (frame[other] == level).astype(bool)


def _predictor(population: str, variable: Variable, applies: pd.Series, gaps: pd.Series, outcome: Outcome) -> dict[str, object]:
    n, n_missing = int(applies.sum()), int(gaps.sum())
    row: dict[str, object] = {"population": population, "predictor": variable.name, "label": variable.label}
    row |= {"n": n, "n_missing": n_missing, "percent": 100 * n_missing / n}
    p, ratios, note = _relation(outcome.subset(applies.to_numpy()), gaps[applies].to_numpy())
    return row | {
        "events_known": ratios[0],
        "events_missing": ratios[1],
        "log_rank_p": p,
        "log_rank_p_holm": np.nan,
        "note": note,
    }


def _relation(outcome: Outcome, missing: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[float, FloatArray, str]:
    """P of the log-rank test, observed over expected events of those known and of those missing, and why there are none."""
    nothing = np.full(2, np.nan)
    if min(int(missing.sum()), int((~missing).sum())) < SMALLEST_CELL:
        return np.nan, nothing, f"fewer than {SMALLEST_CELL} patients in a group"
    if not outcome.event.any():
        return np.nan, nothing, "no event was seen"
    test = log_rank(outcome, np.where(missing, "missing", "known").tolist())
    table = test.table.set_index("group").loc[["known", "missing"]]
    if not (table["expected"] > 0).all():
        return np.nan, nothing, "a group left before the first event"
    return test.p_value, (table["observed"] / table["expected"]).to_numpy(dtype=np.float64), ""


def _patterns(gaps: pd.DataFrame, labels: list[str]) -> tuple[pd.DataFrame, int, int]:
    named = gaps.set_axis(labels, axis=1)
    text = [", ".join(label for label, gap in zip(labels, row, strict=True) if gap) for row in named.to_numpy(dtype=bool)]
    counts = pd.Series(text, dtype=object).value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    shown = counts[counts >= SMALLEST_CELL].head(_MOST_PATTERNS)
    other = counts.drop(shown.index)
    table = pd.DataFrame({"missing": shown.index, "n": shown.to_numpy(), "percent": 100 * shown.to_numpy() / len(gaps)})
    return table[PATTERN_COLUMNS], len(other), int(other.sum())
