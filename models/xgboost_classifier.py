"""XGBoost classification of the status at one horizon."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
import xgboost as xgb

from cohort.types import Endpoint, FloatArray, Outcome
from models.at_horizon import known_status, require_horizon
from models.boosting import BOOSTING_DEFAULTS, booster_contributions, booster_settings, search_boosting
from models.contributions import Contributions
from models.risk_model import ModelSpec, Params


class XGBoostClassifier:
    """Patients censored before the horizon have no status and are left out of training.

    Missing values go their own way in each tree.
    """

    def __init__(self, params: Params, seed: int) -> None:
        self.params, self.seed = params, seed
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._horizon_months = endpoint.primary_horizon_months
        known, status = known_status(outcome, self._horizon_months)
        settings, rounds = booster_settings(self.params, self.seed, "binary:logistic")
        settings["base_score"] = float(status.mean())
        self._booster = xgb.train(settings, xgb.DMatrix(x.to_numpy()[known], status, nthread=1), rounds)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        require_horizon(self._horizon_months, horizon_months)
        return np.asarray(self._booster.predict(xgb.DMatrix(x.to_numpy(), nthread=1)), dtype=np.float64)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        return booster_contributions(self._booster, x, "logit")


XGBOOST_CLASSIFIER = ModelSpec(
    name="xgboost_classifier",
    label="XGBoost classifier",
    role="challenger",
    answers="horizon",
    build=XGBoostClassifier,
    search=search_boosting,
    defaults=BOOSTING_DEFAULTS,
    imputes=False,
    relative_cost=3.0,
)
