"""Encode, tune, fit: what a procedure refuses, and that it hands on what it should."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
import pytest

from cohort.types import ENDPOINTS, Endpoint, FloatArray, Outcome
from features.feature_set import Predictors
from models.kaplan_meier import kaplan_meier
from models.procedure import Procedure
from models.registry import MODELS
from models.risk_model import ModelSpec

DFS = ENDPOINTS["dfs"]


class Answers:
    """A model that gives whatever it was told to."""

    def __init__(self, risk: FloatArray) -> None:
        self.risk, self.notes = risk, ("answered",)

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self.trained_on = x
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return self.risk


def _procedure(risk: object, **spec: object) -> Procedure:
    answers = Answers(np.asarray(risk, dtype=float))
    return Procedure(ModelSpec("bad", "Bad", "challenger", "any_time", lambda *_: answers, **spec), DFS, (6.0, 12.0))


def _predictors(**columns: object) -> Predictors:
    return Predictors("test", pd.DataFrame(columns or {"age": [50.0, 60.0, np.nan]}), frozenset())


OUTCOME = Outcome(np.array([3.0, 9.0, 20.0]), np.array([True, True, False]))


@pytest.mark.parametrize(
    "risk",
    [[0.1, 0.2, 1.01], [0.1, -0.01, 0.5], [0.1, np.nan, 0.5], [0.1, 0.2], [[0.1], [0.2], [0.3]]],
    ids=["above 1", "below 0", "missing", "too few", "a matrix"],
)
def test_anything_but_one_risk_a_patient_between_0_and_1_is_refused(risk: object) -> None:
    fitted = _procedure(risk).fit(_predictors(), OUTCOME, seed=0)

    with pytest.raises(ValueError, match="Answers gave something other than 3 risks between 0 and 1"):
        fitted.risk_at(_predictors().frame, 12.0)


def test_risks_of_0_and_1_are_risks() -> None:
    fitted = _procedure([0, 0.5, 1]).fit(_predictors(), OUTCOME, seed=0)

    assert fitted.risk_at(_predictors().frame, 12.0).tolist() == [0, 0.5, 1]
    assert fitted.notes == ("answered",)


@pytest.mark.parametrize("column", [[1.0, 1.0, 1.0], [np.nan] * 3], ids=["constant", "missing"])
def test_predictors_that_do_not_vary_are_refused(column: list[float]) -> None:
    with pytest.raises(ValueError, match="no predictor varies among the training patients"):
        _procedure([0, 0, 0]).fit(_predictors(constant=column), OUTCOME, seed=0)


def test_the_null_model_needs_no_predictor() -> None:
    fitted = Procedure(MODELS["null_model"], DFS, (6.0, 12.0)).fit(
        Predictors("none", pd.DataFrame(index=range(3)), frozenset()), OUTCOME, seed=0
    )

    risk = fitted.risk_at(pd.DataFrame(index=range(5)), 12.0)
    assert risk.tolist() == [1 - kaplan_meier(OUTCOME).at([12.0])[0, 0]] * 5


def test_rows_of_predictors_and_outcomes_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="3 rows of predictors, 2 outcomes"):
        _procedure([0, 0, 0]).fit(_predictors(), OUTCOME.subset(np.array([0, 1])), seed=0)


@pytest.mark.parametrize(("imputes", "missing"), [(True, 0), (False, 1)])
def test_missing_values_are_filled_only_for_a_model_that_wants_them_filled(imputes: bool, missing: int) -> None:
    fitted = _procedure([0, 0, 0], imputes=imputes).fit(_predictors(), OUTCOME, seed=0)

    assert fitted.model.trained_on.isna().sum().sum() == missing


def test_a_time_model_is_trained_on_the_time_to_event_and_a_classifier_on_its_horizon() -> None:
    trained_on = {
        (name, endpoint): spec.trains_on(ENDPOINTS[endpoint])
        for name, spec in MODELS.items()
        for endpoint in ("relapse_12m", "os")
    }

    assert trained_on["paper_cox", "relapse_12m"] == "dfs"
    assert trained_on["paper_cox", "os"] == "os"
    assert trained_on["paper_logistic", "relapse_12m"] == "relapse_12m"
    assert trained_on["paper_logistic", "os"] is None


def test_a_model_that_does_not_choose_predictors_selected_none() -> None:
    assert _procedure([0.1, 0.2, 0.3]).fit(_predictors(), OUTCOME, seed=0).selected is None


@pytest.mark.parametrize("name", ["paper_logistic", "paper_cox"])
def test_a_two_stage_model_says_which_predictors_entered_without_their_levels(name: str) -> None:
    rng = np.random.default_rng(3)
    strong, noise = rng.normal(size=200), rng.normal(size=(200, 2))
    group = pd.Categorical(np.where(strong > 1, "high", np.where(strong < -1, "low", "middle")), ["low", "middle", "high"])
    frame = pd.DataFrame({"strong": strong, "group": group, "noise": noise[:, 0]})
    outcome = Outcome(rng.exponential(12 * np.exp(-1.5 * strong)) + 0.01, np.ones(200, dtype=bool))
    procedure = Procedure(MODELS[name], ENDPOINTS["relapse_12m"], (12.0,))
    fitted = procedure.fit(Predictors("test", frame, frozenset()), outcome, seed=0)

    assert {"strong", "group"} <= set(fitted.selected or ()) <= set(frame)
    assert fitted.notes[0].startswith("entered: " + ", ".join(fitted.selected or ()))
