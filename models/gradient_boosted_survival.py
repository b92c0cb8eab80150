"""scikit-survival's gradient-boosted survival trees with the Cox loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from sksurv.ensemble import GradientBoostingSurvivalAnalysis

from cohort.types import Endpoint, FloatArray, Outcome
from models.contributions import Contributions, tree_contributions
from models.cox import risk_from_hazard
from models.risk_model import ModelSpec, Params
from models.structured_outcome import structured

if TYPE_CHECKING:
    import optuna


class GradientBoostedSurvival:
    def __init__(self, params: Params, seed: int) -> None:
        self.params, self.seed = params, seed
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._model = GradientBoostingSurvivalAnalysis(**self.params, loss="coxph", random_state=self.seed)
        self._model.fit(x.to_numpy(), structured(outcome))
        # One patient's curve gives all others': hazards are proportional. scikit-survival reads a curve a patient, much slower.
        self._reference_eta = float(self._eta(x.iloc[:1])[0])
        curve = self._model.predict_survival_function(x.to_numpy()[:1], return_array=True)[0]
        self._reference_hazard = -np.log(np.asarray(curve, dtype=np.float64))
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        eta = self._eta(x) - self._reference_eta
        return risk_from_hazard(eta, self._model.unique_times_, self._reference_hazard, horizon_months)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        """To the log hazard: the sum of the trees at the learning rate, which starts from 0."""
        trees = [tree.tree_ for tree in self._model.estimators_[:, 0]]
        steps = [self._model.learning_rate * tree.value[:, 0, 0] for tree in trees]
        values, base = tree_contributions(trees, steps, x)
        return Contributions(values, base, self._eta(x), "log hazard")

    def _eta(self, x: pd.DataFrame) -> FloatArray:
        """(n,) log hazards."""
        return np.asarray(self._model.predict(x.to_numpy()), dtype=np.float64)


def _search(trial: optuna.Trial) -> Params:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 10, 120, step=10),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 1, 3),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 3, 30, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    }


GRADIENT_BOOSTED_SURVIVAL = ModelSpec(
    name="gradient_boosted_survival",
    label="Gradient-boosted survival",
    role="challenger",
    answers="any_time",
    build=GradientBoostedSurvival,
    search=_search,
    defaults={
        "n_estimators": 50,
        "learning_rate": 0.05,
        "max_depth": 2,
        "min_samples_leaf": 10,
        "subsample": 0.8,
        "max_features": 0.5,
    },
    relative_cost=10.0,
)
