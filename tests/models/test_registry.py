"""What every model of the registry keeps, whoever wrote it: one test a rule, over all models."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import models.registry
from cohort.simulate import SimulatedCohort, simulate_cohort
from cohort.types import ENDPOINTS, FloatArray, IntArray, Outcome
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS
from models.procedure import FittedProcedure, Procedure
from models.registry import MODELS
from models.risk_model import ModelSpec

from ..staging import staged

#: Published risks that learn nothing from training patients' outcomes.
FROZEN = {name for name in MODELS if name.endswith("_frozen")}
EVERY = pytest.mark.parametrize("name", list(MODELS))
FITTED = pytest.mark.parametrize("name", [name for name in MODELS if name not in FROZEN])
LEARNING = pytest.mark.parametrize("name", [n for n, spec in MODELS.items() if spec.uses_predictors and n not in FROZEN])
#: Models that seek a signal of their own, where a published score has the predictors that it has.
SEEKING = pytest.mark.parametrize(
    "name", [name for name, spec in MODELS.items() if spec.uses_predictors and spec.role != "published"]
)
SURVIVAL = pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.answers == "any_time"])


@cache
def _simulated(seed: int, n: int = 160) -> SimulatedCohort:
    return simulate_cohort(n, signal=1.5, seed=seed)


def _predictors(seed: int) -> Predictors:
    return staged(build_predictors(_simulated(seed).cohort, "overall", FEATURE_SETS["pre_surgery"]), seed)


def _procedure(name: str) -> Procedure:
    endpoint = ENDPOINTS["relapse_12m" if MODELS[name].answers == "horizon" else "dfs"]
    return Procedure(MODELS[name], endpoint, endpoint.horizons_months)


def _fit(name: str, seed: int = 0, outcome: Outcome | None = None) -> FittedProcedure:
    return _procedure(name).fit(_predictors(1), outcome or _simulated(1).cohort.outcome("dfs"), seed)


@cache
def _fitted(name: str) -> FittedProcedure:
    return _fit(name)


def _risks(fitted: FittedProcedure, frame: pd.DataFrame | None = None) -> FloatArray:
    """(n, horizons) of patients it was not fitted on."""
    frame = _predictors(2).frame if frame is None else frame
    return np.column_stack([fitted.risk_at(frame, h) for h in fitted.horizons_months])


def test_a_file_stands_for_every_model_and_a_line_for_every_file() -> None:
    folder = Path(models.registry.__file__).parent
    names = [".".join(("models", *path.relative_to(folder).with_suffix("").parts)) for path in folder.rglob("*.py")]
    modules = [importlib.import_module(name) for name in names if not name.endswith(("__init__", ".registry"))]
    home = {spec.name: m.__name__ for m in modules for spec in vars(m).values() if isinstance(spec, ModelSpec)}

    assert set(home) == set(MODELS)
    # A score and its frozen risk share a file; no other two models do.
    assert len(set(home.values())) == len(MODELS) - len(FROZEN)


@EVERY
def test_a_model_goes_by_the_name_it_is_registered_under(name: str) -> None:
    assert MODELS[name].name == name
    assert MODELS[name].label


@EVERY
def test_risks_are_probabilities_of_every_patient(name: str) -> None:
    risk = _risks(_fitted(name))

    assert np.isfinite(risk).all()
    assert ((risk >= 0) & (risk <= 1)).all()


@FITTED
def test_the_mean_risk_is_near_the_true_one(name: str) -> None:
    # A model that answers survival, or another horizon's risk, is far off: by 12 months the mean true risk is 0.56.
    assert _risks(_fitted(name))[:, -1].mean() == pytest.approx(_simulated(2).true_risk(12.0).mean(), abs=0.12)


@SURVIVAL
def test_risk_never_falls_with_the_horizon(name: str) -> None:
    fitted, frame = _fitted(name), _predictors(2).frame
    risk = np.column_stack([fitted.risk_at(frame, h) for h in (0.001, 3.0, 6.0, 9.0, 12.0, 24.0)])

    assert (np.diff(risk, axis=1) >= -1e-12).all()
    assert (risk[:, 4] > risk[:, 2]).all()
    # Nobody has relapsed yet; a parametric distribution knows only that hardly anybody has.
    assert (risk[:, 0] <= (0.01 if name == "xgboost_aft" else 0)).all()


@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.answers == "horizon"])
def test_a_classifier_refuses_a_horizon_it_was_not_trained_for(name: str) -> None:
    with pytest.raises(ValueError, match="trained for 12 months, asked at 6"):
        _fitted(name).risk_at(_predictors(2).frame, 6.0)


@EVERY
def test_one_seed_gives_one_fit(name: str) -> None:
    np.testing.assert_array_equal(_risks(_fit(name, seed=7)), _risks(_fit(name, seed=7)))


@SEEKING
def test_risk_rises_with_danger(name: str) -> None:
    true = _simulated(2).true_risk(12.0)

    assert np.corrcoef(_risks(_fitted(name))[:, -1], true)[0, 1] > 0.4


@EVERY
def test_a_patient_has_the_same_risk_whoever_is_asked_about_with_him(name: str) -> None:
    frame = _predictors(2).frame
    order = np.random.default_rng(0).permutation(len(frame))
    risk = _risks(_fitted(name))

    np.testing.assert_allclose(_risks(_fitted(name), frame.iloc[order]), risk[order], atol=1e-12)
    np.testing.assert_allclose(_risks(_fitted(name), frame.iloc[[5]]), risk[[5]], atol=1e-12)


@LEARNING
@pytest.mark.parametrize("event", [True, False], ids=["all relapse early", "nobody relapses"])
def test_training_patients_of_one_kind_are_refused_in_words_or_survived(name: str, event: bool) -> None:
    n = len(_simulated(1).cohort)
    outcome = Outcome(np.linspace(1, 5, n) if event else np.linspace(61, 90, n), np.full(n, event))
    if MODELS[name].answers == "any_time" and event:
        risk = _risks(_fit(name, outcome=outcome))
        # All have relapsed by month 5; a parametric distribution of times rounds that off.
        assert (risk > (0.75 if name == "xgboost_aft" else 0.9)).all()
    else:
        with pytest.raises(ValueError, match=r"no event was seen|all samples are censored|the same status"):
            _fit(name, outcome=outcome)


@LEARNING
def test_a_predictor_that_is_never_known_changes_nothing(name: str) -> None:
    predictors = _predictors(1)
    with_empty = Predictors(predictors.feature_set, predictors.frame.assign(never=np.nan), predictors.skewed)
    outcome = _simulated(1).cohort.outcome("dfs")

    fitted = _procedure(name).fit(with_empty, outcome, seed=0)

    np.testing.assert_allclose(_risks(fitted, _predictors(2).frame.assign(never=3.0)), _risks(_fitted(name)), atol=1e-12)


@LEARNING
def test_a_test_patient_of_whom_nothing_is_known_still_has_a_risk(name: str) -> None:
    unknown = _predictors(2).frame.iloc[[0]].copy()
    for column in unknown:
        unknown[column] = pd.Series([np.nan], index=unknown.index).astype(unknown[column].dtype)

    risk = _risks(_fitted(name), unknown)

    assert ((risk > 0) & (risk < 1)).all()


@EVERY
def test_a_stored_model_gives_the_same_risks(name: str) -> None:
    buffer = BytesIO()
    joblib.dump(_fitted(name), buffer)
    buffer.seek(0)

    np.testing.assert_array_equal(_risks(joblib.load(buffer)), _risks(_fitted(name)))


def _rows(predictors: Predictors, rows: IntArray) -> Predictors:
    return replace(predictors, frame=predictors.frame.iloc[rows].reset_index(drop=True))


@EVERY
def test_training_patients_in_another_order_change_nothing_where_nothing_is_drawn(name: str) -> None:
    # A model that draws rows or columns at random draws others in another order.
    drawn = np.abs(_risks(_fitted(name)) - _risks(_fit(name, seed=1))).max() > 1e-3
    order = np.random.default_rng(5).permutation(len(_simulated(1).cohort))
    outcome = _simulated(1).cohort.outcome("dfs").subset(order)
    again = _risks(_procedure(name).fit(_rows(_predictors(1), order), outcome, seed=0))

    if drawn:
        assert MODELS[name].search is not None
        assert np.corrcoef(again[:, -1], _risks(_fitted(name))[:, -1])[0, 1] > 0.85
    else:
        np.testing.assert_allclose(again, _risks(_fitted(name)), atol=1e-4)


@SURVIVAL
def test_the_unit_of_time_decides_nothing(name: str) -> None:
    outcome, dfs, k = _simulated(1).cohort.outcome("dfs"), ENDPOINTS["dfs"], 32.0  # a power of 2: no rounding
    slow_endpoint = replace(dfs, horizons_months=tuple(h * k for h in dfs.horizons_months), tau_months=dfs.tau_months * k)
    slow = Procedure(MODELS[name], slow_endpoint, slow_endpoint.horizons_months).fit(
        _predictors(1), Outcome(outcome.time_months * k, outcome.event), seed=0
    )

    # XGBoost calculates in single precision, and a cut may fall on the other side of a patient.
    np.testing.assert_allclose(_risks(slow), _risks(_fitted(name)), atol=0.02 if name == "xgboost_aft" else 1e-6)


@LEARNING
def test_a_constant_predictor_changes_nothing(name: str) -> None:
    predictors = _predictors(1)
    with_constant = replace(predictors, frame=predictors.frame.assign(same=4.0))
    fitted = _procedure(name).fit(with_constant, _simulated(1).cohort.outcome("dfs"), seed=0)

    np.testing.assert_allclose(_risks(fitted, _predictors(2).frame.assign(same=9.0)), _risks(_fitted(name)), atol=1e-12)


@EVERY
def test_a_level_that_one_patient_has_is_survived(name: str) -> None:
    # In training he relapses first; among those asked about everybody has it.
    predictors, outcome = _predictors(1), _simulated(1).cohort.outcome("dfs")
    first = np.arange(len(outcome)) == np.flatnonzero(outcome.event)[outcome.time_months[outcome.event].argmin()]
    rare = pd.Categorical.from_codes(first.astype(int), ["common", "rare"])
    fitted = _procedure(name).fit(replace(predictors, frame=predictors.frame.assign(rare=rare)), outcome, seed=0)
    asked = _predictors(2).frame
    asked = asked.assign(rare=pd.Categorical.from_codes(np.ones(len(asked), dtype=int), ["common", "rare"]))

    assert ((_risks(fitted, asked) >= 0) & (_risks(fitted, asked) <= 1)).all()


@EVERY
def test_a_tenth_of_all_values_missing_is_survived(name: str) -> None:
    def thinned(predictors: Predictors, seed: int) -> Predictors:
        known = np.random.default_rng(seed).random(predictors.frame.shape) > 0.1
        return replace(predictors, frame=predictors.frame.where(known))

    fitted = _procedure(name).fit(thinned(_predictors(1), 0), _simulated(1).cohort.outcome("dfs"), seed=0)
    risk = _risks(fitted, thinned(_predictors(2), 1).frame)

    assert ((risk >= 0) & (risk <= 1)).all()


@SEEKING
def test_a_signal_is_predicted_better_than_by_the_null_model(name: str) -> None:
    true = _simulated(2).true_risk(12.0)
    error, null = (np.mean((_risks(_fitted(n))[:, -1] - true) ** 2) for n in (name, "null_model"))

    assert error < 0.8 * null
