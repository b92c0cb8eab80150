"""XGBoost's accelerated failure time model (Barnwal et al. 2022): trees move the time, its distribution gives the risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
import xgboost as xgb

from cohort.types import Endpoint, FloatArray, Outcome
from models.aft import ERRORS, aft_risk, fit_aft, stop_at
from models.boosting import BOOSTING_DEFAULTS, booster_settings, search_boosting
from models.risk_model import ModelSpec, Params

if TYPE_CHECKING:
    import optuna


class XGBoostAFT:
    """Starts from the training patients' own distribution and keeps its scale, so that no round at all is the null model.

    XGBoost's own start (half a month, scale 1) is far from any cohort's times, and its risks are off for it. Follow-up is stopped
    at the endpoint's last horizon (van Houwelingen 2007): a distribution that also had to fit those who never relapse would be
    wrong at the horizons (0.52 instead of 0.60 by 12 months in the embedded cohort), and nothing later is asked for.
    """

    def __init__(self, params: Params, seed: int) -> None:
        self.params, self.seed = {k: v for k, v in params.items() if k != "distribution"}, seed
        self._distribution: str = params["distribution"]
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        outcome = stop_at(outcome, endpoint.primary_horizon_months)
        self._start = fit_aft(outcome, self._distribution)
        settings, rounds = booster_settings(self.params, self.seed, "survival:aft")
        settings |= {"aft_loss_distribution": self._distribution, "aft_loss_distribution_scale": self._start.scale}
        matrix = self._matrix(x)
        matrix.set_float_info("label_lower_bound", outcome.time_months)
        matrix.set_float_info("label_upper_bound", np.where(outcome.event, outcome.time_months, np.inf))
        self._booster = xgb.train(settings, matrix, rounds)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        location = np.asarray(self._booster.predict(self._matrix(x), output_margin=True), dtype=np.float64)
        return aft_risk(location, self._start.scale, self._distribution, horizon_months)

    def _matrix(self, x: pd.DataFrame) -> xgb.DMatrix:
        return xgb.DMatrix(x.to_numpy(), base_margin=np.full(len(x), self._start.location))


def _search(trial: optuna.Trial) -> Params:
    return {**search_boosting(trial), "distribution": trial.suggest_categorical("distribution", list(ERRORS))}


XGBOOST_AFT = ModelSpec(
    name="xgboost_aft",
    label="XGBoost survival (AFT)",
    role="challenger",
    answers="any_time",
    build=XGBoostAFT,
    search=_search,
    defaults={**BOOSTING_DEFAULTS, "distribution": "logistic"},
    imputes=False,
    relative_cost=3.0,
)
