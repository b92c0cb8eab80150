"""The grid of event times keeps every status at every grid time, so at every horizon too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort.types import Outcome
from models.kaplan_meier import kaplan_meier
from models.time_grid import on_grid, time_grid

TIMES = st.one_of(st.integers(1, 40).map(float), st.floats(0.01, 80))


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    pairs = draw(st.lists(st.tuples(TIMES, st.booleans()), min_size=1, max_size=120))
    time, event = map(np.array, zip(*pairs, strict=True))
    event[draw(st.integers(0, len(event) - 1))] = True
    return Outcome(time, event)


@settings(deadline=None)
@given(outcomes(), st.integers(2, 32))
def test_the_status_at_every_grid_time_is_unchanged(outcome: Outcome, size: int) -> None:
    grid = time_grid(outcome, (6.0, 12.0), size)
    moved = on_grid(outcome, grid)

    np.testing.assert_array_equal(moved.event, outcome.event)
    for month in grid:
        np.testing.assert_array_equal(moved.status_at(month), outcome.status_at(month))


@settings(deadline=None)
@given(outcomes(), st.integers(2, 32))
def test_events_move_up_to_the_grid_and_censorings_down_to_it_or_before_it(outcome: Outcome, size: int) -> None:
    grid = time_grid(outcome, (6.0, 12.0), size)
    moved = on_grid(outcome, grid)

    assert np.isin(moved.time_months[outcome.event], grid).all()
    assert (moved.time_months[outcome.event] >= outcome.time_months[outcome.event]).all()
    before_grid = outcome.time_months[~outcome.event] < grid[0]
    assert (moved.time_months[~outcome.event][before_grid] == grid[0] / 2).all()
    assert (moved.time_months[~outcome.event] <= outcome.time_months[~outcome.event])[~before_grid].all()
    assert np.isin(moved.time_months[~outcome.event][~before_grid], grid).all()


@settings(deadline=None)
@given(outcomes())
def test_the_grid_holds_every_horizon_and_ends_at_the_last_event_or_horizon(outcome: Outcome) -> None:
    grid = time_grid(outcome, (6.0, 12.0))

    assert {6.0, 12.0} <= set(grid)
    assert (np.diff(grid) > 0).all()
    assert grid[-1] == max(outcome.time_months[outcome.event].max(), 12.0)
    assert len(grid) <= 34


def test_kaplan_meier_at_the_horizons_is_unchanged_without_censoring_before_them() -> None:
    rng = np.random.default_rng(0)
    time = rng.exponential(20, 300) + 0.01
    outcome = Outcome(np.minimum(time, 30.0), time <= 30)
    moved = on_grid(outcome, time_grid(outcome, (6.0, 12.0)))

    np.testing.assert_allclose(kaplan_meier(moved).at([6, 12]), kaplan_meier(outcome).at([6, 12]), atol=1e-12)


def test_without_an_event_there_is_no_grid() -> None:
    with pytest.raises(ValueError, match="no event was seen"):
        time_grid(Outcome(np.array([1.0, 2.0]), np.array([False, False])), (6.0,))
