"""The log-rank test against R's survdiff, by hand, and against the Cox score test that it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohort.types import Outcome
from evaluation.log_rank import log_rank

REFERENCE = Path(__file__).parent.parent / "reference"
R = pd.read_csv(REFERENCE / "paper_tests.csv").query("test == 'log_rank'")


def _outcome(time: object, event: object) -> Outcome:
    return Outcome(np.asarray(time, dtype=float), np.asarray(event, dtype=bool))


@pytest.mark.parametrize("row", list(R.itertuples()), ids=lambda row: f"{row.data} {row.what}")
def test_two_and_many_groups_are_compared_as_r_does(row) -> None:
    data = pd.read_csv(REFERENCE / f"data_{row.data}.csv")
    found = log_rank(_outcome(data["time"], data["event"]), data[row.what].tolist())

    assert found.chi_squared == pytest.approx(row.statistic, rel=1e-8)
    assert found.p_value == pytest.approx(row.p_value, rel=1e-8)
    assert found.table["n"].sum() == len(data)
    assert found.table["expected"].sum() == pytest.approx(data["event"].sum())


def test_by_hand_with_a_tie_and_a_censored_patient() -> None:
    # Times 1 (a), 2 (a and b), 3 censored (a), 4 (b), 5 (b): at risk a 3 2 0 0, b 3 3 2 1.
    found = log_rank(_outcome([1, 2, 2, 3, 4, 5], [1, 1, 1, 0, 1, 1]), list("aababb"))
    expected_a = 3 / 6 + 2 * 2 / 5
    variance = 3 / 6 * 3 / 6 + 2 * (2 / 5) * (3 / 5) * (5 - 2) / (5 - 1)

    assert found.table["observed"].tolist() == [2, 3]
    assert found.table["n"].tolist() == [3, 3]
    assert found.table["expected"].tolist() == pytest.approx([expected_a, 5 - expected_a])
    assert found.degrees_of_freedom == 1
    assert found.chi_squared == pytest.approx((2 - expected_a) ** 2 / variance)
    assert found.p_value == pytest.approx(stats.chi2.sf(found.chi_squared, 1))


def test_the_order_of_patients_and_the_names_of_groups_change_nothing() -> None:
    rng = np.random.default_rng(0)
    time, event, group = np.ceil(rng.exponential(6, 60)), rng.random(60) < 0.7, rng.integers(0, 3, 60)
    order = rng.permutation(60)
    one = log_rank(_outcome(time, event), group.tolist())
    other = log_rank(_outcome(time[order], event[order]), np.array(["z", "a", "m"])[group[order]].tolist())

    assert one.degrees_of_freedom == 2
    assert other.chi_squared == pytest.approx(one.chi_squared, rel=1e-10)


def test_a_unit_of_time_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    time, group = rng.exponential(6, 40), (np.arange(40) % 2).tolist()
    months, days = (log_rank(_outcome(time * unit, np.ones(40)), group) for unit in (1.0, 30.4375))

    assert days.chi_squared == pytest.approx(months.chi_squared, rel=1e-12)


def test_p_values_are_uniform_where_groups_do_not_differ() -> None:
    rng = np.random.default_rng(2)
    p = np.array(
        [log_rank(_outcome(rng.exponential(1, 60), np.ones(60)), (np.arange(60) % 3).tolist()).p_value for _ in range(400)]
    )

    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_a_group_that_left_before_the_first_event_takes_no_degree_of_freedom() -> None:
    with_it = log_rank(_outcome([1, 1, 3, 4, 5, 6], [0, 0, 1, 1, 1, 1]), list("ccabab"))
    without = log_rank(_outcome([3, 4, 5, 6], [1, 1, 1, 1]), list("abab"))

    assert with_it.degrees_of_freedom == without.degrees_of_freedom == 1
    assert with_it.chi_squared == pytest.approx(without.chi_squared)
    assert with_it.table.set_index("group").loc["c"].tolist() == [2, 0, 0]


def test_one_group_or_labels_of_other_patients_are_refused() -> None:
    outcome = _outcome([1, 2, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="two or more groups"):
        log_rank(outcome, ["a", "a", "a"])
    with pytest.raises(ValueError, match="same patients"):
        log_rank(outcome, ["a", "b"])


def test_without_an_event_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no event"):
        log_rank(_outcome([1, 2], [0, 0]), ["a", "b"])
