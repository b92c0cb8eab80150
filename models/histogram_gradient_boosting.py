"""scikit-learn's histogram gradient boosting of the status at one horizon. Missing values go their own way in each tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.ensemble import HistGradientBoostingClassifier

from models.risk_model import ModelSpec, Params
from models.sklearn_classifier import SklearnClassifier

if TYPE_CHECKING:
    import optuna


def _make(params: Params, seed: int) -> Any:
    # No early stopping: it would take a tenth of few patients away, and the number of trees is tuned.
    return HistGradientBoostingClassifier(**params, early_stopping=False, random_state=seed)


def _search(trial: optuna.Trial) -> Params:
    return {
        "max_iter": trial.suggest_int("max_iter", 10, 120, step=10),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 1, 4),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 40, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 0.1, 50.0, log=True),
        "max_features": trial.suggest_float("max_features", 0.2, 1.0),
    }


HISTOGRAM_GRADIENT_BOOSTING = ModelSpec(
    name="histogram_gradient_boosting",
    label="Histogram gradient boosting",
    role="challenger",
    answers="horizon",
    build=lambda params, seed: SklearnClassifier(_make, params, seed),
    search=_search,
    defaults={
        "max_iter": 60,
        "learning_rate": 0.05,
        "max_depth": 2,
        "min_samples_leaf": 10,
        "l2_regularization": 5.0,
        "max_features": 0.7,
    },
    imputes=False,
    relative_cost=5.0,
)
