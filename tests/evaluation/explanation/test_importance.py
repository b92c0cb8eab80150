"""Permutation importance: the metrics' own numbers, a naive twin that shuffles the recorded values, and intervals by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cohort.types import Outcome
from evaluation.explanation.importance import (
    FOLD_COLUMNS,
    TestPatients,
    corrected_mean,
    fold_importance,
    importance_table,
    most_important,
)
from evaluation.metrics.registry import METRICS
from evaluation.paired_tests import corrected_resampled_t
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import horizon_weights

from .cases import OUTCOME, PREDICTORS, SPLITS, fitted

TEST = SPLITS[0].test


def _patients(outcome: Outcome, horizon: float = 12.0) -> TestPatients:
    return TestPatients(horizon, outcome.status_at(horizon), horizon_weights(outcome, horizon)[0])


@pytest.mark.parametrize("seed", range(3))
def test_auc_and_brier_are_those_of_the_metrics_under_censoring_and_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outcome = Outcome(rng.exponential(14, 80) + 0.1, rng.random(80) < 0.7)
    risk = rng.random(80).round(1)
    at = HorizonPredictions(12.0, 60.0, outcome, risk[:, None], np.zeros((80, 1), dtype=np.int16))
    patients = _patients(outcome)

    assert (patients.weights == 0).any(), "some are censored before the horizon"
    assert patients.auc(risk) == pytest.approx(METRICS["auc"].compute(at, np.ones((1, 80)))[0], abs=1e-12)
    assert patients.brier(risk) == pytest.approx(METRICS["brier"].compute(at, np.ones((1, 80)))[0], abs=1e-12)


def test_without_a_case_or_a_control_there_is_no_auc() -> None:
    patients = _patients(Outcome(np.array([20.0, 30.0]), np.array([True, False])))

    assert np.isnan(patients.auc(np.array([0.1, 0.2])))


@pytest.mark.parametrize("name", ["random_survival_forest", "xgboost_classifier", "paper_cox"])
def test_loss_is_that_of_shuffling_the_recorded_values_of_a_predictor_and_asking_the_whole_procedure(name: str) -> None:
    model, patients, frame = fitted(name), _patients(OUTCOME.subset(TEST)), PREDICTORS.frame.iloc[TEST]
    found = fold_importance(model, model.encoder.transform(frame), patients, 2, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    orders = [rng.permutation(len(frame)) for _ in range(2)]
    whole = model.risk_at(frame, 12.0)
    naive = []
    for predictor in PREDICTORS.names:
        risks = [model.risk_at(frame.assign(**{predictor: frame[predictor].array[order]}), 12.0) for order in orders]
        naive.append(np.mean([patients.auc(whole) - patients.auc(risk) for risk in risks]))
        naive.append(np.mean([patients.brier(risk) - patients.brier(whole) for risk in risks]))

    np.testing.assert_allclose(found["loss"], naive, atol=1e-9)
    assert found["predictor"].tolist() == [name for name in PREDICTORS.names for _ in range(2)]
    assert PREDICTORS.frame["baseline_cea"].isna().any(), "indicators of missing values are shuffled along"
    assert found["loss"].abs().max() > 0.01


def test_a_predictor_without_a_column_in_the_model_loses_exactly_nothing() -> None:
    model = fitted("paper_cox")
    unused = sorted(set(PREDICTORS.names) - {c.split("=")[0] for c in model.model.regression.columns})
    x = model.encoder.transform(PREDICTORS.frame.iloc[TEST])
    found = fold_importance(model, x, _patients(OUTCOME.subset(TEST)), 1, np.random.default_rng(0))

    assert unused
    assert (found.loc[found["predictor"].isin(unused), "loss"] == 0).all()


def test_interval_widens_by_the_share_of_patients_tested_as_by_hand() -> None:
    # Mean 0.03, standard deviation 0.01, t(2; 0.975) = 4.30265; sqrt(1/3 + 1/2) = 0.912871.
    mean, low, high = corrected_mean(np.array([0.02, 0.03, 0.04]), test_to_train=0.5)

    assert mean == pytest.approx(0.03)
    assert high - mean == pytest.approx(4.30265 * 0.01 * 0.912871, abs=1e-7)
    assert mean - low == pytest.approx(high - mean)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_interval_holds_0_exactly_where_the_corrected_resampled_t_test_does_not_reject(shift: float) -> None:
    for seed in range(20):
        values = np.random.default_rng(seed).normal(shift, 0.1, 10)
        _, low, high = corrected_mean(values, 0.25)
        assert (low <= 0 <= high) == (corrected_resampled_t(values, 0.25) >= 0.05)


def test_one_fold_has_no_interval() -> None:
    assert np.isnan(corrected_mean(np.array([0.1]), 0.25)[1:]).all()
    assert np.isnan(corrected_mean(np.array([]), 0.25)).all()


def _folds(losses: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"repeat": 0, "fold": fold, "horizon_months": 12.0, "predictor": name, "metric": metric, "loss": loss}
        for metric in ("auc", "brier")
        for name, of_name in losses.items()
        for fold, loss in enumerate(of_name)
    ]
    return pd.DataFrame(rows, columns=FOLD_COLUMNS)


def test_table_puts_the_most_important_first_and_tells_how_its_rank_varies() -> None:
    table = importance_table(_folds({"a": [0.0, 0.01, 0.02], "b": [0.05, 0.06, 0.01], "c": [0.0, 0.0, 0.0]}), 12.0, 3, 0.5)
    of_auc = table[table["metric"] == "auc"]

    assert of_auc["predictor"].tolist() == ["b", "a", "c"]
    assert of_auc["importance"].tolist() == pytest.approx([0.04, 0.01, 0.0])
    assert of_auc["rank"].tolist() == [1, 2, 3]
    assert of_auc["rank_low"].iloc[0] == 1
    assert of_auc["rank_high"].iloc[0] == pytest.approx(1.9)  # ranks 1, 1, 2
    assert set(table["note"]) == {""}


def test_folds_that_are_missing_are_told() -> None:
    table = importance_table(_folds({"a": [0.1, np.nan, 0.2], "b": [0.1, np.nan, 0.1]}), 12.0, 3, 0.5)

    assert set(table["n_folds"]) == {2}
    assert set(table["note"]) == {"in 2 of 3 folds only"}


def test_top_predictors_are_used_ones_by_mean_loss() -> None:
    folds = _folds({"a": [-0.1, 0.0], "b": [0.05, 0.06], "unused": [0.0, 0.0], "c": [0.2, 0.2]})

    assert most_important(folds, 12.0, 2) == ["c", "b"]
    assert most_important(folds, 12.0, 9) == ["c", "b", "a"]
    assert most_important(folds, 6.0, 9) == []
