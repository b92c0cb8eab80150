"""Predictions of one question's models that the tests of comparisons and of the verdict share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cohort.types import ENDPOINTS, FloatArray, Outcome
from evaluation.comparison import NULL_KEY, ModelKey
from evaluation.predictions import HorizonPredictions

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
