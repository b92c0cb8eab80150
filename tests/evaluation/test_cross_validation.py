"""Cross-validation: each patient is predicted by a fit that never saw him, and a fold that raises is a row of its own."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
import pytest

from cohort.types import ENDPOINTS, Endpoint, FloatArray, Outcome
from evaluation.cross_validation import FoldFailure, cross_validate
from evaluation.resampling import Split, repeated_stratified_splits
from features.feature_set import Predictors
from models.procedure import Procedure
from models.risk_model import ModelSpec

N = 40
OUTCOME = Outcome(np.random.default_rng(0).exponential(15, N) + 0.1, np.random.default_rng(1).random(N) < 0.8)
PREDICTORS = Predictors("test", pd.DataFrame({"patient": np.arange(N, dtype=float)}), frozenset({"x"}))
SPLITS = repeated_stratified_splits(OUTCOME, (6.0, 12.0), 4, 2, seed=0)


class Remembers:
    """Gives risk 1 to a patient it was trained on and 0.25 to others; raises while fitting or predicting a planted patient."""

    def __init__(self, seed: int, breaks_in_fit: float, breaks_in_prediction: float) -> None:
        self.breaks_in_fit, self.breaks_in_prediction = breaks_in_fit, breaks_in_prediction
        self.notes = (f"seed {seed}",)

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self.seen = set(x["patient"])
        if self.breaks_in_fit >= 0 and self.breaks_in_fit not in self.seen:
            raise RuntimeError("singular matrix")
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        if self.breaks_in_prediction in set(x["patient"]) and horizon_months == 12.0:
            raise KeyError("level")
        return np.where(x["patient"].isin(self.seen), 1.0, 0.25)


def _procedure(breaks_in_fit: float = -1, breaks_in_prediction: float = -1) -> Procedure:
    def build(params: object, seed: int) -> Remembers:
        return Remembers(seed, breaks_in_fit, breaks_in_prediction)

    return Procedure(ModelSpec("remembers", "Remembers", "challenger", "any_time", build), ENDPOINTS["dfs"], (6.0, 12.0))


def _validate(procedure: Procedure) -> tuple[pd.DataFrame, tuple[FoldFailure, ...], tuple[str, ...]]:
    result = cross_validate(procedure, PREDICTORS, OUTCOME, SPLITS, seed=100)
    return result.predictions, result.failures, result.notes


def _fold_of(patient: int, repeat: int) -> int:
    return next(s.fold for s in SPLITS if s.repeat == repeat and patient in s.test)


def test_no_patient_is_predicted_by_a_fit_that_saw_him() -> None:
    predictions, failures, _ = _validate(_procedure())

    assert failures == ()
    assert (predictions["risk"] == 0.25).all()


def test_every_patient_has_one_row_a_repeat_and_horizon_in_the_fold_that_tested_him() -> None:
    predictions, _, _ = _validate(_procedure())

    assert list(predictions.columns) == ["repeat", "fold", "row", "horizon_months", "risk"]
    assert len(predictions) == N * 2 * 2
    assert not predictions.duplicated(["repeat", "row", "horizon_months"]).any()
    for (repeat, fold), rows in predictions.groupby(["repeat", "fold"]):
        assert set(rows["row"]) == set(SPLITS[4 * repeat + fold].test)


def test_every_fold_has_its_own_seed() -> None:
    assert _validate(_procedure())[2] == tuple(f"seed {100 + number}" for number in range(8))


@pytest.mark.parametrize(
    ("broken", "error"),
    [({"breaks_in_fit": 3.0}, "RuntimeError: singular matrix"), ({"breaks_in_prediction": 3.0}, "KeyError: 'level'")],
    ids=["fit", "prediction"],
)
def test_a_fold_that_raises_becomes_a_failure_and_the_others_go_on(broken: dict[str, float], error: str) -> None:
    predictions, failures, notes = _validate(_procedure(**broken))

    # Patient 3 is missing from training, or asked for, in the one fold of each repeat that tests him.
    assert failures == tuple(FoldFailure(repeat, _fold_of(3, repeat), error) for repeat in range(2))
    assert str(failures[0]) == f"repeat 0 fold {_fold_of(3, 0)}: {error}"
    done = set(predictions[["repeat", "fold"]].itertuples(index=False, name=None))
    assert done == {(s.repeat, s.fold) for s in SPLITS} - {(f.repeat, f.fold) for f in failures}
    assert len(notes) == 6


def test_a_fold_that_fails_at_its_second_horizon_leaves_no_row_of_its_first() -> None:
    predictions, _, _ = _validate(_procedure(breaks_in_prediction=3.0))

    assert 3 not in set(predictions["row"])


def test_when_all_folds_fail_the_table_is_empty_and_keeps_its_columns() -> None:
    predictions, failures, notes = _validate(_procedure(breaks_in_fit=1e9))

    assert len(failures) == 8
    assert notes == ()
    assert list(predictions.columns) == ["repeat", "fold", "row", "horizon_months", "risk"]
    assert predictions.empty


def test_taking_rows_keeps_the_rest_of_the_predictors() -> None:
    taken = PREDICTORS.take(np.array([3, 1]))

    assert taken.frame["patient"].tolist() == [3, 1]
    assert (taken.feature_set, taken.skewed) == ("test", frozenset({"x"}))


def test_a_keyboard_interrupt_is_no_fold_failure() -> None:
    class Interrupted(Remembers):
        def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
            raise KeyboardInterrupt

    spec = ModelSpec("interrupted", "Interrupted", "challenger", "any_time", lambda *_: Interrupted(0, -1, -1))
    split = Split(0, 0, np.arange(20), np.arange(20, 40))

    with pytest.raises(KeyboardInterrupt):
        cross_validate(Procedure(spec, ENDPOINTS["dfs"], (6.0,)), PREDICTORS, OUTCOME, [split], seed=0)
