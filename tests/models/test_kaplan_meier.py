"""Kaplan-Meier and censoring weights: by hand with ties, against R and scikit-survival, and weights as repeated patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.nonparametric import ipc_weights, kaplan_meier_estimator

from cohort.types import Outcome
from models.kaplan_meier import horizon_weights, ipcw_brier, kaplan_meier

REFERENCE = Path(__file__).parent.parent / "reference"


def _outcome(time: object, event: object) -> Outcome:
    return Outcome(np.asarray(time, dtype=float), np.asarray(event, dtype=bool))


def _random(seed: int, n: int = 80, tied: bool = True) -> Outcome:
    rng = np.random.default_rng(seed)
    time = rng.exponential(12, n) + 0.01
    return _outcome(np.ceil(time) if tied else time, rng.random(n) < 0.6)


@st.composite
def tied_outcomes(draw: st.DrawFn) -> Outcome:
    n = draw(st.integers(1, 25))
    time = draw(st.lists(st.integers(1, 8), min_size=n, max_size=n))
    event = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return _outcome(time, event)


def test_survival_by_hand_with_an_event_and_a_censoring_at_one_time() -> None:
    # At 2: five at risk, one event, one censored with it. At 3: three at risk, one event. At 5: two at risk, both leave.
    outcome = _outcome([2, 2, 3, 5, 5], [1, 0, 1, 1, 0])

    curve = kaplan_meier(outcome)

    assert curve.times_months.tolist() == [2, 3, 5]
    np.testing.assert_allclose(curve.survival[0], [4 / 5, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3 * 1 / 2])


def test_events_have_left_when_those_censored_at_the_same_time_leave() -> None:
    outcome = _outcome([2, 2, 3, 5, 5], [1, 0, 1, 1, 0])

    censoring = kaplan_meier(outcome, of_censoring=True)

    # At 2 four remain after the event, one is censored; at 5 one remains after the event, and is censored.
    np.testing.assert_allclose(censoring.survival[0], [3 / 4, 3 / 4, 0])


def test_steps_hold_from_their_time_on_and_are_1_before_the_first() -> None:
    curve = kaplan_meier(_outcome([2, 4], [1, 1]))

    np.testing.assert_allclose(curve.at([1.9, 2, 3.9, 4, 9])[0], [1, 0.5, 0.5, 0, 0])
    np.testing.assert_allclose(curve.just_before([2, 2.1, 4, 4.1])[0], [1, 0.5, 0.5, 0])


@settings(deadline=None)
@given(tied_outcomes(), st.integers(0, 2**32 - 1), st.booleans())
def test_integer_weights_are_repeated_patients(outcome: Outcome, seed: int, of_censoring: bool) -> None:
    times = np.random.default_rng(seed).integers(0, 4, len(outcome))
    if times.sum() == 0:
        times[0] = 1
    repeated = outcome.subset(np.repeat(np.arange(len(outcome)), times))

    weighted = kaplan_meier(outcome, times[None, :].astype(float), of_censoring=of_censoring)
    physical = kaplan_meier(repeated, of_censoring=of_censoring)

    months = np.arange(0.5, 9, 0.5)
    np.testing.assert_allclose(weighted.at(months), physical.at(months), atol=1e-12)
    np.testing.assert_allclose(weighted.just_before(months), physical.just_before(months), atol=1e-12)


def test_every_row_of_weights_is_its_own_curve() -> None:
    outcome = _random(0)
    weights = np.random.default_rng(1).integers(0, 3, (4, len(outcome))).astype(float)

    together = kaplan_meier(outcome, weights).at([6, 12])

    for row, weight in zip(together, weights, strict=True):
        np.testing.assert_array_equal(row, kaplan_meier(outcome, weight[None, :]).at([6, 12])[0])


@pytest.mark.parametrize("seed", range(5))
def test_survival_is_that_of_scikit_survival_with_ties(seed: int) -> None:
    outcome = _random(seed)
    times, survival = kaplan_meier_estimator(outcome.event, outcome.time_months)
    _, censoring = kaplan_meier_estimator(outcome.event, outcome.time_months, reverse=True)

    np.testing.assert_allclose(kaplan_meier(outcome).at(times)[0], survival, atol=1e-12)
    np.testing.assert_allclose(kaplan_meier(outcome, of_censoring=True).at(times)[0], censoring, atol=1e-12)


@pytest.mark.parametrize("name", ["veteran", "lung", "colon"])
def test_both_curves_are_those_of_r(name: str) -> None:
    data = pd.read_csv(REFERENCE / f"data_{name}.csv")
    r = pd.read_csv(REFERENCE / "kaplan_meier.csv").query("data == @name")
    outcome = _outcome(data["time"], data["event"])

    np.testing.assert_allclose(kaplan_meier(outcome).at(r["time"])[0], r["survival"], atol=1e-12)
    np.testing.assert_allclose(kaplan_meier(outcome, of_censoring=True).at(r["time"])[0], r["censoring"], atol=1e-12)


def test_without_censoring_before_the_horizon_everybody_weighs_1() -> None:
    outcome = _outcome([1, 3, 6, 7, 9], [1, 1, 0, 0, 1])

    np.testing.assert_array_equal(horizon_weights(outcome, 6.0), np.ones((1, 5)))


def test_horizon_weights_by_hand() -> None:
    # G: 1 up to 2, then 3/4 (four at risk when one is censored at 2), then 1/2 of that after the censoring at 5.
    outcome = _outcome([1, 2, 3, 5, 8], [1, 0, 1, 0, 1])

    np.testing.assert_allclose(horizon_weights(outcome, 6.0)[0], [1, 0, 4 / 3, 0, 1 / (3 / 4 * 1 / 2)])


def test_a_patient_censored_at_the_horizon_is_a_control_weighted_by_g_just_before_it() -> None:
    outcome = _outcome([2, 4, 6, 6, 9], [0, 1, 0, 1, 1])

    np.testing.assert_allclose(horizon_weights(outcome, 6.0)[0], [0, 5 / 4, 5 / 4, 5 / 4, 5 / 4])


def test_weights_are_those_of_scikit_survival_on_untied_times() -> None:
    # With ties sksurv reads G at T, here G just before T: the same where no censoring falls on an event.
    outcome = _random(3, tied=False)
    horizon = float(np.median(outcome.time_months)) + 1e-6
    by_horizon = Outcome(np.minimum(outcome.time_months, horizon), outcome.event | (outcome.time_months > horizon))
    theirs = ipc_weights(by_horizon.event, by_horizon.time_months)

    np.testing.assert_allclose(horizon_weights(outcome, horizon)[0], theirs, rtol=1e-12)


@settings(deadline=None)
@given(tied_outcomes(), st.sampled_from([2.0, 3.5, 5.0, 7.0]))
def test_the_weighted_share_of_events_is_the_kaplan_meier_risk(outcome: Outcome, horizon: float) -> None:
    status = np.nan_to_num(outcome.status_at(horizon))
    risk = 1 - kaplan_meier(outcome).at([horizon])[0, 0]

    assert horizon_weights(outcome, horizon)[0] @ status / len(outcome) == pytest.approx(risk, abs=1e-12)


def test_weights_sum_to_the_patients_while_somebody_is_followed_past_the_horizon() -> None:
    outcome = _random(5, n=200)

    assert horizon_weights(outcome, 12.0).sum() == pytest.approx(200)


def test_ipcw_brier_by_hand() -> None:
    outcome = _outcome([1, 2, 3, 5, 8], [1, 0, 1, 0, 1])
    risk = np.array([0.9, 0.5, 0.6, 0.5, 0.2])

    expected = (0.1**2 + 4 / 3 * 0.4**2 + 8 / 3 * 0.2**2) / 5
    assert ipcw_brier(outcome, risk, 6.0) == pytest.approx(expected)
