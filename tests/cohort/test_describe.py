"""Table 1 by hand, medians against R, and what may not appear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sksurv.datasets import load_veterans_lung_cancer

from cohort.describe import CohortDescription, PopulationDescription, describe, median_survival
from cohort.dictionary import KnownAt, Variable
from cohort.simulate import simulate_cohort
from cohort.types import Cohort, Outcome

REFERENCE = Path(__file__).parents[1] / "reference"
MEDIANS = pd.read_csv(REFERENCE / "paper_medians.csv")


def _cohort(**columns: Any) -> Cohort:
    n = len(next(iter(columns.values()))) if columns else 4
    months = [2.0, 4.0, 8.0, 20.0, 30.0][:n]
    frame = pd.DataFrame(
        {
            "patient_id": [f"secret-{i}" for i in range(n)],
            "dfs_months": months,
            "dfs_event": [True, False, True, False, False][:n],
            "os_months": [m + 1 for m in months],
            "os_event": [False] * n,
            **columns,
        }
    )
    return Cohort("small", "Small", "simulated", frame)


def _overall(description: CohortDescription) -> PopulationDescription:
    return next(p for p in description.populations if p.name == "overall")


def _row(frame: pd.DataFrame, **where: object) -> pd.Series:
    rows = frame
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


# R 4.x, library(survival): survfit(Surv(time, status) ~ x, data = aml); conf.type is "log" by default.
@pytest.mark.parametrize(
    ("time", "event", "expected"),
    [
        ([9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161], [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0], (31, 18, np.nan)),
        ([5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45], [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1], (23, 8, np.nan)),
    ],
    ids=["aml maintained", "aml not maintained"],
)
def test_median_and_interval_are_those_of_r_survfit(time: list[float], event: list[int], expected: tuple[float, ...]) -> None:
    outcome = Outcome(np.array(time, dtype=float), np.array(event, dtype=bool))

    assert median_survival(outcome) == pytest.approx(expected, nan_ok=True)


def test_median_of_the_veterans_trial_is_that_of_r_survfit() -> None:
    # survfit(Surv(time, status) ~ 1, data = veteran): n 137, events 128, median 80, 0.95LCL 52, 0.95UCL 105
    _, y = load_veterans_lung_cancer()
    outcome = Outcome(y["Survival_in_days"].astype(float), y["Status"].astype(bool))

    assert median_survival(outcome) == (80.0, 52.0, 105.0)


def test_median_is_the_middle_of_the_step_where_survival_is_exactly_one_half() -> None:
    outcome = Outcome(np.array([1.0, 2.0, 6.0, 9.0]), np.array([True, True, True, False]))

    assert median_survival(outcome)[0] == 4.0


def test_median_that_is_not_reached_is_missing() -> None:
    nobody = Outcome(np.array([1.0, 2.0]), np.array([False, False]))

    assert np.isnan(median_survival(nobody)).all()


def test_numeric_variable_has_median_quartiles_range_and_missing_count() -> None:
    row = _row(_overall(describe(_cohort(age=[50.0, 60.0, 70.0, 80.0, np.nan]))).variables, variable="age")

    assert tuple(row[["n", "n_missing", "low", "q1", "median", "q3", "high"]]) == (4, 1, 50, 57.5, 65, 72.5, 80)
    assert row["unit"] == "years"


def test_categorical_variable_has_a_row_per_level_and_percents_of_the_known() -> None:
    table = _overall(describe(_cohort(sex=["male", "male", "female", None]))).variables
    male, female = _row(table, variable="sex", level="male"), _row(table, variable="sex", level="female")

    assert (male["count"], female["count"], male["n"], male["n_missing"]) == (2, 1, 3, 1)
    assert male["percent"] == pytest.approx(200 / 3)


def test_level_nobody_has_is_shown_as_zero() -> None:
    table = _overall(describe(_cohort(ecog_ps=["0", "0", "1", "1"]))).variables

    assert _row(table, variable="ecog_ps", level="2")["count"] == 0


def test_variable_that_does_not_apply_is_not_missing() -> None:
    cohort = _cohort(primary_resected=["yes", "yes", "no", "no"], pt_stage=["t4", None, None, None])
    row = _row(_overall(describe(cohort)).missing, variable="pt_stage")

    assert (row["n_applicable"], row["n_missing"], row["percent"]) == (2, 1, 50.0)
    assert _row(_overall(describe(cohort)).variables, variable="pt_stage", level="t4")["n_not_applicable"] == 2


def test_variable_never_recorded_is_described_without_a_warning() -> None:
    table = _overall(describe(_cohort(age=[np.nan] * 4, sex=pd.Series([None] * 4, dtype="object")))).variables

    assert np.isnan(_row(table, variable="age")["median"])
    assert _row(table, variable="sex", level="male")["n"] == 0


def test_events_censored_and_event_free_add_up_at_every_horizon() -> None:
    events = _overall(describe(simulate_cohort(200, follow_up_months=(3.0, 60.0)).cohort)).events

    assert (events["n_events"] + events["n_event_free"] + events["n_censored_before"] == events["n"]).all()
    assert (events["n_censored_before"] > 0).any()


def test_events_by_hand_with_one_censored_before_the_horizon() -> None:
    row = _row(_overall(describe(_cohort(age=[50.0] * 4))).events, endpoint="relapse_6m", horizon_months=6.0)

    assert tuple(row[["n", "n_events", "n_event_free", "n_censored_before"]]) == (4, 1, 2, 1)


def test_follow_up_is_reverse_kaplan_meier() -> None:
    # DFS: leaves at 2 (event), 4 (censored), 8 (event), 20 (censored). Reversed: 1 -> 2/3 at 4 -> 0 at 20.
    row = _row(_overall(describe(_cohort(age=[50.0] * 4))).follow_up, source="dfs")

    assert (row["median"], row["n_censored"]) == (20.0, 2)


def test_every_population_the_cohort_holds_is_described() -> None:
    description = describe(_cohort(primary_resected=["yes", "yes", "yes", "no"]))

    assert [(p.name, p.n_patients) for p in description.populations] == [("overall", 4), ("primary_resected", 3)]


def test_population_that_cannot_be_formed_is_left_out_with_its_reason() -> None:
    description = describe(_cohort(age=[50.0] * 4))

    assert [p.name for p in description.populations] == ["overall"]
    assert "primary_resected" in description.left_out[0]


def test_no_patient_id_is_described() -> None:
    population = _overall(describe(_cohort(age=[50.0] * 4, centre=["A", "B", "A", "B"])))

    for table in (population.variables, population.missing, population.follow_up, population.medians, population.events):
        assert "secret" not in table.to_csv()
        assert "centre" not in table.to_csv()


def test_a_cohorts_own_variables_stand_among_those_known_at_their_time() -> None:
    cohort = simulate_cohort(40, seed=1).cohort
    own = Variable("albumin", "Albumin", "continuous", KnownAt.BASELINE, "g/l")
    with_own = replace(cohort, frame=cohort.frame.assign(albumin=40.0), variables={**cohort.variables, "albumin": own})

    table = describe(with_own).populations[0].variables
    order = [KnownAt.parse(known_at) for known_at in table["known_at"]]

    assert order == sorted(order)
    assert "albumin" in set(table["variable"])


@pytest.mark.parametrize("row", [r for _, r in MEDIANS.iterrows()], ids=lambda r: f"{r['data']}-{r['group']}-{r['level']}")
def test_medians_and_their_intervals_are_those_that_r_prints(row: pd.Series) -> None:
    data = pd.read_csv(REFERENCE / f"data_{row['data']}.csv")
    members = data if row["group"] == "all" else data[data[row["group"]] == row["level"]]
    outcome = Outcome(members["time"].to_numpy(dtype=float), members["event"].to_numpy(dtype=int) == 1)
    assert len(outcome) == row["n"]
    assert median_survival(outcome) == pytest.approx((row["median"], row["low"], row["high"]), nan_ok=True)
