"""XGBoost with the Cox objective; its log hazards become risks through a baseline hazard of the training patients."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
import xgboost as xgb

from cohort.types import Endpoint, FloatArray, Outcome
from models.boosting import BOOSTING_DEFAULTS, booster_contributions, booster_settings, search_boosting
from models.contributions import Contributions
from models.cox import baseline_hazard, risk_from_hazard
from models.risk_model import ModelSpec, Params


class XGBoostSurvival:
    def __init__(self, params: Params, seed: int) -> None:
        self.params, self.seed = params, seed
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        settings, rounds = booster_settings(self.params, self.seed, "survival:cox")
        # XGBoost's Cox objective reads a negative time as censored.
        signed_time = np.where(outcome.event, outcome.time_months, -outcome.time_months)
        matrix = xgb.DMatrix(x.to_numpy(), signed_time, nthread=1)
        self._booster = xgb.train(settings, matrix, rounds)
        eta = self._eta(x)
        self._centre = float(eta.mean())
        self._times_months, self._hazard = baseline_hazard(eta - self._centre, outcome)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return risk_from_hazard(self._eta(x) - self._centre, self._times_months, self._hazard, horizon_months)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        return booster_contributions(self._booster, x, "log hazard", centre=self._centre)

    def _eta(self, x: pd.DataFrame) -> FloatArray:
        return np.asarray(self._booster.predict(xgb.DMatrix(x.to_numpy(), nthread=1), output_margin=True), dtype=np.float64)


XGBOOST_SURVIVAL = ModelSpec(
    name="xgboost_survival",
    label="XGBoost survival (Cox)",
    role="challenger",
    answers="any_time",
    build=XGBoostSurvival,
    search=search_boosting,
    defaults=BOOSTING_DEFAULTS,
    imputes=False,
    relative_cost=3.0,
)
