"""SHAP values: they add up to what the model says, and are Shapley's, against a naive twin that tries every set of features."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import comb
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sksurv.ensemble import RandomSurvivalForest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, FloatArray, Outcome
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS
from models.contributions import Contributions, Explains, tree_contributions
from models.gradient_boosted_survival import GradientBoostedSurvival
from models.procedure import FittedProcedure, Procedure
from models.registry import MODELS
from models.survival_forest import SurvivalForest

EXPLAINED = [
    *("paper_logistic", "paper_cox", "xgboost_classifier", "xgboost_survival"),
    *("penalised_logistic", "penalised_cox"),
    *("random_survival_forest", "extra_survival_trees", "gradient_boosted_survival"),
]


def _predictors(seed: int) -> Predictors:
    cohort = simulate_cohort(160, signal=1.5, seed=seed, missing_cea=0.2).cohort
    return build_predictors(cohort, "overall", FEATURE_SETS["pre_surgery"])


@cache
def _fitted(name: str) -> FittedProcedure:
    endpoint = ENDPOINTS["relapse_12m" if MODELS[name].answers == "horizon" else "dfs"]
    outcome = simulate_cohort(160, signal=1.5, seed=1, missing_cea=0.2).cohort.outcome("dfs")
    return Procedure(MODELS[name], endpoint, endpoint.horizons_months).fit(_predictors(1), outcome, seed=0)


def _explain(name: str, horizon: float) -> tuple[Contributions, FloatArray]:
    fitted = _fitted(name)
    frame = _predictors(2).frame  # patients it was not fitted on
    assert isinstance(fitted.model, Explains)
    return fitted.model.contributions(fitted.encoder.transform(frame), horizon), fitted.risk_at(frame, horizon)


def test_every_model_that_explains_itself_is_tested() -> None:
    # Published scores need variables that are not in these predictors, and explain themselves.
    fitted = {name: _fitted(name) for name, spec in MODELS.items() if spec.role != "published"}
    assert {name for name, of in fitted.items() if isinstance(of.model, Explains)} == set(EXPLAINED)


@pytest.mark.parametrize("name", EXPLAINED)
def test_contributions_add_up_to_the_risk_through_the_models_link(name: str) -> None:
    for horizon in _fitted(name).horizons_months:
        explained, risk = _explain(name, horizon)
        total = explained.base + explained.values.sum(axis=1)
        if explained.scale == "risk":
            np.testing.assert_allclose(total, risk, atol=1e-10)
        elif explained.scale == "logit":
            np.testing.assert_allclose(1 / (1 + np.exp(-total)), risk, atol=1e-5)
        else:  # 1 - exp(-H0 exp(total)): what is left of log(-log(1 - risk)) is log H0, the same for everybody
            np.testing.assert_allclose(np.ptp(np.log(-np.log1p(-risk)) - total), 0, atol=1e-4)


@pytest.mark.parametrize("name", EXPLAINED)
def test_contributions_differ_between_patients_and_have_a_column_for_each_feature(name: str) -> None:
    explained, _ = _explain(name, 12.0)

    assert explained.values.shape[1] == len(_fitted(name).encoder.columns_out_)
    assert np.ptp(explained.values, axis=0).max() > 0.01


@pytest.mark.parametrize("name", ["paper_logistic", "paper_cox"])
def test_regressions_contributions_are_coefficient_times_distance_from_the_mean_of_those_fitted(name: str) -> None:
    explained, _ = _explain(name, 12.0)
    fitted = _fitted(name)
    regression, x = fitted.model.regression, fitted.encoder.transform(_predictors(2).frame)
    column = next(i for i, c in enumerate(regression.columns) if x[c].notna().all())
    place = list(x.columns).index(regression.columns[column])
    by_hand = regression.coefficients[column] * (x.iloc[:, place] - regression.centre[column])

    np.testing.assert_allclose(explained.values[:, place], by_hand, atol=1e-12)
    unused = [i for i, c in enumerate(x.columns) if c not in regression.columns]
    assert not explained.values[:, unused].any()


def test_a_missing_value_contributes_what_its_fill_does() -> None:
    fitted = _fitted("paper_cox")
    regression = fitted.model.regression
    name = regression.columns[0]
    x = fitted.encoder.transform(_predictors(2).frame).iloc[:2].copy()
    x.loc[x.index[0], name], x.loc[x.index[1], name] = np.nan, regression.fill[0]
    values = regression.contributions(x).values[:, list(x.columns).index(name)]

    assert values[0] == values[1] != 0


def _naive_shapley(tree: Any, node_values: FloatArray, row: FloatArray) -> FloatArray:
    """Every subset of features: those outside follow both branches, weighted by the training patients that went each way."""
    weight = tree.weighted_n_node_samples

    def expectation(known: frozenset[int], node: int = 0) -> float:
        left, right = tree.children_left[node], tree.children_right[node]
        if left < 0:
            return float(node_values[node])
        if tree.feature[node] in known:
            return expectation(known, left if np.float32(row[tree.feature[node]]) <= tree.threshold[node] else right)
        return float((weight[left] * expectation(known, left) + weight[right] * expectation(known, right)) / weight[node])

    p = len(row)
    values = np.zeros(p)
    for feature in range(p):
        others = [f for f in range(p) if f != feature]
        for size in range(p):
            for subset in combinations(others, size):
                gain = expectation(frozenset({*subset, feature})) - expectation(frozenset(subset))
                values[feature] += gain / (p * comb(p - 1, size))
    return values


@pytest.fixture
def small() -> tuple[pd.DataFrame, Outcome]:
    rng = np.random.default_rng(3)
    x = pd.DataFrame(rng.normal(size=(120, 4)), columns=list("abcd"))
    time = rng.exponential(12 * np.exp(-x["a"] - x["b"] * (x["c"] > 0))) + 0.01
    return x, Outcome(time, rng.random(120) < 0.8)


def test_forests_contributions_are_the_mean_of_its_trees_shapley_values_of_the_risk(small: tuple[pd.DataFrame, Outcome]) -> None:
    x, outcome = small
    params = {"n_estimators": 4, "min_samples_leaf": 8, "max_features": 0.8}
    model = SurvivalForest(RandomSurvivalForest, params, 1).fit(x, outcome, ENDPOINTS["dfs"])
    explained = model.contributions(x.iloc[:5], 6.0)
    trees = [tree.tree_ for tree in model._forest.estimators_]
    step = int(np.flatnonzero(model._forest.unique_times_ == 6.0)[0])
    naive = [np.mean([_naive_shapley(t, 1 - t.value[:, step, 1], row) for t in trees], axis=0) for row in x.iloc[:5].to_numpy()]

    np.testing.assert_allclose(explained.values, naive, atol=1e-10)


def test_boosted_trees_contributions_are_the_sum_of_shapley_values_at_the_learning_rate(
    small: tuple[pd.DataFrame, Outcome],
) -> None:
    x, outcome = small
    params = {"n_estimators": 5, "learning_rate": 0.3, "max_depth": 2}
    model = GradientBoostedSurvival(params, 1).fit(x, outcome, ENDPOINTS["dfs"])
    explained = model.contributions(x.iloc[:5], 6.0)
    trees = [tree.tree_ for tree in model._model.estimators_[:, 0]]
    naive = [np.sum([_naive_shapley(t, 0.3 * t.value[:, 0, 0], row) for t in trees], axis=0) for row in x.iloc[:5].to_numpy()]

    np.testing.assert_allclose(explained.values, naive, atol=1e-10)


def test_trees_that_never_split_leave_all_to_the_base() -> None:
    stump = SimpleNamespace(node_count=1)
    values, base = tree_contributions([stump, stump], [np.array([0.25]), np.array([0.5])], pd.DataFrame({"a": [1.0, 2.0]}))

    assert base == 0.75
    np.testing.assert_array_equal(values, np.zeros((2, 1)))


def test_contributions_that_miss_the_prediction_are_refused() -> None:
    with pytest.raises(ValueError, match=r"miss the prediction by 0\.1"):
        Contributions(np.array([[0.2, 0.1]]), 0.1, np.array([0.3]), "risk")
    with pytest.raises(ValueError, match=r"are \(n, q\)"):
        Contributions(np.array([0.2]), 0.1, np.array([0.3]), "risk")
