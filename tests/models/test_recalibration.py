"""Recalibrated risks: right where the model was not, learned from patients it had not seen, and never in another order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, FloatArray, Outcome
from features.feature_set import build_predictors
from features.registry import FEATURE_SETS
from models.procedure import Procedure
from models.recalibration import Platt, RecalibrationMethod, Steps, learn_recalibration
from models.registry import MODELS

METHODS = pytest.mark.parametrize("method", ["platt", "isotonic"])


def _patients(n: int, censored: bool, seed: int = 0) -> tuple[FloatArray, Outcome]:
    """True risk by 12 months, and outcomes of an exponential time; some leave before the horizon."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.05, 0.95, n)
    time = rng.exponential(-12 / np.log1p(-true))
    left = rng.uniform(2, 40, n) if censored else np.full(n, 100.0)
    return true, Outcome(np.minimum(time, left) + 1e-6, time <= left)


@METHODS
@pytest.mark.parametrize("censored", [False, True])
def test_risks_that_are_too_extreme_and_too_high_become_true(method: RecalibrationMethod, censored: bool) -> None:
    true, outcome = _patients(20_000, censored)
    curve = learn_recalibration(method, expit(0.7 + 2 * logit(true)), outcome, 12.0)

    new, _ = _patients(500, censored, seed=1)
    assert np.abs(curve(expit(0.7 + 2 * logit(new))) - new).mean() < 0.025


def test_platt_finds_the_intercept_and_slope_that_spoilt_the_risks() -> None:
    true, outcome = _patients(40_000, censored=True)
    curve = learn_recalibration("platt", expit(0.7 + 2 * logit(true)), outcome, 12.0)

    assert isinstance(curve, Platt)
    assert (curve.intercept, curve.slope) == pytest.approx((-0.35, 0.5), abs=0.05)


@METHODS
def test_where_higher_risks_had_fewer_events_everybody_has_the_observed_risk(method: RecalibrationMethod) -> None:
    true, outcome = _patients(5_000, censored=False)
    curve = learn_recalibration(method, 1 - true, outcome, 12.0)

    np.testing.assert_allclose(curve(np.array([0.1, 0.5, 0.9])), outcome.events_by(12) / 5_000, atol=0.02)


@METHODS
def test_the_order_of_risks_is_kept(method: RecalibrationMethod) -> None:
    true, outcome = _patients(200, censored=True)
    risks = learn_recalibration(method, true, outcome, 12.0)(np.linspace(0, 1, 50))

    assert (np.diff(risks) >= 0).all()
    assert (risks >= 0).all()
    assert (risks <= 1).all()


@METHODS
def test_patients_of_one_status_are_refused_in_words(method: RecalibrationMethod) -> None:
    with pytest.raises(ValueError, match="the same status at 12 months"):
        learn_recalibration(method, np.full(3, 0.5), Outcome(np.full(3, 20.0), np.ones(3, dtype=bool)), 12.0)


@pytest.mark.parametrize(("method", "kind"), [("platt", Platt), ("isotonic", Steps)])
def test_a_procedure_learns_it_from_patients_its_models_had_not_seen(method: RecalibrationMethod, kind: type) -> None:
    simulated = simulate_cohort(300, signal=0.0, seed=4)
    outcome, predictors = simulated.cohort.outcome("dfs"), build_predictors(simulated.cohort, "overall", FEATURE_SETS["baseline"])
    # Deep trees of noise: that they know nothing is seen in other patients only.
    spec = replace(MODELS["xgboost_survival"], defaults={**MODELS["xgboost_survival"].defaults, "n_rounds": 150, "max_depth": 4})
    plain = Procedure(spec, ENDPOINTS["dfs"], (6.0, 12.0))
    fitted = replace(plain, recalibration=method).fit(predictors, outcome, seed=1)
    before = plain.fit(predictors, outcome, seed=1).risk_at(predictors.frame, 12.0)

    assert set(fitted.recalibrations) == {6.0, 12.0}
    assert all(isinstance(curve, kind) for curve in fitted.recalibrations.values())
    np.testing.assert_array_equal(fitted.risk_at(predictors.frame, 12.0), fitted.recalibrations[12.0](before))
    assert np.std(fitted.risk_at(predictors.frame, 12.0)) < (0.5 if method == "platt" else 0.9) * np.std(before)
    again = replace(plain, recalibration=method).fit(predictors, outcome, seed=1)
    np.testing.assert_array_equal(again.risk_at(predictors.frame, 6.0), fitted.risk_at(predictors.frame, 6.0))
