"""The forest's risk is read from its leaves, and is scikit-survival's for everybody."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sksurv.ensemble import RandomSurvivalForest

from cohort.types import ENDPOINTS, Outcome
from models.survival_forest import SurvivalForest


def test_risk_is_one_minus_the_survival_that_scikit_survival_gives_each_patient() -> None:
    rng = np.random.default_rng(5)
    x = pd.DataFrame(rng.normal(size=(150, 3)), columns=list("abc"))
    outcome = Outcome(rng.exponential(12 * np.exp(-x["a"])).round(1) + 0.1, rng.random(150) < 0.8)
    model = SurvivalForest(RandomSurvivalForest, {"n_estimators": 20, "min_samples_leaf": 6}, 0).fit(x, outcome, ENDPOINTS["dfs"])
    times = model._forest.unique_times_
    survival = model._forest.predict_survival_function(x.to_numpy(), return_array=True)

    for step in (0, len(times) // 2, len(times) - 1):
        np.testing.assert_allclose(model.risk_at(x, times[step]), 1 - survival[:, step], atol=1e-12)
    between = (times[3] + times[4]) / 2
    np.testing.assert_array_equal(model.risk_at(x, between), model.risk_at(x, times[3]))
    assert not model.risk_at(x, times[0] / 2).any(), "before the first time nobody had the event"
