"""What scikit-survival's forests share: gridded event times, and what is searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.contributions import Contributions
from models.forest_leaves import forest_contributions, forest_risk
from models.risk_model import Params
from models.structured_outcome import structured
from models.time_grid import on_grid, time_grid

if TYPE_CHECKING:
    import optuna

FOREST_DEFAULTS: Params = {"n_estimators": 100, "min_samples_leaf": 15, "max_features": 0.3, "max_samples": 0.8}
WHILE_TUNING: Params = {"n_estimators": 50}


class SurvivalForest:
    """``forest`` : a class of ``sksurv.ensemble``. Every tree grows on patients drawn with replacement."""

    def __init__(self, forest: Any, params: Params, seed: int) -> None:
        self._forest = forest(**params, bootstrap=True, random_state=seed, n_jobs=1)
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        grid = time_grid(outcome, endpoint.horizons_months)
        self._forest.fit(x.to_numpy(), structured(on_grid(outcome, grid)))
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return forest_risk(self._forest, x, horizon_months)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        return forest_contributions(self._forest, x, horizon_months)


def search_forest(trial: optuna.Trial) -> Params:
    return {
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 40, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 0.8),
        "max_samples": trial.suggest_float("max_samples", 0.5, 1.0),
    }
