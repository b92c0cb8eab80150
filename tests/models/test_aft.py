"""AFT without predictors against R, and XGBoost's AFT against what it should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort.types import ENDPOINTS, Outcome
from models.aft import aft_risk, fit_aft, stop_at
from models.kaplan_meier import kaplan_meier
from models.xgboost_aft import XGBOOST_AFT

REFERENCE = Path(__file__).parent.parent / "reference"

# R 4, survival: d <- read.csv("tests/reference/data_lung.csv"); f <- survreg(Surv(time, event) ~ 1, d, dist = ...)
# c(coef(f), f$scale), dist = "lognormal", "loglogistic", "weibull"
SURVREG = {
    "normal": (2.33569494, 0.92830678),
    "logistic": (2.36942913, 0.51637154),
    "extreme": (2.68325677, 0.69340001),
}


def _lung() -> Outcome:
    data = pd.read_csv(REFERENCE / "data_lung.csv")
    return Outcome(data["time"].to_numpy(dtype=float), data["event"].to_numpy(dtype=bool))


@pytest.mark.parametrize("distribution", SURVREG)
def test_location_and_scale_are_those_of_r(distribution: str) -> None:
    fit = fit_aft(_lung(), distribution)

    assert (fit.location, fit.scale) == pytest.approx(SURVREG[distribution], rel=1e-5)


def test_a_weibull_risk_is_its_closed_form() -> None:
    # S(t) = exp(-(t / e^location)^(1 / scale))
    risk = aft_risk(np.array([2.0]), 0.7, "extreme", 6.0)

    assert risk == pytest.approx(1 - np.exp(-((6 / np.exp(2.0)) ** (1 / 0.7))))


@pytest.mark.parametrize("distribution", SURVREG)
def test_boosting_without_a_round_of_weight_is_the_cohorts_own_distribution(distribution: str) -> None:
    outcome = _lung()
    x = pd.DataFrame({"noise": np.arange(len(outcome), dtype=float)})
    params = {**XGBOOST_AFT.defaults, "distribution": distribution, "learning_rate": 1e-9}
    start = fit_aft(stop_at(outcome, 12.0), distribution)

    model = XGBOOST_AFT.build(params, 0).fit(x, outcome, ENDPOINTS["dfs"])

    expected = aft_risk(np.full(len(x), start.location), start.scale, distribution, 12.0)
    np.testing.assert_allclose(model.risk_at(x, 12.0), expected, atol=1e-6)
    assert expected[0] == pytest.approx(1 - kaplan_meier(outcome).at([12.0])[0, 0], abs=0.03)


def test_stopping_leaves_the_status_at_every_earlier_time_as_it_was() -> None:
    outcome = Outcome(np.array([3.0, 12.0, 12.0, 12.5, 40.0]), np.array([True, True, False, True, False]))
    stopped = stop_at(outcome, 12.0)

    assert stopped.time_months.tolist() == [3, 12, 12, 12, 12]
    assert stopped.event.tolist() == [True, True, False, False, False]
    for horizon in (2.0, 3.0, 11.0, 12.0):
        np.testing.assert_array_equal(stopped.status_at(horizon), outcome.status_at(horizon))


def test_no_event_and_no_spread_are_refused() -> None:
    with pytest.raises(ValueError, match="no event was seen"):
        fit_aft(Outcome(np.array([1.0, 2.0]), np.array([False, False])), "normal")
    with pytest.raises(ValueError, match="no AFT model"):
        fit_aft(Outcome(np.full(20, 5.0), np.ones(20, dtype=bool)), "normal")
