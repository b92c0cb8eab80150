"""What a cohort can carry: who is counted, which columns are parameters, and rows that cannot be planned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Outcome
from evaluation.sample_size import BinaryOutcome, TimeToEvent
from evaluation.sample_size_table import (
    SAMPLE_SIZE_COLUMNS,
    anticipate,
    count_parameters,
    learning_outcome,
    sample_size_table,
)
from features.feature_set import Predictors

COHORT = simulate_cohort(300, seed=4).cohort
#: Event at 3 and 12; censored at 5, unknown by 12; followed to 12 and beyond.
OUTCOME = Outcome(np.array([3.0, 5.0, 12.0, 12.0, 20.0]), np.array([True, False, True, False, True]))


def test_binary_endpoint_counts_patients_of_known_status_and_events_by_its_horizon() -> None:
    learned_from = learning_outcome(OUTCOME, ENDPOINTS["relapse_12m"])

    assert (len(learned_from), int(learned_from.event.sum())) == (4, 2)
    assert anticipate(learned_from, ENDPOINTS["relapse_12m"]) == BinaryOutcome(0.5)


def test_time_endpoint_counts_all_patients_all_events_and_all_their_time() -> None:
    learned_from = learning_outcome(OUTCOME, ENDPOINTS["dfs"])

    assert learned_from is OUTCOME
    anticipated = anticipate(learned_from, ENDPOINTS["dfs"])
    assert isinstance(anticipated, TimeToEvent)
    assert anticipated.rate == pytest.approx(3 / 52)  # 3 events in 3 + 5 + 12 + 12 + 20 months
    assert anticipated.mean_follow_up_months == pytest.approx(52 / 5)
    assert anticipated.events_per_patient == pytest.approx(3 / 5)
    assert anticipated.horizon_months == 12


def test_parameters_are_levels_but_the_reference_and_numbers_without_indicators_of_what_is_missing() -> None:
    frame = pd.DataFrame(
        {
            "age": [50.0, np.nan, 70.0, 60.0],
            "regimen": pd.Categorical(["a", "b", "c", None], categories=["a", "b", "c", "never_given"]),
            "constant": [1.0, 1.0, 1.0, 1.0],
        }
    )

    assert count_parameters(Predictors("any", frame, frozenset())) == 1 + 2


def test_each_question_has_a_row_in_the_order_asked_and_each_once() -> None:
    questions = [("overall", "os", "baseline"), ("overall", "relapse_6m", "paper"), ("overall", "os", "baseline")]

    table = sample_size_table(COHORT, questions)

    assert list(table) == SAMPLE_SIZE_COLUMNS
    assert list(table[["population", "endpoint", "feature_set"]].itertuples(index=False, name=None)) == questions[:2]
    assert table["note"].eq("").all()


def test_numbers_of_a_row_agree_with_each_other() -> None:
    questions = [("overall", endpoint, feature_set) for endpoint in ENDPOINTS for feature_set in ("baseline", "paper")]

    for _, row in sample_size_table(COHORT, questions).iterrows():
        required = (row["n_required_shrinkage"], row["n_required_optimism"], row["n_required_overall_risk"])
        assert row["n_required"] == max(required) == row[f"n_required_{row['n_required_binding']}"]
        assert row["events_per_parameter"] == row["n_events"] / row["n_parameters"]
        assert (row["capacity"] >= row["n_parameters"]) == (row["n"] >= row["n_required"])
        assert (row["expected_shrinkage"] >= 0.9) == (row["n"] >= row["n_required_shrinkage"])
        assert row["n_events_required"] == pytest.approx(row["n_required"] * row["n_events"] / row["n"])


def test_endpoint_that_nobody_reaches_is_a_row_with_its_reason() -> None:
    event_free = replace(COHORT, frame=COHORT.frame.assign(dfs_months=30.0, dfs_event=False))

    row = sample_size_table(event_free, [("overall", "relapse_6m", "baseline")]).iloc[0]

    assert (row["n"], row["n_events"]) == (300, 0)
    assert "prevalence lies between 0 and 1" in row["note"]
    assert pd.isna(row["capacity"])
    assert pd.isna(row["n_required"])


def test_no_question_gives_an_empty_table_with_its_columns() -> None:
    assert list(sample_size_table(COHORT, [])) == SAMPLE_SIZE_COLUMNS
