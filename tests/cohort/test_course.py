"""What happened to the patients: two of them exchange a time, and everything that is told of all of them stays."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from cohort.load import load_cohort
from cohort.reconstruct.course import (
    DFS,
    OS,
    Course,
    Relapses,
    course_after,
    course_of,
    exchange,
    may_exchange,
    outcomes_of,
    relapses_of,
    told_cost,
    write_course,
)
from cohort.reconstruct.problem import Outcomes


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return load_cohort("reconstructed").frame


@pytest.fixture(scope="module")
def course(frame: pd.DataFrame) -> Course:
    return course_of(frame)


@pytest.fixture
def outcomes(course: Course) -> Outcomes:
    return outcomes_of(course)


@pytest.fixture
def relapses(course: Course, outcomes: Outcomes) -> Relapses:
    return relapses_of(course, outcomes)


def exchanges(k: int, relapses: Relapses, outcomes: Outcomes, count: int) -> Iterator[tuple[int, int]]:
    """Makes ``count`` random exchanges of outcome ``k``."""
    rng = np.random.default_rng(k)
    while count:
        i, j = (int(p) for p in rng.integers(len(relapses.row), size=2))
        if may_exchange(k, i, j, relapses):
            exchange(k, i, j, relapses, outcomes)
            count -= 1
            yield i, j


def same(one: tuple, other: tuple) -> bool:
    return all(same(a, b) if isinstance(a, tuple) else np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_course_written_back_is_the_one_it_was_read_from(frame: pd.DataFrame, course: Course) -> None:
    columns = ["dfs_months", "dfs_event", "os_months", "os_event"]
    pd.testing.assert_frame_equal(write_course(course, frame)[columns], frame[columns], check_dtype=False)


@pytest.mark.parametrize("k", [DFS, OS])
def test_curves_stay_when_times_are_exchanged_and_nobody_dies_before_the_relapse(
    course: Course, outcomes: Outcomes, relapses: Relapses, k: int
) -> None:
    assert len(list(exchanges(k, relapses, outcomes, 500))) == 500
    after = course_after(course, relapses)
    assert (after.dfs != course.dfs).any() == (k == DFS)
    assert (after.os != course.os).any() == (k == OS)
    for months, event in (("dfs", "dfs_event"), ("os", "died")):
        assert sorted(zip(getattr(after, months), getattr(after, event), strict=True)) == sorted(
            zip(getattr(course, months), getattr(course, event), strict=True)
        )
    assert (after.os - after.dfs)[after.relapsed].min() > 0
    stratum = np.where(after.dfs_event & (after.dfs <= 600), 0, np.where(after.dfs_event & (after.dfs <= 1200), 1, 2))
    assert np.array_equal(stratum, course.stratum)


@pytest.mark.parametrize("k", [DFS, OS])
def test_exchanges_keep_the_running_order_and_cost_what_they_would_anew(
    course: Course, outcomes: Outcomes, relapses: Relapses, k: int
) -> None:
    list(exchanges(k, relapses, outcomes, 200))
    after = course_after(course, relapses)
    assert same(outcomes, outcomes_of(after))
    anew = relapses_of(after, outcomes)
    assert np.array_equal(relapses.position, anew.position)
    assert told_cost(relapses) == pytest.approx(anew.cost[0], rel=0.01), "ties may be counted in another order"


@pytest.mark.parametrize("k", [DFS, OS])
def test_an_exchange_done_twice_undoes_itself(outcomes: Outcomes, relapses: Relapses, k: int) -> None:
    before = copy.deepcopy((tuple(outcomes), tuple(relapses)))
    i, j = next(exchanges(k, relapses, outcomes, 1))
    assert not same(outcomes, before[0])
    exchange(k, i, j, relapses, outcomes)
    assert same(outcomes, before[0])
    assert same(relapses, before[1])


def test_who_has_no_relapse_another_stratum_or_would_die_first_exchanges_nothing(course: Course, relapses: Relapses) -> None:
    n = len(course.dfs)
    for k in (DFS, OS):
        for i in range(0, n, 7):
            for j in range(n):
                if not may_exchange(k, i, j, relapses):
                    continue
                assert course.relapsed[i]
                assert course.relapsed[j]
                assert min(course.os[i] - course.dfs[j], course.os[j] - course.dfs[i]) >= 50
                assert k == OS or course.stratum[i] == course.stratum[j]
