"""Planted leaks are found, honest cohorts and every model of the registry pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohort.dictionary import KnownAt, Variable
from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Cohort, FloatArray, Outcome
from evaluation import leak_audit
from evaluation.leak_audit import (
    FIELD_BEST_AUC,
    FitAndPredict,
    LeakFinding,
    LearnsFromTestPatients,
    check_learns_from_training_only,
    too_good_predictors,
)
from evaluation.resampling import Split
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS
from models.procedure import Procedure
from models.registry import MODELS

from ..staging import stages

HORIZONS = (6.0, 12.0)


def _cohort(seed: int = 0, n: int = 268, signal: float = 0.4) -> Cohort:
    return simulate_cohort(n, signal=signal, seed=seed).cohort


def _with_extra(cohort: Cohort, values: object, variable: Variable) -> Cohort:
    """The cohort with a column that its contract declares to be known at baseline."""
    frame = cohort.frame.assign(**{variable.name: values})
    return replace(cohort, frame=frame, variables={**cohort.variables, variable.name: variable})


def _found(cohort: Cohort) -> list[LeakFinding]:
    return too_good_predictors(build_predictors(cohort, "overall", FEATURE_SETS["baseline"]), cohort.outcome("dfs"), HORIZONS)


NUMBER = Variable("marker", "Marker", "continuous", KnownAt.BASELINE, "au")
LEVELS = Variable("marker", "Marker", "categorical", KnownAt.BASELINE, levels=("a", "b", "c", "d", "e", "f"))

# ---- predictors that know too much


@pytest.mark.parametrize("direction", [1, -1], ids=["rises with danger", "falls with danger"])
def test_a_noisy_copy_of_the_outcome_declared_as_baseline_is_found(direction: int) -> None:
    cohort = _cohort()
    noise = np.random.default_rng(0).normal(scale=0.5, size=268)
    found = _found(_with_extra(cohort, direction * (np.log(cohort.frame["dfs_months"]) + noise), NUMBER))

    assert {f.predictor for f in found} == {"marker"}
    assert {f.horizon_months for f in found} == set(HORIZONS)
    assert all(f.auc > FIELD_BEST_AUC and 0.6 < f.ci_low < f.auc for f in found)


def test_values_missing_where_the_outcome_was_good_are_found() -> None:
    cohort = _cohort()
    rng = np.random.default_rng(0)
    filled_in_later = np.where(cohort.frame["dfs_months"] < 12, rng.random(268) < 0.9, rng.random(268) < 0.2)
    found = _found(_with_extra(cohort, np.where(filled_in_later, rng.normal(size=268), np.nan), NUMBER))

    assert "marker=missing" in {f.predictor for f in found}


def test_an_outcome_spread_over_levels_none_of_which_discriminates_alone_is_found() -> None:
    cohort = _cohort()
    late = (cohort.frame["dfs_months"] > 12).to_numpy()
    letters = np.random.default_rng(0).integers(0, 3, 268) + 3 * late
    marker = pd.Categorical.from_codes(letters, categories=list(LEVELS.levels))
    found = _found(_with_extra(cohort, marker, LEVELS))

    assert {(f.predictor, f.horizon_months) for f in found if f.auc > 0.99} == {("marker", 12.0)}


def test_levels_drawn_at_random_are_no_leak() -> None:
    for seed in range(5):
        letters = np.random.default_rng(seed).integers(0, 6, 268)
        marker = pd.Categorical.from_codes(letters, categories=list(LEVELS.levels))
        assert _found(_with_extra(_cohort(seed), marker, LEVELS)) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("feature_set", ["baseline", "pre_surgery"])
def test_an_honest_cohort_with_a_signal_like_the_fields_has_no_suspect(seed: int, feature_set: str) -> None:
    cohort = _cohort(seed)
    predictors = build_predictors(cohort, "overall", FEATURE_SETS[feature_set])

    assert too_good_predictors(predictors, cohort.outcome("dfs"), HORIZONS) == []


@pytest.mark.parametrize("n", [12, 60])
def test_the_best_of_many_predictors_by_chance_in_a_small_cohort_is_no_suspect(n: int) -> None:
    suspected = []
    for seed in range(20):
        frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 40)), columns=[f"x{i}" for i in range(40)])
        outcome = Outcome(np.tile([3.0, 24.0, 30.0], n // 3), np.tile([True, False, False], n // 3))
        suspected.append(too_good_predictors(Predictors("noise", frame, frozenset()), outcome, (12.0,)))

    # 5 % of cohorts may hold one.
    assert sum(map(bool, suspected)) <= 3


def test_a_horizon_that_cannot_be_evaluated_is_passed_over() -> None:
    frame = pd.DataFrame({"x": np.arange(10.0)})
    outcome = Outcome(np.arange(1.0, 11), np.ones(10, dtype=bool))
    found = too_good_predictors(Predictors("x", frame, frozenset()), outcome, (5.0, 12.0))

    assert [(f.horizon_months, f.auc) for f in found] == [(5.0, 1.0)]


def test_many_patients_are_audited_by_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leak_audit, "_MAX_PATIENTS", 200)
    cohort = _cohort(n=3000)
    noise = np.random.default_rng(0).normal(scale=0.5, size=3000)
    found = _found(_with_extra(cohort, np.log(cohort.frame["dfs_months"]) + noise, NUMBER))

    assert {f.predictor for f in found} == {"marker"}


def test_a_finding_says_what_was_found() -> None:
    assert str(LeakFinding("marker", 12.0, 0.912, 0.871)) == "marker: alone it has AUC 0.91 (95 % bound 0.87) at 12 months"


# ---- procedures that learn from test patients


SMALL = _cohort(seed=4, n=90, signal=1.0)
#: What published scores ask for beside the predictors of the simulated cohort.
STAGES = stages(len(SMALL.frame), seed=4)
SPLIT = Split(0, 0, np.arange(70), np.arange(70, 90))


def _build(frame: pd.DataFrame) -> Predictors:
    return build_predictors(replace(SMALL, frame=frame), "overall", FEATURE_SETS["pre_surgery"])


def _by_model(name: str) -> FitAndPredict:
    endpoint = ENDPOINTS["relapse_12m" if MODELS[name].answers == "horizon" else "dfs"]

    def fit_and_predict(train: Predictors, outcome: Outcome, test: Predictors) -> FloatArray:
        return Procedure(MODELS[name], endpoint, (12.0,)).fit(train, outcome, seed=0).risk_at(test.frame, 12.0)

    return fit_and_predict


def _check(build: object = _build, fit_and_predict: FitAndPredict | None = None) -> None:
    fit_and_predict = fit_and_predict or _by_model("paper_cox")
    check_learns_from_training_only(build, fit_and_predict, SMALL.frame, SMALL.outcome("dfs"), SPLIT)


def _predictors(**columns: pd.Series) -> Predictors:
    return Predictors("test", pd.DataFrame(columns), frozenset())


def _first_predictor(train: Predictors, outcome: Outcome, test: Predictors) -> FloatArray:
    """A risk that follows the first predictor and learns nothing."""
    return 1 / (1 + np.exp(-test.frame.iloc[:, 0].to_numpy(dtype=float) / 1000))


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_learns_from_its_training_patients_only(name: str) -> None:
    _check(lambda frame: Predictors("staged", _build(frame).frame.assign(**STAGES), _build(frame).skewed), _by_model(name))


def test_filling_gaps_with_the_median_of_all_rows_is_caught() -> None:
    with pytest.raises(LearnsFromTestPatients, match="training predictors change"):
        _check(lambda frame: _predictors(cea=frame["baseline_cea"].fillna(frame["baseline_cea"].median())), _first_predictor)


@pytest.mark.parametrize("extreme", ["max", "min"])
def test_scaling_by_the_extremes_of_all_rows_is_caught(extreme: str) -> None:
    # Training patients in place of test patients may leave an extreme where it was; values beyond it do not.
    column = "baseline_max_diameter"
    with pytest.raises(LearnsFromTestPatients, match="training predictors change"):
        _check(lambda frame: _predictors(diameter=frame[column] - getattr(frame[column], extreme)()), _first_predictor)


def test_encoding_a_level_by_the_outcomes_of_all_rows_is_caught() -> None:
    def build(frame: pd.DataFrame) -> Predictors:
        return _predictors(risk=frame["dfs_event"].astype(float).groupby(frame["ras_braf"], observed=True).transform("mean"))

    with pytest.raises(LearnsFromTestPatients, match="training predictors change"):
        _check(build, _first_predictor)


def test_using_one_row_at_a_time_raises_no_alarm() -> None:
    _check(lambda frame: _predictors(ratio=frame["presurgery_cea"] / frame["baseline_lesions"]), _first_predictor)


def test_standardising_with_the_test_rows_is_caught() -> None:
    def fit_and_predict(train: Predictors, outcome: Outcome, test: Predictors) -> FloatArray:
        lesions = pd.concat([train.frame["baseline_lesions"], test.frame["baseline_lesions"]])
        z = (test.frame["baseline_lesions"] - lesions.mean()) / lesions.std()
        return 1 / (1 + np.exp(-z.to_numpy()))

    with pytest.raises(LearnsFromTestPatients, match="the risk of one test patient changes"):
        _check(fit_and_predict=fit_and_predict)


def test_ranking_among_the_test_patients_is_caught() -> None:
    with pytest.raises(LearnsFromTestPatients, match="the risk of one test patient changes"):
        _check(fit_and_predict=lambda *given: given[2].frame["baseline_lesions"].rank(pct=True).to_numpy())


def test_reading_a_test_patients_own_later_values_is_caught() -> None:
    def build(frame: pd.DataFrame) -> Predictors:
        return _predictors(peek=frame["baseline_lesions"] + frame["os_months"])

    with pytest.raises(LearnsFromTestPatients, match="known of him only later"):
        _check(build, _first_predictor)


def test_a_risk_that_is_no_number_is_no_pass() -> None:
    with pytest.raises(LearnsFromTestPatients):
        _check(fit_and_predict=lambda *given: np.full(len(given[2].frame), np.nan))


def test_the_check_needs_two_test_patients() -> None:
    one = Split(0, 0, np.arange(89), np.array([89]))

    with pytest.raises(ValueError, match="two or more test patients"):
        check_learns_from_training_only(_build, _first_predictor, SMALL.frame, SMALL.outcome("dfs"), one)
