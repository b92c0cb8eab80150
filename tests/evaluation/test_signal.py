"""A cohort simulated with a strong known signal is found by every model, one with none by no model."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, FloatArray
from evaluation.cross_validation import cross_validate
from evaluation.estimate import bootstrap_weights
from evaluation.metrics.auc import AUC
from evaluation.predictions import HorizonPredictions, at_horizon
from evaluation.resampling import repeated_stratified_splits
from features.feature_set import build_predictors
from features.registry import FEATURE_SETS
from models.procedure import Procedure
from models.registry import MODELS

# A published score has the predictors that it has: whether they carry this signal is not its fault.
LEARNING = [name for name, spec in MODELS.items() if spec.uses_predictors and spec.role != "published"]
EVERY = pytest.mark.parametrize("name", LEARNING)
STRONG, NONE = 1.5, 0.0


@cache
def _predicted(name: str, signal: float) -> HorizonPredictions:
    """Out-of-fold risks at 12 months of one untuned model: 5 folds, 1 repeat."""
    endpoint = ENDPOINTS["relapse_12m" if MODELS[name].answers == "horizon" else "dfs"]
    cohort = simulate_cohort(400, signal=signal, seed=11).cohort
    outcome = cohort.outcome("dfs")
    predictors = build_predictors(cohort, "overall", FEATURE_SETS["pre_surgery"])
    splits = repeated_stratified_splits(outcome, (6.0, 12.0), 5, 1, seed=0)
    result = cross_validate(Procedure(MODELS[name], endpoint, (12.0,)), predictors, outcome, splits, seed=0)
    assert result.failures == ()
    rows = result.predictions["row"].to_numpy(dtype=int)
    table = result.predictions.assign(
        patient_id=cohort.patient_ids[rows], time_months=outcome.time_months[rows], event=outcome.event[rows]
    )
    return at_horizon(table, 12.0, 12.0)


def _auc(name: str, signal: float) -> float:
    at = _predicted(name, signal)
    return float(AUC.compute(at, np.ones((1, len(at.outcome))))[0])


def _resampled_auc(name: str, signal: float) -> FloatArray:
    at = _predicted(name, signal)
    return AUC.compute(at, bootstrap_weights(len(at.outcome), 2000, seed=0))


@EVERY
def test_a_strong_signal_is_found_by_every_model(name: str) -> None:
    assert _auc(name, STRONG) > 0.65
    assert np.percentile(_resampled_auc(name, STRONG), 2.5) > 0.5


@EVERY
def test_no_signal_is_found_by_no_model(name: str) -> None:
    # All models look at one cohort, so the 2.5 % of lying above 0.5 by chance are shared among them (Bonferroni).
    assert np.percentile(_resampled_auc(name, NONE), 2.5 / len(LEARNING)) < 0.5
    assert abs(_auc(name, NONE) - 0.5) < 0.1


@EVERY
def test_no_model_beats_the_truth_by_more_than_chance(name: str) -> None:
    # Out-of-fold AUC above that of the true risk would be a leak: nothing known can rank better.
    simulated = simulate_cohort(400, signal=STRONG, seed=11)
    at = _predicted(name, STRONG)
    truth = HorizonPredictions(12.0, 12.0, at.outcome, simulated.true_risk(12.0)[:, None], at.fold)

    assert _auc(name, STRONG) < AUC.compute(truth, np.ones((1, 400)))[0] + 0.02
