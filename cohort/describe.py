"""Who the patients are: Table 1, missingness, follow-up, median survival and events by each horizon, per population.

Tables of aggregates only, as numbers; how they are printed is the report's business. NaN means not reached or not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.dictionary import Variable
from cohort.errors import CohortError
from cohort.intervals import Z_95
from cohort.types import ENDPOINTS, POPULATIONS, BoolArray, Cohort, FloatArray, Outcome

_TOLERANCE = float(np.sqrt(np.finfo(float).eps))  # as in R's quantile.survfit

SOURCE_LABELS = {"dfs": "Disease-free survival", "os": "Overall survival"}

VARIABLE_COLUMNS = (
    *("variable", "label", "known_at", "unit", "level", "n", "n_missing", "n_not_applicable"),
    *("count", "percent", "median", "q1", "q3", "low", "high"),
)


@dataclass(frozen=True, eq=False)
class PopulationDescription:
    """The patients of one population.

    variables : Table 1, columns ``VARIABLE_COLUMNS``. A numeric variable has one row (median, quartiles, range, in ``unit``), a
        categorical one row a level (count, and percent of the ``n`` patients whose value is known). ``n_missing`` counts
        only patients to whom the variable applies.
    missing : one row a variable: variable, label, n_applicable, n_missing, percent.
    follow_up : one row a source (DFS, OS): source, label, n, n_censored, and median with ci_low and ci_high in months, by reverse
        Kaplan-Meier (Schemper and Smith 1996).
    medians : the same for the event itself: source, label, n, n_events, median, ci_low, ci_high.
    events : one row an endpoint and horizon: endpoint, label, horizon_months, n, n_events, n_event_free, n_censored_before.
    """

    name: str
    label: str
    n_patients: int
    variables: pd.DataFrame
    missing: pd.DataFrame
    follow_up: pd.DataFrame
    medians: pd.DataFrame
    events: pd.DataFrame


@dataclass(frozen=True, eq=False)
class CohortDescription:
    """All populations that the cohort holds; ``left_out`` says why the others are not described."""

    populations: tuple[PopulationDescription, ...]
    left_out: tuple[str, ...] = ()


def describe(cohort: Cohort) -> CohortDescription:
    """Describe every population of :data:`cohort.types.POPULATIONS` that the cohort holds."""
    described: list[PopulationDescription] = []
    left_out: list[str] = []
    for name in POPULATIONS:
        try:
            patients = cohort.population(name)
        except CohortError as error:
            left_out.append(str(error))
        else:
            described.append(_describe_population(name, patients))
    return CohortDescription(tuple(described), tuple(left_out))


def median_survival(outcome: Outcome) -> tuple[float, float, float]:
    """Kaplan-Meier median with its 95 % interval, in months; NaN where a curve or its band never falls to one half.

    The band is ``survival * exp(+-z * se(log survival))`` with Greenwood's error: R's ``survfit`` with ``conf.type="log"``. The
    limits are where the lower and the upper band cross one half (Brookmeyer and Crowley 1982).
    """
    times, survival, error = kaplan_meier_steps(outcome)
    # At survival 0 the error is infinite and R gives no band; NaN never crosses.
    band = np.where(survival > 0, error, np.nan)
    return (
        _half_time(times, survival),
        _half_time(times, survival * np.exp(-Z_95 * band)),
        _half_time(times, np.minimum(1.0, survival * np.exp(Z_95 * band))),
    )


def kaplan_meier_steps(outcome: Outcome) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Event times (m,), survival from each on (m,), and the standard error of its logarithm (m,)."""
    ordered = np.sort(outcome.time_months)
    times, deaths = np.unique(outcome.time_months[outcome.event], return_counts=True)
    at_risk = len(ordered) - np.searchsorted(ordered, times, side="left")
    survivors = at_risk - deaths
    survival = np.asarray(np.cumprod(survivors / at_risk), dtype=np.float64)
    with np.errstate(divide="ignore"):
        error = np.asarray(np.sqrt(np.cumsum(deaths / (at_risk * survivors))), dtype=np.float64)
    return times, survival, error


def _half_time(times: FloatArray, curve: FloatArray) -> float:
    """When a step curve falls to one half; the middle of the step where it stays exactly there and then falls, as R has it."""
    reached = np.flatnonzero(curve <= 0.5 + _TOLERANCE)
    if not reached.size:
        return float("nan")
    first = float(times[reached[0]])
    if abs(curve[reached[0]] - 0.5) > _TOLERANCE:
        return first
    below = np.flatnonzero(curve < 0.5 - _TOLERANCE)
    end = float(times[below[0]]) if below.size else first
    return (first + end) / 2


def _describe_population(name: str, cohort: Cohort) -> PopulationDescription:
    outcomes = {source: cohort.outcome(source) for source in ("dfs", "os")}
    # Times and events are described under censoring, identifiers not at all.
    recorded = [
        v for v in cohort.variables.values() if v.name in cohort.frame and v.kind in ("continuous", "count", "categorical")
    ]
    shown = sorted(recorded, key=lambda variable: variable.known_at)  # a cohort's own variables among the dictionary's
    return PopulationDescription(
        name=name,
        label=POPULATIONS[name].label,
        n_patients=len(cohort),
        variables=pd.DataFrame([row for v in shown for row in _variable_rows(v, cohort.frame)], columns=list(VARIABLE_COLUMNS)),
        missing=pd.DataFrame(
            [_missing_row(v, cohort.frame) for v in shown], columns=["variable", "label", "n_applicable", "n_missing", "percent"]
        ),
        follow_up=pd.DataFrame([_follow_up_row(source, o) for source, o in outcomes.items()]),
        medians=pd.DataFrame([_median_row(source, o) for source, o in outcomes.items()]),
        events=_events(outcomes),
    )


def _applies(variable: Variable, frame: pd.DataFrame) -> BoolArray:
    """(n,) whether the variable can be known at all, by its ``only_if``."""
    if variable.only_if is None or variable.only_if[0] not in frame:
        return np.ones(len(frame), dtype=np.bool_)
    other, level = variable.only_if
    return np.asarray(frame[other] == level, dtype=np.bool_)


def _counts(variable: Variable, frame: pd.DataFrame) -> tuple[int, int, int]:
    """Patients whose value is known, is missing, does not apply."""
    known = frame[variable.name].notna().to_numpy(dtype=np.bool_)
    applies = _applies(variable, frame)
    return int(known.sum()), int((applies & ~known).sum()), int((~applies & ~known).sum())


def _variable_rows(variable: Variable, frame: pd.DataFrame) -> list[dict[str, object]]:
    n, n_missing, n_not_applicable = _counts(variable, frame)
    common: dict[str, object] = {
        "variable": variable.name,
        "label": variable.label,
        "known_at": variable.known_at.label,
        "unit": variable.unit,
        "level": "",
        "n": n,
        "n_missing": n_missing,
        "n_not_applicable": n_not_applicable,
    }
    if variable.is_numeric:
        return [common | _quantiles(frame[variable.name].dropna().to_numpy(dtype=np.float64))]
    counts = {level: int((frame[variable.name] == level).sum()) for level in variable.levels}
    return [
        common | {"level": level, "count": count, "percent": 100 * count / n if n else float("nan")}
        for level, count in counts.items()
    ]


def _quantiles(values: FloatArray) -> dict[str, object]:
    names = ("low", "q1", "median", "q3", "high")
    numbers = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)) if len(values) else np.full(len(names), np.nan)
    return dict(zip(names, map(float, numbers), strict=True))


def _missing_row(variable: Variable, frame: pd.DataFrame) -> dict[str, object]:
    n, n_missing, _ = _counts(variable, frame)
    applicable = n + n_missing
    return {
        "variable": variable.name,
        "label": variable.label,
        "n_applicable": applicable,
        "n_missing": n_missing,
        "percent": 100 * n_missing / applicable if applicable else float("nan"),
    }


def _median_row(source: str, outcome: Outcome) -> dict[str, object]:
    median, low, high = median_survival(outcome)
    return {
        "source": source,
        "label": SOURCE_LABELS[source],
        "n": len(outcome),
        "n_events": int(outcome.event.sum()),
        "median": median,
        "ci_low": low,
        "ci_high": high,
    }


def _follow_up_row(source: str, outcome: Outcome) -> dict[str, object]:
    row = _median_row(source, Outcome(outcome.time_months, ~outcome.event))
    row["n_censored"] = row.pop("n_events")
    return row


def _events(outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    rows = []
    for endpoint in ENDPOINTS.values():
        for horizon in endpoint.horizons_months:
            status = outcomes[endpoint.source].status_at(horizon)
            rows.append(
                {
                    "endpoint": endpoint.name,
                    "label": endpoint.label,
                    "horizon_months": horizon,
                    "n": len(status),
                    "n_events": int((status == 1).sum()),
                    "n_event_free": int((status == 0).sum()),
                    "n_censored_before": int(np.isnan(status).sum()),
                }
            )
    return pd.DataFrame(rows)
