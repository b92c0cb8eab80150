"""What the XGBoost models share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xgboost as xgb

from models.contributions import Contributions, Scale
from models.risk_model import Params

if TYPE_CHECKING:
    import optuna

#: Small data: shallow trees, slow learning, strong regularisation.
BOOSTING_DEFAULTS: Params = {
    "n_rounds": 60,
    "learning_rate": 0.05,
    "max_depth": 2,
    "min_child_weight": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "reg_lambda": 5.0,
}


def search_boosting(trial: optuna.Trial) -> Params:
    return {
        "n_rounds": trial.suggest_int("n_rounds", 10, 160, step=10),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 1, 4),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 20.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.5, 50.0, log=True),
    }


def booster_settings(params: Params, seed: int, objective: str) -> tuple[dict[str, Any], int]:
    """Settings for ``xgboost.train`` and the number of rounds.

    One thread: at this size a second one makes it four times slower.
    """
    settings = {k: v for k, v in params.items() if k != "n_rounds"}
    settings |= {"objective": objective, "seed": seed, "nthread": 1, "tree_method": "hist", "verbosity": 0}
    return settings, params["n_rounds"]


def booster_contributions(booster: xgb.Booster, x: pd.DataFrame, scale: Scale, centre: float = 0.0) -> Contributions:
    """XGBoost's own TreeSHAP of the margin less ``centre``, missing values included."""
    matrix = xgb.DMatrix(x.to_numpy(), nthread=1)
    by_column = np.asarray(booster.predict(matrix, pred_contribs=True), dtype=np.float64)
    margin = np.asarray(booster.predict(matrix, output_margin=True), dtype=np.float64)
    return Contributions(by_column[:, :-1], float(by_column[0, -1]) - centre, margin - centre, scale)
