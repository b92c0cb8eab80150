"""Predictions of one question's models that the tests of comparisons and of the verdict share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS, Endpoint, FloatArray, Outcome
from evaluation.comparison import NULL_KEY, ModelKey
from evaluation.estimate import Estimate, bootstrap_weights, percentile_interval
from evaluation.metrics.registry import METRICS
from evaluation.predictions import HorizonPredictions
from evaluation.tables import Cell, CellResult, leaderboard

TWELVE, DFS = ENDPOINTS["relapse_12m"], ENDPOINTS["dfs"]
LOGISTIC, COX, TREES = "paper_logistic", "paper_cox", "xgboost_classifier"


def patients(
    seed: int, n: int = 150, signal: float = 0.0, n_repeats: int = 2, n_folds: int = 5, leave: tuple[float, float] = (13, 60)
) -> tuple[Outcome, FloatArray, FloatArray]:
    """Outcome, true risk (n,) by 12 months, and fold (n, R). Relapse is exponential; those who leave do so from ``leave``."""
    rng = np.random.default_rng(seed)
    lp = signal * rng.normal(size=n)
    time, left = rng.exponential(17 / np.exp(lp)) + 1e-3, rng.uniform(*leave, n)
    fold = np.stack([rng.permutation(n) % n_folds for _ in range(n_repeats)], axis=1)
    return Outcome(np.minimum(time, left), time <= left), 1 - np.exp(-12 / 17 * np.exp(lp)), fold.astype(np.int16)


def predicted(outcome: Outcome, fold: FloatArray, risk: FloatArray, tau_months: float = 12.0) -> HorizonPredictions:
    """``risk`` (n,) in every repeat, or (n, R)."""
    risk = np.repeat(risk[:, None], fold.shape[1], axis=1) if risk.ndim == 1 else risk
    return HorizonPredictions(12.0, tau_months, outcome, risk, fold)


def question(
    risks: Mapping[ModelKey, FloatArray], outcome: Outcome, fold: FloatArray, tau_months: float = 12.0
) -> dict[ModelKey, HorizonPredictions]:
    """The models, and the null model with everybody's share of events."""
    share = np.nanmean(outcome.status_at(12.0))
    all_risks = {NULL_KEY: np.full(len(outcome), share), **risks}
    return {key: predicted(outcome, fold, risk, tau_months) for key, risk in all_risks.items()}


def board_of_models(
    models: Mapping[ModelKey, HorizonPredictions],
    endpoint: Endpoint,
    n_bootstraps: int,
    seed: int,
    metrics: Iterable[str] = METRICS,
) -> pd.DataFrame:
    """The leaderboard of these models in all patients, with these metrics."""
    results = []
    for (feature_set, model), at in models.items():
        weights = np.concatenate([np.ones((1, len(at.outcome))), bootstrap_weights(len(at.outcome), n_bootstraps, seed)])
        estimates = []
        for name in metrics:
            values = METRICS[name].compute(at, weights)
            low, high, _ = percentile_interval(values[1:])
            counts = (len(at.outcome), at.outcome.events_by(at.horizon_months))
            estimates.append(Estimate(name, at.horizon_months, float(values[0]), low, high, *counts))
        results.append(CellResult(Cell("overall", endpoint.name, feature_set, model), "completed", tuple(estimates)))
    return leaderboard(results)
