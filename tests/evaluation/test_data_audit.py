"""Duplicates that were planted are found, with their ids; single predictors' AUC is the rank-sum statistic's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from cohort.simulate import simulate_cohort
from cohort.types import Cohort, Outcome
from evaluation.data_audit import SINGLE_COLUMNS, DataAudit, find_duplicates, single_predictor_aucs
from evaluation.resampling import repeated_stratified_splits
from features.feature_set import Predictors

COHORT = simulate_cohort(90, seed=2, missing_cea=0.3).cohort
SPLITS = repeated_stratified_splits(COHORT.outcome("dfs"), (6.0, 12.0), 3, 2, 0)


def _copied(source: int, target: int, *, outcome_too: bool) -> Cohort:
    frame = COHORT.frame.copy()
    kept = ["patient_id"] if outcome_too else ["patient_id", "dfs_months", "dfs_event", "os_months", "os_event"]
    for name in frame.columns.difference(kept):
        frame.loc[target, name] = frame.loc[source, name]
    return replace(COHORT, frame=frame)


def test_a_cohort_without_duplicates_has_none_and_no_warning() -> None:
    found = find_duplicates(COHORT, "overall", SPLITS)

    assert found.n_groups == 0
    assert found.table.empty
    assert DataAudit((found,)).warnings == ()


@pytest.mark.parametrize("outcome_too", [True, False])
def test_a_planted_copy_is_found_under_both_ids(outcome_too: bool) -> None:
    source = int(np.flatnonzero(COHORT.frame["baseline_cea"].isna())[0])  # gaps agree too
    target = (source + 7) % 90
    found = find_duplicates(_copied(source, target, outcome_too=outcome_too), "overall", SPLITS)

    assert set(found.table["patient_id"]) == set(COHORT.frame["patient_id"].iloc[[source, target]])
    assert found.n_groups == 1
    assert found.table["same_outcome"].tolist() == [outcome_too] * 2
    (warning,) = DataAudit((found,)).warnings
    assert "2 patients in 1 groups" in warning
    assert not any(patient in warning for patient in COHORT.patient_ids)


def test_repeats_apart_counts_those_in_which_the_copy_is_in_another_fold() -> None:
    found = find_duplicates(_copied(3, 40, outcome_too=True), "overall", SPLITS).table
    by_hand = sum(
        next(s.fold for s in SPLITS if s.repeat == repeat and 3 in s.test)
        != next(s.fold for s in SPLITS if s.repeat == repeat and 40 in s.test)
        for repeat in (0, 1)
    )

    assert found["repeats_apart"].tolist() == [by_hand] * 2


def test_pairs_expected_by_chance_are_those_of_two_independent_coins() -> None:
    frame = pd.DataFrame({"patient_id": [f"P{i}" for i in range(400)]})
    rng = np.random.default_rng(0)
    for name in ("sex", "synchronous"):
        levels = {"sex": ["female", "male"], "synchronous": ["metachronous", "synchronous"]}[name]
        frame[name] = pd.Categorical(rng.permutation(np.repeat(levels, 200)), categories=levels)
    for source in ("dfs", "os"):
        frame[f"{source}_months"], frame[f"{source}_event"] = rng.exponential(10, 400), True
    cohort = replace(COHORT, frame=frame)
    found = find_duplicates(cohort, "overall", repeated_stratified_splits(cohort.outcome("dfs"), (6.0, 12.0), 3, 1, 0))

    # Two of 400 agree in one coin with chance 199 / 399.
    assert found.expected_pairs == pytest.approx(400 * 399 / 2 * (199 / 399) ** 2)
    assert found.n_groups == 4
    assert DataAudit((found,)).warnings == ()  # all of them are chance


def test_auc_of_a_single_predictor_is_the_ordinary_one_among_those_it_is_known_of() -> None:
    rng = np.random.default_rng(1)
    outcome = Outcome(rng.exponential(10, 150) + 0.1, np.ones(150, dtype=bool))
    values = -outcome.time_months + rng.normal(0, 8, 150)
    values[:30] = np.nan
    predictors = Predictors("baseline", pd.DataFrame({"x": values, "noise": rng.normal(size=150)}), frozenset())

    table = single_predictor_aucs(predictors, "overall", outcome, (6.0, 12.0))

    assert list(table) == SINGLE_COLUMNS
    assert len(table) == 4
    for _, row in table[table["predictor"] == "x"].iterrows():
        status = outcome.time_months[30:] <= row["horizon_months"]
        assert row["auc"] == pytest.approx(roc_auc_score(status, values[30:]))
        assert row["ci_low"] < row["auc"] < row["ci_high"]
        assert (row["n"], row["n_events"]) == (120, status.sum())
    noise = table[table["predictor"] == "noise"]
    assert ((noise["ci_low"] < 0.5) & (noise["ci_high"] > 0.5)).all()


def test_a_horizon_beyond_the_follow_up_has_a_reason() -> None:
    outcome = Outcome(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True]))
    predictors = Predictors("baseline", pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]}), frozenset())

    row = single_predictor_aucs(predictors, "overall", outcome, (12.0,)).iloc[0]

    assert np.isnan(row["auc"])
    assert "follow-up ends" in row["note"]


def test_what_was_listed_before_is_left_out() -> None:
    predictors = Predictors("paper", COHORT.frame[["age", "baseline_lesions"]], frozenset())

    table = single_predictor_aucs(predictors, "overall", COHORT.outcome("dfs"), (6.0,), frozenset({"age"}))

    assert table["predictor"].tolist() == ["baseline_lesions"]
