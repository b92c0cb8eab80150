"""Refits: every step learned again in the patients drawn, all patients predicted, a failure kept as a row."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import Endpoint, FloatArray, Outcome
from evaluation.refits import Refit, gather, refit
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS
from models.procedure import Procedure
from models.registry import MODELS
from models.risk_model import ModelSpec

from .refit_cases import TWELVE, made_up, outcome_of

N = 12
FRAME = pd.DataFrame({"patient": np.arange(N, dtype=float)}, index=[f"P{i}" for i in range(N)])
PREDICTORS = Predictors("test", FRAME, frozenset())
OUTCOME = outcome_of(N, 1)


class _Spy:
    """Keeps the patients that it was fitted to; raises where it meets patient 3."""

    notes: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()

    def __init__(self, seen: list[list[float]]) -> None:
        self.seen = seen

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self.seen.append(x["patient"].tolist())
        if 3.0 in set(x["patient"]):
            raise ValueError("singular")
        self.selected = ("patient",)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return x["patient"].to_numpy() / 100


def _procedure(seen: list[list[float]]) -> Procedure:
    return Procedure(ModelSpec("spy", "Spy", "challenger", "horizon", lambda *_: _Spy(seen)), TWELVE, (12.0,))


def test_a_patient_drawn_twice_is_learned_from_twice_and_one_not_drawn_never() -> None:
    seen: list[list[float]] = []
    drawn = np.array([2.0, 0, 1, 0, 3, 0, 0, 1, 1, 1, 2, 1])
    again = refit(_procedure(seen), PREDICTORS, OUTCOME, drawn, 0)

    assert seen == [[0, 0, 2, 4, 4, 4, 7, 8, 9, 10, 10, 11]]
    np.testing.assert_allclose(again.risk, [np.arange(N) / 100])
    assert again.selected == ("patient",)
    assert not again.error


def test_a_resample_that_raises_is_kept_with_its_error() -> None:
    again = refit(_procedure([]), PREDICTORS, OUTCOME, np.ones(N), 0)

    assert again.risk is None
    assert again.selected is None
    assert again.error == "ValueError: singular"


def test_failed_resamples_are_set_apart_from_the_draws_and_risks_of_the_others() -> None:
    drawn = np.arange(3 * N, dtype=float).reshape(3, N)
    fine = Refit(np.full((1, N), 0.2), ("patient",))
    gathered = gather(OUTCOME, 12.0, (12.0,), np.zeros((1, N)), (), ("patient",), drawn, [fine, Refit(None, error="no"), fine])

    np.testing.assert_array_equal(gathered.drawn, drawn[[0, 2]])
    assert gathered.risk.shape == (2, 1, N)
    assert gathered.failures == ("no",)
    assert gathered.n_resamples == 3
    assert gathered.selected == (("patient",), ("patient",))


def test_when_every_resample_fails_there_are_no_models_but_all_the_reasons() -> None:
    gathered = gather(OUTCOME, 12.0, (12.0,), np.zeros((1, N)), None, (), np.ones((2, N)), [Refit(None, error="no")] * 2)

    assert gathered.risk.shape == (0, 1, N)
    assert gathered.failures == ("no", "no")


@pytest.mark.parametrize(
    "changes", [{"risk": np.zeros((8, 2, 60))}, {"original": np.zeros(60)}, {"drawn": np.ones((7, 60))}, {"selected": ((),)}]
)
def test_arrays_that_do_not_fit_together_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not|of 8 models"):
        made_up(**changes)


@pytest.mark.parametrize("name", ["paper_cox", "xgboost_classifier"])
def test_missing_values_and_factors_are_encoded_and_imputed_within_the_resample(name: str) -> None:
    cohort = simulate_cohort(90, seed=2).cohort
    predictors = build_predictors(cohort, "overall", FEATURE_SETS["baseline"])
    drawn = np.random.default_rng(0).multinomial(90, np.full(90, 1 / 90)).astype(float)
    again = refit(Procedure(MODELS[name], TWELVE, (12.0,)), predictors, cohort.outcome("dfs"), drawn, 0)

    assert not again.error
    assert again.risk is not None
    assert again.risk.shape == (1, 90)
