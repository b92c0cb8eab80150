"""Outcomes, endpoints, populations and cohorts refuse nonsense at birth and answer by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohort.errors import CohortError
from cohort.types import ENDPOINTS, POPULATIONS, Cohort, Endpoint, Outcome

NAN = float("nan")


def outcome(time: list[float], event: list[bool]) -> Outcome:
    return Outcome(np.array(time), np.array(event, dtype=bool))


def patients(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": ["b", "a", "c"],
            "age": [61.0, NAN, 70.5],
            "sex": pd.Categorical(["male", "female", None], categories=["female", "male"]),
            "dfs_months": [2.0, 4.0, 8.0],
            "dfs_event": [True, False, True],
            "os_months": [3.0, 4.0, 9.0],
            "os_event": [True, False, False],
            **columns,
        }
    )


def cohort(frame: pd.DataFrame) -> Cohort:
    return Cohort("small", "Small", "simulated", frame)


def yes_no(*values: str | None) -> pd.Categorical:
    return pd.Categorical(values, categories=["no", "yes"])


@pytest.mark.parametrize(
    ("time", "event", "why"),
    [
        ([0.0, 1.0], np.array([True, False]), "above 0"),
        ([-1.0, 1.0], np.array([True, False]), "above 0"),
        ([NAN, 1.0], np.array([True, False]), "finite"),
        ([np.inf, 1.0], np.array([True, False]), "finite"),
        ([1.0, 2.0], np.array([1, 0]), "boolean"),
        ([1.0, 2.0], np.array([1.0, NAN]), "boolean"),
        ([1.0, 2.0], np.array([True]), "one length"),
        ([[1.0, 2.0]], np.array([[True, False]]), "vectors"),
    ],
    ids=["time 0", "negative", "missing", "infinite", "integer event", "event with a gap", "lengths differ", "matrix"],
)
def test_an_outcome_that_makes_no_sense_is_refused(time: Any, event: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Outcome(np.array(time), event)


def test_lists_become_arrays() -> None:
    made = Outcome([1, 2], [True, False])  # type: ignore[arg-type]

    assert made.time_months.dtype == np.float64
    assert (~made.event).tolist() == [False, True]


@pytest.mark.parametrize(
    ("time", "event", "status"),
    [
        (5.9, True, 1.0),
        (6.0, True, 1.0),
        (6.1, True, 0.0),
        (5.9, False, NAN),
        (6.0, False, 0.0),
        (6.1, False, 0.0),
    ],
    ids=["event before", "event at", "event after", "censored before: unknown", "censored at: event-free", "censored after"],
)
def test_status_at_the_horizon(time: float, event: bool, status: float) -> None:
    assert outcome([time], [event]).status_at(6.0) == pytest.approx([status], nan_ok=True)


def test_events_by_a_horizon_leave_out_the_unknown() -> None:
    assert outcome([1, 2, 3, 6, 7], [True, False, True, True, True]).events_by(6) == 3


@pytest.mark.parametrize("rows", [np.array([2, 0]), np.array([True, False, True])], ids=["positions", "mask"])
def test_a_subset_keeps_times_with_their_events(rows: np.ndarray) -> None:
    whole = outcome([1, 2, 3], [True, False, False])

    assert len(whole.subset(rows)) == 2
    assert sorted(zip(whole.subset(rows).time_months, whole.subset(rows).event, strict=True)) == [(1.0, True), (3.0, False)]


@pytest.mark.parametrize(
    ("kind", "horizons", "tau", "why"),
    [
        ("time", (), 60.0, "above 0"),
        ("time", (0.0,), 60.0, "above 0"),
        ("time", (-6.0, 12.0), 60.0, "above 0"),
        ("time", (NAN,), 60.0, "above 0"),
        ("time", (6.0,), 0.0, "above 0"),
        ("time", (12.0, 6.0), 60.0, "rise"),
        ("time", (6.0, 6.0), 60.0, "rise"),
        ("binary", (6.0, 12.0), 12.0, "one horizon"),
    ],
    ids=["none", "zero", "negative", "not a number", "tau 0", "falling", "twice", "binary with two"],
)
def test_an_endpoint_that_makes_no_sense_is_refused(kind: Any, horizons: tuple[float, ...], tau: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Endpoint("e", "E", "dfs", kind, horizons, tau_months=tau)


def test_the_endpoints_are_the_papers() -> None:
    asked = {name: (e.source, e.kind, e.horizons_months, e.primary_horizon_months) for name, e in ENDPOINTS.items()}

    assert asked == {
        "relapse_6m": ("dfs", "binary", (6.0,), 6.0),
        "relapse_12m": ("dfs", "binary", (12.0,), 12.0),
        "dfs": ("dfs", "time", (6.0, 12.0), 12.0),
        "os": ("os", "time", (36.0, 60.0), 60.0),
    }


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (patients(patient_id=["a", "a", "b"]), "not unique"),
        (patients(patient_id=["a", None, "b"]), "missing for some"),
        (patients(shoe_size=[1, 2, 3]), "outside the data dictionary: shoe_size"),
        (patients().iloc[:0], "no patients"),
        (pd.DataFrame(), "no column patient_id"),
        (pd.concat([patients(), patients()[["age"]]], axis=1), "more than one column"),
    ],
    ids=["duplicated id", "missing id", "unknown column", "no rows", "nothing", "column twice"],
)
def test_a_cohort_that_makes_no_sense_is_refused(frame: pd.DataFrame, why: str) -> None:
    with pytest.raises(CohortError, match=why):
        cohort(frame)


def test_digest_is_the_same_whatever_the_order_of_rows_and_columns() -> None:
    frame = patients(age=[60.0, 60.0, 60.0])  # only the id tells the order
    shuffled = frame.iloc[[2, 0, 1], ::-1]

    assert cohort(shuffled).digest == cohort(frame).digest
    assert len(cohort(frame).digest) == 16


@pytest.mark.parametrize("column", list(patients().columns))
def test_digest_changes_with_any_value(column: str) -> None:
    changed = {
        "patient_id": ["b", "a", "d"],
        "sex": pd.Categorical(["male", "male", None], categories=["female", "male"]),
        "age": [61.0, NAN, 70.500001],
        "dfs_months": [2.0, 4.0, 8.000001],
        "os_months": [3.0, 4.0, NAN],
        "dfs_event": [True, True, True],
        "os_event": [True, True, False],
    }

    assert cohort(patients(**{column: changed[column]})).digest != cohort(patients()).digest


def test_digest_tells_values_of_two_patients_apart() -> None:
    assert cohort(patients(age=[NAN, 61.0, 70.5])).digest != cohort(patients()).digest


def test_digest_ignores_what_the_cohort_is_called() -> None:
    assert replace(cohort(patients()), name="other", title="Other").digest == cohort(patients()).digest


def test_outcome_is_read_from_its_source() -> None:
    dfs, overall = cohort(patients()).outcome("dfs"), cohort(patients()).outcome("os")

    assert (dfs.time_months.tolist(), dfs.event.tolist()) == ([2.0, 4.0, 8.0], [True, False, True])
    assert (overall.time_months.tolist(), overall.event.tolist()) == ([3.0, 4.0, 9.0], [True, False, False])


def test_the_population_primary_resected_leaves_out_no_and_unknown() -> None:
    members = cohort(patients(primary_resected=yes_no("no", "yes", None))).population("primary_resected")

    assert members.patient_ids.tolist() == ["a"]
    assert members.frame.index.tolist() == [0], "rows are numbered anew"


def test_the_population_overall_is_everyone() -> None:
    assert cohort(patients()).population("overall").patient_ids.tolist() == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("frame", "population", "why"),
    [
        (patients(), "primary_resected", "needs the variable primary_resected, which this cohort does not record"),
        (patients(primary_resected=yes_no("no", "no", None)), "primary_resected", "no patient in population primary_resected"),
        (patients(), "women", "unknown population 'women'; known: overall, primary_resected"),
    ],
    ids=["not recorded", "nobody", "unknown"],
)
def test_a_population_that_a_cohort_does_not_hold_is_refused_with_the_reason(
    frame: pd.DataFrame, population: str, why: str
) -> None:
    with pytest.raises(CohortError, match=why):
        cohort(frame).population(population)


def test_each_population_withholds_what_the_paper_withholds() -> None:
    recorded = cohort(patients(primary_resected=yes_no("no", "yes", "yes")))

    assert recorded.withheld("overall") == {"pt_stage", "pn_stage"}
    assert recorded.withheld("primary_resected") == {"primary_resected"}
    assert set(POPULATIONS) == {"overall", "primary_resected"}


def test_a_cohort_that_records_no_primary_in_place_keeps_pt_and_pn() -> None:
    assert cohort(patients()).withheld("overall") == frozenset()


def test_withheld_of_an_unknown_population_is_refused() -> None:
    with pytest.raises(CohortError, match="unknown population 'women'"):
        cohort(patients()).withheld("women")
