"""What is foretold of a change in two patients against the regression fitted anew."""

from __future__ import annotations

import numpy as np
import pytest

from cohort.reconstruct.influence import measure_cox, measure_logistic, shift_cox, shift_logistic
from cohort.reconstruct.regressions import cox_step, logistic_step, within_reach

N = 150
COLUMN = np.array([0], dtype=np.int64)
NOBODY = np.empty(0, dtype=np.int64)


@pytest.fixture(params=["flag", "count", "marker"])
def values(request: pytest.FixtureRequest) -> np.ndarray:
    """A 0/1 flag, small whole numbers (looked up), and real numbers with some missing (exponentiated)."""
    rng = np.random.default_rng(1)
    if request.param == "flag":
        return rng.integers(0, 2, N).astype(float)
    if request.param == "count":
        return rng.integers(1, 30, N).astype(float)
    marker = rng.normal(3.0, 1.0, N)
    marker[:10] = np.nan
    return marker


@pytest.fixture
def event() -> np.ndarray:
    return np.random.default_rng(2).random(N) < 0.7


@pytest.fixture
def order() -> np.ndarray:
    return np.random.default_rng(3).permutation(N).astype(np.int64)


@pytest.fixture
def member() -> np.ndarray:
    return np.random.default_rng(4).random(N) < 0.9


def fitted(step, values, order, event, member, rounds: int = 40) -> tuple[np.ndarray, np.ndarray]:
    beta, error = np.zeros(2), np.zeros(2)
    for _ in range(rounds):
        found = np.zeros(2)
        assert step(values[None, :], COLUMN, order, event, member, beta, found, error)
        beta = found
    return beta, error


def swaps(values: np.ndarray, count: int = 60) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(pair, old, new): two patients who exchange known values that differ."""
    rng = np.random.default_rng(5)
    found = []
    while len(found) < count:
        pair = rng.choice(N, 2, replace=False).astype(np.int64)
        old = values[pair]
        if np.isfinite(old).all() and old[0] != old[1]:
            found.append((pair, old, old[::-1].copy()))
    return found


def changed(values: np.ndarray, pair: np.ndarray, new: np.ndarray) -> np.ndarray:
    other = values.copy()
    other[pair] = new
    return other


def test_a_logistic_shift_is_one_newton_step_of_the_changed_patients(values, order, event, member) -> None:
    beta, _ = fitted(logistic_step, values, order, event, member)
    sums = np.zeros(5)
    measure_logistic(values, event, member, beta[0], beta[1], sums)
    for pair, old, new in swaps(values):
        slope, error, intercept = shift_logistic(pair, old, new, event, member, beta[0], beta[1], sums)
        found, errors = np.zeros(2), np.zeros(2)
        assert logistic_step(changed(values, pair, new)[None, :], COLUMN, order, event, member, beta, found, errors)
        assert (slope, intercept, error) == pytest.approx((found[0], found[1], errors[0]), rel=1e-8, abs=1e-10)


def test_a_cox_shift_is_near_the_regression_fitted_anew(values, order, event, member) -> None:
    beta, error = fitted(cox_step, values, order, event, member)
    sums, at = np.zeros(5), np.zeros((N, 4))
    measure_cox(values, order, event, member, beta[0], sums, at)
    moved = 0.0
    for pair, old, new in swaps(values):
        slope, foretold_error = shift_cox(pair, old, new, event, member, beta[0], sums, at)
        again, errors = fitted(cox_step, changed(values, pair, new), order, event, member)
        assert abs(slope - again[0]) < 0.01 * error[0] + 0.15 * abs(again[0] - beta[0])
        assert foretold_error == pytest.approx(errors[0], rel=0.03)
        moved = max(moved, abs(again[0] - beta[0]) / error[0])
    assert moved > 0.1, "or the test would pass without any shift"


def test_a_single_patient_may_change_as_well(values, order, event, member) -> None:
    beta, error = fitted(cox_step, values, order, event, member)
    sums, at = np.zeros(5), np.zeros((N, 4))
    measure_cox(values, order, event, member, beta[0], sums, at)
    for patient in range(20, 50):
        pair, old = np.array([patient], dtype=np.int64), values[[patient]]
        slope, _ = shift_cox(pair, old, old + 1.0, event, member, beta[0], sums, at)
        again, _ = fitted(cox_step, changed(values, pair, old + 1.0), order, event, member)
        assert slope == pytest.approx(again[0], abs=0.02 * error[0])


def test_without_a_change_the_measured_sums_give_the_newton_step(values, order, event, member) -> None:
    start = np.array([0.02, -0.3])
    sums, at, nothing = np.zeros(5), np.zeros((N, 4)), np.empty(0)
    measure_logistic(values, event, member, start[0], start[1], sums)
    found, errors = np.zeros(2), np.zeros(2)
    assert logistic_step(values[None, :], COLUMN, order, event, member, start, found, errors)
    slope, error, intercept = shift_logistic(NOBODY, nothing, nothing, event, member, start[0], start[1], sums)
    assert (slope, intercept, error) == pytest.approx((found[0], found[1], errors[0]))
    beta, error_ = fitted(cox_step, values, order, event, member)
    measure_cox(values, order, event, member, beta[0], sums, at)
    assert shift_cox(NOBODY, nothing, nothing, event, member, beta[0], sums, at) == pytest.approx((beta[0], error_[0]), rel=1e-7)


def test_a_patient_outside_the_population_changes_nothing(values, order, event, member) -> None:
    outsider = np.flatnonzero(~member & np.isfinite(values))[:1].astype(np.int64)
    old = values[outsider]
    sums, at = np.zeros(5), np.zeros((N, 4))
    measure_cox(values, order, event, member, 0.1, sums, at)
    as_before = shift_cox(NOBODY, np.empty(0), np.empty(0), event, member, 0.1, sums, at)
    assert shift_cox(outsider, old, old + 5.0, event, member, 0.1, sums, at) == as_before


def test_nothing_is_foretold_of_a_covariate_that_is_the_same_in_all(order, event, member) -> None:
    same = np.ones(N)
    sums, at, nothing = np.zeros(5), np.zeros((N, 4)), np.empty(0)
    measure_cox(same, order, event, member, 0.0, sums, at)
    assert shift_cox(NOBODY, nothing, nothing, event, member, 0.0, sums, at)[1] == 0.0
    measure_logistic(same, event, member, 0.0, 0.0, sums)
    assert shift_logistic(NOBODY, nothing, nothing, event, member, 0.0, 0.0, sums)[1] == 0.0


def test_a_step_is_whole_near_the_maximum_and_shortened_far_from_it() -> None:
    assert within_reach(0.5) == 1.0
    assert within_reach(25.0) == pytest.approx(0.2)


def test_newton_from_far_away_comes_back(order, event, member) -> None:
    values = np.random.default_rng(6).integers(1, 60, N).astype(float)
    near, _ = fitted(cox_step, values, order, event, member)
    beta = np.array([1.5, 0.0])
    for _ in range(60):
        found = np.zeros(2)
        sums, at, nothing = np.zeros(5), np.zeros((N, 4)), np.empty(0)
        measure_cox(values, order, event, member, beta[0], sums, at)
        found[0], error = shift_cox(NOBODY, nothing, nothing, event, member, beta[0], sums, at)
        if error == 0.0:
            break
        beta = found
    assert beta[0] == pytest.approx(near[0], abs=1e-6)
