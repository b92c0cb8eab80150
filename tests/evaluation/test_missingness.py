"""Gaps: counted by hand, tested as the log-rank test has it, and shown only where they are of enough patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from evaluation.log_rank import log_rank
from evaluation.missingness import MISSINGNESS_COLUMNS, SMALLEST_CELL, is_monotone, missingness, missingness_table
from evaluation.multiplicity import adjust

COHORT = simulate_cohort(200, seed=4, missing_cea=0.0).cohort


def _with_gaps(**rows: range | list[int]) -> Cohort:
    frame = COHORT.frame.copy()
    for name, gaps in rows.items():
        frame.loc[list(gaps), name] = np.nan
    return replace(COHORT, frame=frame)


def test_counts_are_those_made_by_hand() -> None:
    found = missingness(_with_gaps(baseline_cea=range(30), age=range(20, 40), sex=range(3)), ("overall",))[0]

    assert found.n_complete == 160
    assert found.predictors[["predictor", "n", "n_missing", "percent"]].to_numpy().tolist() == [
        ["baseline_cea", 200, 30, 15.0],
        ["age", 200, 20, 10.0],
        ["sex", 200, 3, 1.5],
    ]
    patterns = dict(zip(found.patterns["missing"], found.patterns["n"], strict=True))
    age, cea = "Age at diagnosis of the metastases", "Baseline CEA"
    assert patterns == {"": 160, cea: 17, age: 10, f"{age}, {cea}": 10}
    assert (found.n_other_patterns, found.n_other_patients) == (1, 3)


def test_no_pattern_of_few_patients_is_shown() -> None:
    gaps = {"baseline_cea": range(SMALLEST_CELL - 1), "age": range(10, 10 + SMALLEST_CELL)}
    found = missingness(_with_gaps(**gaps), ("overall",))[0]

    assert (found.patterns["n"] >= SMALLEST_CELL).all()
    assert found.patterns["n"].sum() + found.n_other_patients == 200
    assert found.n_other_patients == SMALLEST_CELL - 1


def test_relation_to_the_outcome_is_the_log_rank_test_corrected_over_predictors() -> None:
    cohort = _with_gaps(baseline_cea=range(40), age=range(100, 160))
    found = missingness(cohort, ("overall",))[0].predictors.set_index("predictor")
    by_hand = [log_rank(cohort.outcome("dfs"), cohort.frame[n].isna().tolist()) for n in ("age", "baseline_cea")]

    np.testing.assert_allclose(found.loc[["age", "baseline_cea"], "log_rank_p"], [t.p_value for t in by_hand])
    np.testing.assert_allclose(
        found.loc[["age", "baseline_cea"], "log_rank_p_holm"], adjust(np.array([t.p_value for t in by_hand]))[0]
    )
    ratio = by_hand[0].table.set_index("group").eval("observed / expected")
    assert found.loc["age", "events_missing"] == pytest.approx(ratio["True"])
    assert found.loc["age", "events_known"] == pytest.approx(ratio["False"])


def test_gaps_that_go_with_early_relapse_are_found_and_others_are_not() -> None:
    early = np.flatnonzero(COHORT.frame["dfs_months"] < COHORT.frame["dfs_months"].quantile(0.25))
    found = missingness(_with_gaps(baseline_cea=list(early), age=range(0, 200, 4)), ("overall",))[0]
    p = found.predictors.set_index("predictor")["log_rank_p_holm"]

    assert p["baseline_cea"] < 1e-6
    assert p["age"] > 0.05


def test_too_small_a_group_has_a_reason_and_no_p() -> None:
    row = missingness(_with_gaps(age=range(2)), ("overall",))[0].predictors.iloc[0]

    assert np.isnan(row["log_rank_p"])
    assert row["note"] == "fewer than 5 patients in a group"


def test_what_does_not_apply_is_not_missing() -> None:
    frame = COHORT.frame.assign(pt_stage=pd.Categorical([None] * 200, categories=["t1_3", "t4"]))
    resected = np.flatnonzero(frame["primary_resected"] == "yes")
    frame.loc[resected[10:], "pt_stage"] = "t4"
    cohort = replace(COHORT, frame=frame)
    overall, primary = missingness(cohort)

    assert "pt_stage" not in set(overall.predictors["predictor"])  # withheld from all patients
    assert primary.predictors.set_index("predictor").loc["pt_stage", ["n", "n_missing"]].tolist() == [len(resected), 10]


@pytest.mark.parametrize(
    ("gaps", "monotone"),
    [
        ([[0, 0], [0, 1], [1, 1]], True),
        ([[0, 1], [1, 0], [0, 0]], False),
        ([[1, 1], [0, 0], [1, 1]], True),
        ([[0, 1], [0, 0], [0, 1]], None),
        ([[0, 0], [0, 0], [0, 0]], None),
    ],
    ids=["nested", "crossed", "equal", "one incomplete", "none"],
)
def test_monotone_is_nested(gaps: list[list[int]], monotone: bool | None) -> None:
    assert is_monotone(np.array(gaps, dtype=bool)) is monotone


def test_a_cohort_without_gaps_has_an_empty_table_with_its_columns() -> None:
    table = missingness_table(missingness(COHORT))

    assert list(table) == MISSINGNESS_COLUMNS
    assert table.empty


def test_populations_that_the_cohort_lacks_are_passed_over() -> None:
    cohort = replace(COHORT, frame=COHORT.frame.drop(columns="primary_resected"))

    assert [m.population for m in missingness(cohort)] == ["overall"]
