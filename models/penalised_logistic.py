"""Elastic-net logistic regression of the status at one horizon (Zou and Hastie 2005), on standardised features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.contributions import Contributions
from models.risk_model import ModelSpec, Params
from models.sklearn_classifier import SklearnClassifier

if TYPE_CHECKING:
    import optuna


class PenalisedLogistic(SklearnClassifier):
    """A scaler and a regression in a pipeline; what its standardised features add is coefficient times value."""

    def __init__(self, params: Params, seed: int) -> None:
        super().__init__(_make, params, seed)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        scaler, regression = (step for _, step in self._classifier.steps)
        values = x.to_numpy(dtype=np.float64)
        added = np.asarray(scaler.transform(values) * regression.coef_[0], dtype=np.float64)
        logit = np.asarray(self._classifier.decision_function(values), dtype=np.float64)
        return Contributions(added, float(regression.intercept_[0]), logit, "logit")


def _make(params: Params, seed: int) -> Any:
    # saga is the one solver with both penalties. It draws rows at random: the tolerance is low enough that two seeds agree.
    regression = LogisticRegression(**params, solver="saga", tol=1e-6, max_iter=20_000, random_state=seed)
    return make_pipeline(StandardScaler(), regression)


def _search(trial: optuna.Trial) -> Params:
    return {
        "C": trial.suggest_float("C", 1e-3, 10.0, log=True),
        "l1_ratio": trial.suggest_float("l1_ratio", 0.0, 1.0),
    }


PENALISED_LOGISTIC = ModelSpec(
    name="penalised_logistic",
    label="Elastic-net logistic",
    role="challenger",
    answers="horizon",
    build=PenalisedLogistic,
    search=_search,
    defaults={"C": 0.05, "l1_ratio": 0.5},
    relative_cost=1.0,
)
