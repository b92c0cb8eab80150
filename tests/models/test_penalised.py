"""Elastic net: the minimum of its objective by a plain second way, the two ends of the penalty, and its numeric limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from cohort.types import ENDPOINTS, FloatArray, Outcome
from models.cox import RiskSets, fit_cox
from models.kaplan_meier import kaplan_meier
from models.penalised_cox import PENALISED_COX
from models.penalised_logistic import PENALISED_LOGISTIC

TWELVE, DFS = ENDPOINTS["relapse_12m"], ENDPOINTS["dfs"]


def _data(n: int = 200) -> tuple[pd.DataFrame, Outcome]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 4)) * [1, 50, 0.01, 1] + [0, 300, 0, 5]
    time = rng.exponential(20 * np.exp(-0.8 * x[:, 0] - 0.01 * (x[:, 1] - 300)))
    return pd.DataFrame(x, columns=list("abcd")), Outcome(np.minimum(time, 60.0) + 1e-3, time < 60)


def test_the_logistic_risks_are_those_of_the_objectives_minimum() -> None:
    x, outcome = _data()
    c, l1_ratio = 0.1, 0.4
    z = ((x - x.mean()) / x.std(ddof=0)).to_numpy()
    sign = np.where(outcome.time_months <= 12, 1.0, -1.0)

    def objective(split: FloatArray) -> float:  # coefficients as a positive and a negative part, so that |b| is smooth
        b = split[1:5] - split[5:]
        penalty = l1_ratio * split[1:].sum() + (1 - l1_ratio) / 2 * b @ b
        return float(penalty + c * np.logaddexp(0, -sign * (split[0] + z @ b)).sum())

    found = minimize(objective, np.zeros(9), bounds=[(None, None), *[(0, None)] * 8], options={"ftol": 1e-14, "gtol": 1e-9})
    expected = 1 / (1 + np.exp(-(found.x[0] + z @ (found.x[1:5] - found.x[5:]))))

    model = PENALISED_LOGISTIC.build({"C": c, "l1_ratio": l1_ratio}, 0).fit(x, outcome, TWELVE)

    np.testing.assert_allclose(model.risk_at(x, 12.0), expected, atol=1e-4)


@pytest.mark.parametrize("l1_ratio", [0.05, 0.5, 1.0])
def test_the_cox_coefficients_meet_the_elastic_nets_conditions(l1_ratio: float) -> None:
    # At the minimum the gradient of the log likelihood a patient is alpha (l1 sign(b) + (1 - l1) b), and at most alpha l1 where
    # b is 0 (Simon et al. 2011). alpha is read off one coefficient and must hold for all.
    x, outcome = _data()
    model = PENALISED_COX.build({"penalty": 0.2, "l1_ratio": l1_ratio}, 0).fit(x, outcome, DFS)
    z = ((x - x.mean()) / x.std(ddof=0)).to_numpy()
    b = np.linalg.lstsq(z, model._eta(x), rcond=None)[0]
    sets = RiskSets(outcome)
    gradient = sets.derivatives(z[sets.order], b)[1] / len(outcome)
    pull = l1_ratio * np.sign(b) + (1 - l1_ratio) * b
    kept = np.abs(b) > 1e-10
    alpha = gradient[kept] / pull[kept]

    assert kept.any()
    np.testing.assert_allclose(alpha, alpha[0], rtol=2e-3)
    assert (np.abs(gradient[~kept]) <= alpha[0] * l1_ratio * 1.001).all()


def test_almost_no_penalty_is_the_cox_regression_and_almost_all_of_it_the_null_model() -> None:
    x, outcome = _data()
    free = PENALISED_COX.build({"penalty": 1e-5, "l1_ratio": 0.5}, 0).fit(x, outcome, DFS)
    held = PENALISED_COX.build({"penalty": 0.999, "l1_ratio": 1.0}, 0).fit(x, outcome, DFS)

    # The path ends where a smaller penalty hardly changes the likelihood any more, as glmnet's does.
    np.testing.assert_allclose(free.risk_at(x, 12.0), fit_cox(x.to_numpy(), outcome).risk_at(x.to_numpy(), 12.0), atol=5e-3)
    np.testing.assert_allclose(held.risk_at(x, 12.0), 1 - kaplan_meier(outcome).at([12.0])[0, 0], atol=5e-3)


def test_units_of_the_features_decide_nothing() -> None:
    x, outcome = _data()
    for spec, endpoint in ((PENALISED_COX, DFS), (PENALISED_LOGISTIC, TWELVE)):
        model, again = (spec.build(spec.defaults, 0).fit(v, outcome, endpoint) for v in (x, x * 1000 + 7))
        np.testing.assert_allclose(model.risk_at(x, 12.0), again.risk_at(x * 1000 + 7, 12.0), atol=1e-4)


def test_separation_and_a_patient_far_out_leave_finite_risks() -> None:
    # A level that decides everything, and hardly a penalty; then a patient a thousand standard deviations away.
    x, outcome = _data()
    x = x.assign(early=(outcome.time_months < 6).astype(float), rare=np.r_[1.0, np.zeros(len(x) - 1)])
    model = PENALISED_COX.build({"penalty": 0.01, "l1_ratio": 0.05}, 0).fit(x, outcome, DFS)
    far = x.assign(a=1e3 * np.sign(np.arange(len(x)) - 50.0))

    for frame in (x, far):
        risk = model.risk_at(frame, 12.0)
        assert ((risk >= 0) & (risk <= 1)).all()
