"""Gradient-boosted survival: the risk is read from one patient's curve, and is scikit-survival's for everybody."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS, Outcome
from models.gradient_boosted_survival import GradientBoostedSurvival


def test_risk_is_one_minus_the_survival_that_scikit_survival_gives_each_patient() -> None:
    rng = np.random.default_rng(5)
    x = pd.DataFrame(rng.normal(size=(150, 3)), columns=list("abc"))
    outcome = Outcome(rng.exponential(12 * np.exp(-x["a"])).round(1) + 0.1, rng.random(150) < 0.8)
    model = GradientBoostedSurvival({"n_estimators": 40, "learning_rate": 0.2}, 0).fit(x, outcome, ENDPOINTS["dfs"])
    curves = model._model.predict_survival_function(x.to_numpy())

    for months in (1.0, 6.0, 12.0, 40.0):
        expected = [1 - curve(months) for curve in curves]
        np.testing.assert_allclose(model.risk_at(x, months), expected, atol=1e-9)
    assert not model.risk_at(x, outcome.time_months.min() / 2).any(), "before the first time nobody had the event"
