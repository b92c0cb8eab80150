"""Tuning: inside the patients it is given, by the Brier score, from the defaults on, and the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold

from cohort.types import ENDPOINTS, Endpoint, FloatArray, Outcome
from evaluation.cross_validation import cross_validate
from evaluation.resampling import Split
from features.feature_set import Predictors
from models.kaplan_meier import ipcw_brier
from models.procedure import Procedure
from models.registry import MODELS
from models.risk_model import ModelSpec, Params
from models.tuning import Tuning, _strata, inner_folds, tune

TWELVE, DFS = ENDPOINTS["relapse_12m"], ENDPOINTS["dfs"]


@dataclass
class Log:
    """What a spied model was built with and saw."""

    params: list[float] = field(default_factory=list)
    trained_on: list[set[float]] = field(default_factory=list)
    asked_for: list[set[float]] = field(default_factory=list)


def _spy(log: Log, best: float = 0.37) -> ModelSpec:
    """A model whose one parameter is the risk it gives everybody; ``patient`` numbers the patients."""

    class Constant:
        def __init__(self, params: Params) -> None:
            self.risk, self.notes = float(params["risk"]), ()
            log.params.append(self.risk)

        def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
            log.trained_on.append(set(x["patient"]))
            return self

        def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
            log.asked_for.append(set(x["patient"]))
            return np.full(len(x), self.risk)

    return ModelSpec(
        "constant",
        "Constant",
        "challenger",
        "horizon",
        build=lambda params, _: Constant(params),
        search=lambda trial: {"risk": trial.suggest_float("risk", 0.0, 1.0)},
        defaults={"risk": best},
    )


def _patients(n: int = 60, seed: int = 0) -> tuple[Predictors, Outcome]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"patient": np.arange(n, dtype=float)})
    return Predictors("test", frame, frozenset()), Outcome(rng.exponential(18, n) + 0.1, np.ones(n, dtype=bool))


Patients = tuple[Predictors, Outcome]


def _tune(spec: ModelSpec, n_trials: int = 6, seed: int = 0, patients: Patients | None = None) -> dict[str, Any]:
    predictors, outcome = patients or _patients()
    return tune(spec, predictors, outcome, TWELVE, (12.0,), Tuning(n_trials, 3), seed)


def test_the_defaults_are_the_first_trial() -> None:
    log = Log()
    _tune(_spy(log, best=0.81))

    assert log.params[:3] == [0.81] * 3
    assert len(set(log.params)) == 6


def test_the_chosen_params_are_those_of_the_trial_with_the_lowest_brier_score() -> None:
    log = Log()
    predictors, outcome = _patients()
    chosen = _tune(_spy(log, best=0.99), n_trials=8, patients=(predictors, outcome))

    tried = list(dict.fromkeys(log.params))
    folds = [np.array(sorted(patients), dtype=int) for patients in log.asked_for[:3]]
    loss = {risk: np.mean([ipcw_brier(outcome.subset(rows), np.full(len(rows), risk), 12.0) for rows in folds]) for risk in tried}
    assert chosen["risk"] == min(tried, key=loss.__getitem__)
    assert chosen["risk"] != 0.99


@pytest.mark.parametrize("name", ["xgboost_classifier", "gradient_boosted_survival"])
def test_tuning_is_decided_by_its_seed(name: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(90, 3)), columns=list("abc"))
    patients = Predictors("test", frame, frozenset()), Outcome(rng.exponential(18, 90) + 0.1, rng.random(90) < 0.8)

    assert _tune(MODELS[name], 3, 1, patients) == _tune(MODELS[name], 3, 1, patients)


def test_another_seed_tries_other_params() -> None:
    log = Log()
    for seed in (1, 2):
        _tune(_spy(log), seed=seed)

    assert len(set(log.params)) == 1 + 2 * 5  # the defaults, and five other trials each


def test_tuning_sees_no_test_patient() -> None:
    log = Log()
    predictors, outcome = _patients()
    train, test = np.arange(45), np.arange(45, 60)
    cross_validated = cross_validate(
        Procedure(_spy(log), TWELVE, (12.0,), Tuning(3, 3)), predictors, outcome, [Split(0, 0, train, test)], seed=0
    )

    assert cross_validated.failures == ()
    assert len(log.asked_for) == 3 * 3 + 1
    assert set().union(*log.trained_on, *log.asked_for[:-1]) == set(map(float, train))
    assert log.asked_for[-1] == set(map(float, test))


def test_inner_folds_train_and_test_on_different_patients_who_together_are_all() -> None:
    log = Log()
    _tune(_spy(log), n_trials=1)

    for trained, asked in zip(log.trained_on, log.asked_for, strict=True):
        assert not trained & asked
        assert trained | asked == set(map(float, range(60)))
    assert sum(map(len, log.asked_for)) == 60


def test_no_trial_takes_the_defaults_without_a_single_inner_fit() -> None:
    log = Log()
    fitted = Procedure(_spy(log, best=0.25), TWELVE, (12.0,), Tuning(0)).fit(*_patients(), seed=0)

    assert fitted.params == {"risk": 0.25}
    assert log.params == [0.25]


def test_a_model_with_nothing_to_tune_is_not_tuned() -> None:
    assert _tune(MODELS["paper_cox"]) == {}


@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.search is not None])
def test_the_defaults_lie_inside_the_search_space(name: str) -> None:
    # Optuna warns, an error here, where a parameter put in the queue lies outside.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=list("ab"))
    patients = Predictors("test", frame, frozenset()), Outcome(rng.exponential(18, 60) + 0.1, np.ones(60, dtype=bool))

    spec, tuned = MODELS[name], _tune(MODELS[name], 1, 0, patients)
    assert tuned == pytest.approx({param: spec.defaults[param] for param in tuned})
    # What is not tuned is what trials make cheaper.
    assert set(spec.defaults) - set(tuned) == set(spec.while_tuning)


def test_a_handful_of_early_events_joins_the_next_group_instead_of_failing() -> None:
    time = np.array([1.0, 2.0, *[9.0] * 10, *[20.0] * 10])
    outcome = Outcome(time, np.ones(22, dtype=bool))

    # 0: later than 12; 1: between; 2: by 6 - only two of them, so they cannot be in each of three folds.
    assert np.unique(_strata(outcome, (6.0, 12.0), smallest=3)).tolist() == [0, 1]
    assert np.unique(_strata(outcome, (6.0, 12.0), smallest=2)).tolist() == [0, 1, 2]


def test_nearly_everybody_relapsing_early_does_not_stop_tuning() -> None:
    rng = np.random.default_rng(0)
    predictors, _ = _patients(30)
    time = np.concatenate([rng.uniform(1, 11, 29), [30.0]])

    assert "risk" in _tune(_spy(Log()), patients=(predictors, Outcome(time, np.ones(30, dtype=bool))))


@pytest.mark.parametrize(("n_trials", "n_folds"), [(-1, 3), (0, 1)])
def test_nonsense_is_refused(n_trials: int, n_folds: int) -> None:
    with pytest.raises(ValueError, match="n_trials is 0 or more and n_folds 2 or more"):
        Tuning(n_trials, n_folds)


def test_all_copies_of_a_patient_lie_in_one_inner_fold() -> None:
    _, outcome = _patients()
    rows = np.sort(np.random.default_rng(1).integers(0, 60, 60))
    folds = inner_folds(outcome.subset(rows), (12.0,), 3, 0, rows)

    assert len(np.unique(rows)) < 60, "the resample holds copies"
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))
    for train, test in folds:
        assert not set(rows[train]) & set(rows[test])
        assert sorted([*train, *test]) == list(range(60))


def test_without_copies_inner_folds_are_stratified_folds_of_the_rows() -> None:
    _, outcome = _patients()
    expected = StratifiedKFold(3, shuffle=True, random_state=4).split(np.zeros(60), _strata(outcome, (6.0, 12.0), 3))

    for ours, theirs in zip(inner_folds(outcome, (6.0, 12.0), 3, 4), expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_a_procedure_tells_tuning_whose_rows_are_copies() -> None:
    log = Log()
    predictors, outcome = _patients()
    rows = np.repeat(np.arange(30), 2)
    copies = Predictors("test", predictors.frame.iloc[rows].reset_index(drop=True), frozenset())
    Procedure(_spy(log), TWELVE, (12.0,), Tuning(2, 3)).fit(copies, outcome.subset(rows), 0, patients=rows)

    assert len(log.asked_for) == 6
    for trained, asked in zip(log.trained_on, log.asked_for, strict=False):
        assert not trained & asked
