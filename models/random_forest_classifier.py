"""scikit-learn's random forest of the status at one horizon (Breiman 2001), probabilities averaged over leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.ensemble import RandomForestClassifier

from models.risk_model import ModelSpec, Params
from models.sklearn_classifier import SklearnClassifier

if TYPE_CHECKING:
    import optuna


def _make(params: Params, seed: int) -> Any:
    return RandomForestClassifier(**params, random_state=seed, n_jobs=1)


def _search(trial: optuna.Trial) -> Params:
    return {
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 40, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 0.8),
        "max_samples": trial.suggest_float("max_samples", 0.5, 1.0),
    }


RANDOM_FOREST_CLASSIFIER = ModelSpec(
    name="random_forest_classifier",
    label="Random forest classifier",
    role="challenger",
    answers="horizon",
    build=lambda params, seed: SklearnClassifier(_make, params, seed),
    search=_search,
    defaults={"n_estimators": 200, "min_samples_leaf": 10, "max_features": 0.3, "max_samples": 0.8},
    while_tuning={"n_estimators": 100},
    relative_cost=5.0,
)
