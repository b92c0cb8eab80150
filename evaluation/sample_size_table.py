"""``sample_size.csv``: what the cohort can carry, for each endpoint and feature set that is to be compared."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS, Cohort, Endpoint, Outcome
from evaluation.sample_size import (
    Anticipated,
    BinaryOutcome,
    TimeToEvent,
    capacity,
    default_r2,
    expected_shrinkage,
    required_size,
)
from features.encode import PredictorEncoder
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS

QUESTION_COLUMNS = ["population", "endpoint", "feature_set"]
SAMPLE_SIZE_COLUMNS = [
    *(*QUESTION_COLUMNS, "n", "n_events", "n_parameters", "events_per_parameter", "r2_cox_snell"),
    *("capacity", "capacity_binding", "capacity_shrinkage", "capacity_optimism"),
    *("n_required", "n_required_binding", "n_required_shrinkage", "n_required_optimism", "n_required_overall_risk"),
    *("n_events_required", "expected_shrinkage", "note"),
]


def sample_size_table(cohort: Cohort, questions: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """One row a question (population, endpoint, feature set), columns :data:`SAMPLE_SIZE_COLUMNS`.

    Where nothing can be planned, the row has its counts and a ``note`` that says why.
    """
    asked = list(dict.fromkeys(questions))
    n_parameters = {
        (population, feature_set): count_parameters(build_predictors(cohort, population, FEATURE_SETS[feature_set]))
        for population, feature_set in dict.fromkeys((p, f) for p, _, f in asked)
    }
    rows = []
    for population, endpoint, feature_set in asked:
        definition = ENDPOINTS[endpoint]
        learned_from = learning_outcome(cohort.population(population).outcome(definition.source), definition)
        row = {"population": population, "endpoint": endpoint, "feature_set": feature_set}
        rows.append(row | _numbers(learned_from, definition, n_parameters[population, feature_set]))
    counts = ("n", "n_events", "n_parameters", *(name for name in SAMPLE_SIZE_COLUMNS if name.startswith(("capacity", "n_req"))))
    whole = {name: "Int64" for name in counts if not name.endswith("binding")}  # whole, though a row may lack them
    return pd.DataFrame(rows, columns=SAMPLE_SIZE_COLUMNS).astype(whole)


def count_parameters(predictors: Predictors) -> int:
    """Candidate parameters: the encoded columns, a categorical predictor counting one for each level but the reference.

    Indicators of missing values are not counted, as the regressions that the criteria speak of do without. Only counted,
    never fitted to.
    """
    return len(PredictorEncoder(predictors.skewed, impute=False).fit(predictors.frame).get_feature_names_out())


def learning_outcome(outcome: Outcome, endpoint: Endpoint) -> Outcome:
    """Those patients that a model of the endpoint learns from.

    A time endpoint has all of them and the event at any time; a binary one those whose status at the horizon is known, and the
    event by the horizon.
    """
    if endpoint.kind == "time":
        return outcome
    status = outcome.status_at(endpoint.primary_horizon_months)
    known = ~np.isnan(status)
    return Outcome(outcome.time_months[known], status[known] == 1)


def anticipate(learned_from: Outcome, endpoint: Endpoint) -> Anticipated:
    """The next patients as these: their prevalence, or their event rate and mean follow-up."""
    n_events = int(learned_from.event.sum())
    if endpoint.kind == "binary":
        return BinaryOutcome(n_events / len(learned_from))
    mean_follow_up = float(learned_from.time_months.mean())
    rate = n_events / (len(learned_from) * mean_follow_up)
    return TimeToEvent(rate, endpoint.primary_horizon_months, mean_follow_up)


def _numbers(learned_from: Outcome, endpoint: Endpoint, n_parameters: int) -> dict[str, object]:
    n, n_events = len(learned_from), int(learned_from.event.sum())
    row: dict[str, object] = {"n": n, "n_events": n_events, "n_parameters": n_parameters, "note": ""}
    try:
        anticipated = anticipate(learned_from, endpoint)
        required = required_size(anticipated, n_parameters)
        carried = capacity(anticipated, n)
        shrinkage = expected_shrinkage(anticipated, n, n_parameters)
    except ValueError as error:
        return row | {"note": str(error)}
    return row | {
        "events_per_parameter": n_events / n_parameters,
        "r2_cox_snell": default_r2(anticipated),
        "capacity": carried.parameters,
        "capacity_binding": carried.binding,
        "capacity_shrinkage": carried.shrinkage,
        "capacity_optimism": carried.optimism,
        "n_required": required.patients,
        "n_required_binding": required.binding,
        "n_required_shrinkage": required.shrinkage,
        "n_required_optimism": required.optimism,
        "n_required_overall_risk": required.overall_risk,
        "n_events_required": required.events,
        "expected_shrinkage": shrinkage,
    }
