"""The report's section on what the cohort can carry, as text for the template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from evaluation.figures import endpoint_label, feature_set_label, population_label
from evaluation.sample_size import CRITERION_LABELS, MARGIN, NAGELKERKE_R2, OPTIMISM, SHRINKAGE

NOTES: tuple[str, ...] = (
    f"Minimum sample size after Riley et al. (Stat Med 2019;38:1276, BMJ 2020;368:m441), three criteria: (i) shrinkage, effects"
    f" are expected to need shrinking by no more than {1 - SHRINKAGE:.0%}; (ii) optimism in Nagelkerke's R² of no more than"
    f" {OPTIMISM:g}; (iii) overall risk, the average risk is known within ±{MARGIN:g}.",
    f"Anticipated is a Nagelkerke R² of {NAGELKERKE_R2:g}, as advised where nothing is known of earlier models; better predictors"
    " would ask for fewer patients. Parameters are candidates, selected or not: encoded columns, a categorical predictor counting"
    " one for each level but its reference.",
    "Endpoints by a horizon count patients whose status by then is known and events by then; survival endpoints count all"
    " patients and all events, and (iii) is judged at the last horizon.",
    "The criteria speak of regression without penalty; selecting among the candidates does not spare patients, and tree ensembles"
    f" and boosting tend to need more. Far below {SHRINKAGE:g} the expected shrinkage flatters: it is an approximation for large"
    " samples.",
)


@dataclass(frozen=True)
class SizeRow:
    """A feature set of an endpoint: ``required`` patients, and the criterion that asks for them.

    ``message`` stands for all that follows the parameters.
    """

    features: str
    n_parameters: str
    events_per_parameter: str = ""
    required: str = ""
    required_by: str = ""
    shrinkage: str = ""
    message: str = ""


@dataclass(frozen=True)
class SizeGroup:
    """An endpoint of a population: what does not depend on the features. ``can_carry`` is empty where nothing can be planned."""

    endpoint: str
    n: str
    n_events: str
    can_carry: str
    can_carry_by: str
    rows: tuple[SizeRow, ...]


@dataclass(frozen=True)
class SizeView:
    sentence: str
    tables: tuple[tuple[str, tuple[SizeGroup, ...]], ...]
    """population, endpoints"""
    notes: tuple[str, ...] = NOTES


def sample_size_view(table: pd.DataFrame) -> SizeView | None:
    """The section, or None where no model with predictors is compared."""
    if table.empty:
        return None
    tables = tuple(
        (population_label(str(population)), tuple(_group(same) for _, same in rows.groupby("endpoint", sort=False)))
        for population, rows in table.groupby("population", sort=False)
    )
    return SizeView(" ".join(_sentences(table)), tables)


def _group(rows: pd.DataFrame) -> SizeGroup:
    first, planned = rows.iloc[0], rows[rows["note"] == ""]
    return SizeGroup(
        endpoint=endpoint_label(first["endpoint"]),
        n=f"{first['n']}",
        n_events=f"{first['n_events']}",
        can_carry=f"{planned.iloc[0]['capacity']}" if len(planned) else "",
        can_carry_by=_capacity_reason(planned.iloc[0]) if len(planned) else "",
        rows=tuple(_row(row) for _, row in rows.iterrows()),
    )


def _row(row: pd.Series) -> SizeRow:
    features, n_parameters = feature_set_label(row["feature_set"]), f"{row['n_parameters']}"
    if row["note"]:
        return SizeRow(features, n_parameters, message=f"cannot be planned: {row['note']}")
    return SizeRow(
        features,
        n_parameters,
        events_per_parameter=f"{row['events_per_parameter']:.1f}",
        required=f"{row['n_required']}",
        required_by=CRITERION_LABELS[row["n_required_binding"]],
        shrinkage=f"{row['expected_shrinkage']:.2f}",
    )


def _capacity_reason(row: pd.Series) -> str:
    binding = CRITERION_LABELS[row["capacity_binding"]]
    if row["capacity_binding"] != "overall_risk":
        return binding
    # None at all hides how far the other two criteria would go.
    others = min(row["capacity_shrinkage"], row["capacity_optimism"])
    return f"{binding}, needs {row['n_required_overall_risk']} patients; {others} by the others"


def _sentences(table: pd.DataFrame) -> Iterator[str]:
    planned = table[table["note"] == ""]
    if planned.empty:
        yield "No sample size can be planned."
        return
    short = planned[planned["n"] < planned["n_required"]]
    n_enough = len(planned) - len(short)
    if short.empty:
        yield "There are as many patients as a model with all its candidate parameters needs, for every endpoint and feature set."
    else:
        nearest = short.iloc[int((short["n"] / short["n_required"]).argmax())]
        many = f"{n_enough} of {len(planned)}" if n_enough else f"None of {len(planned)}"
        yield (
            f"{many} combinations of endpoint, features and population {'have' if n_enough > 1 else 'has'} as many patients as a"
            f" model with all its candidate parameters needs; nearest{' of the others' if n_enough else ''}: {_name(nearest)},"
            f" {nearest['n']} patients where {nearest['n_required']} are required."
        )
    low, high = (f"{value:.2f}" for value in (planned["expected_shrinkage"].min(), planned["expected_shrinkage"].max()))
    span = low if low == high else f"{low} to {high}"
    yield (
        f"Expected shrinkage is {span}: what the effects of such a model, fitted without penalty, would have to be multiplied by"
        " to hold in new patients."
    )


def _name(row: pd.Series) -> str:
    names = (endpoint_label(row["endpoint"]), feature_set_label(row["feature_set"]), population_label(row["population"]))
    return " – ".join((names[0], *(name[:1].lower() + name[1:] for name in names[1:])))
