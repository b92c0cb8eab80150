from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from evaluation.case_mix import CASE_MIX_COLUMNS, case_mix, membership, standardised_difference
from features.baseline import BASELINE
from features.feature_set import Predictors
from features.shared import SharedPredictors, shared_predictors
from models.kaplan_meier import kaplan_meier

TRAIN = replace(simulate_cohort(300, seed=1).cohort, name="ours")
TEST = replace(simulate_cohort(200, seed=2, missing_cea=0.4).cohort, name="theirs")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return case_mix(TRAIN, TEST, "overall", [shared_predictors(TRAIN, TEST, "overall", BASELINE)], 200, 1)


def row(table: pd.DataFrame, name: str, **values: object) -> pd.Series:
    chosen = table[table["name"] == name]
    for column, value in values.items():
        chosen = chosen[chosen[column] == value]
    (found,) = (r for _, r in chosen.iterrows())
    return found


def test_a_standardised_difference_by_hand():
    """Means 2 and 4, variances 1 and 4: 2 / sqrt(2.5). Its error: sqrt(6/9 + d^2 / 12) (Hedges and Olkin 1985)."""
    d, low, high = standardised_difference(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    assert d == pytest.approx(2 / np.sqrt(2.5))
    error = np.sqrt(6 / 9 + d**2 / 12)
    assert (low, high) == pytest.approx((d - 1.959964 * error, d + 1.959964 * error))


def test_the_standardised_difference_of_a_share_by_hand():
    """0.25 and 0.5: 0.25 / sqrt((0.1875 + 0.25) / 2) (Austin 2009)."""
    d, *_ = standardised_difference(np.array([1.0, 0, 0, 0]), np.array([1.0, 1, 0, 0]))
    assert d == pytest.approx(0.25 / np.sqrt(0.21875))


def test_its_interval_holds_the_truth_about_19_times_in_20():
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        _, low, high = standardised_difference(rng.normal(0, 1, 80), rng.normal(0.4, 1, 60))
        held += low <= 0.4 <= high
    assert 364 <= held <= 393, "binomial(400, 0.95): 380, 2.5 standard deviations each way"


@pytest.mark.parametrize("values", [([1.0, 1.0], [1.0, 1.0]), ([1.0], [1.0, 2.0])])
def test_without_variation_or_patients_there_is_no_difference(values):
    assert all(np.isnan(standardised_difference(*map(np.array, values))))


def test_every_predictor_that_both_record_has_its_lines(table):
    assert list(table.columns) == CASE_MIX_COLUMNS
    age = row(table, "age")
    assert (age["what"], age["unit"], age["train_n"], age["test_n"]) == ("mean", "years", 300, 200)
    assert age["train_value"] == pytest.approx(TRAIN.frame["age"].mean())
    assert age["test_spread"] == pytest.approx(TEST.frame["age"].std())
    assert list(table.loc[table["name"] == "ras_braf", "level"]) == ["ras_mutated", "braf_mutated"]
    mutated = row(table, "ras_braf", level="ras_mutated")
    assert mutated["test_value"] == pytest.approx((TEST.frame["ras_braf"] == "ras_mutated").mean())


def test_skewed_numbers_are_compared_on_the_log_scale_among_those_known(table):
    cea = row(table, "baseline_cea")
    known = TEST.frame["baseline_cea"].dropna()
    assert cea["what"] == "log_mean"
    assert cea["test_value"] == pytest.approx(np.log1p(known).mean())
    assert (cea["test_n"], cea["test_n_missing"]) == (len(known), 200 - len(known))


def test_the_outcome_is_the_kaplan_meier_risk_and_its_difference(table):
    for name, source in (("dfs", "dfs"), ("os", "os")):
        for _, found in table[(table["name"] == name) & (table["what"] == "risk")].iterrows():
            risks = [1 - kaplan_meier(c.outcome(source)).at([found["horizon_months"]])[0, 0] for c in (TRAIN, TEST)]
            assert (found["train_value"], found["test_value"]) == pytest.approx(risks)
            assert found["difference"] == pytest.approx(risks[1] - risks[0])


def test_without_censoring_the_error_of_a_risk_is_that_of_a_share(table):
    """Greenwood's formula is then p (1 - p) / n."""
    found = row(table, "dfs", horizon_months=6.0)
    p = found["train_value"]
    assert found["train_n_missing"] == 0
    assert found["train_spread"] == pytest.approx(np.sqrt(p * (1 - p) / 300))
    half = 1.959964 * np.hypot(found["train_spread"], found["test_spread"])
    assert found["ci_high"] - found["difference"] == pytest.approx(half, rel=1e-6)


def test_an_unsupported_horizon_has_no_risk_and_says_whose():
    short = TEST.frame.assign(os_months=np.minimum(TEST.frame["os_months"], 20.0))
    found = case_mix(TRAIN, replace(TEST, frame=short), "overall", [], 100, 1)
    late = row(found, "os", horizon_months=36.0)
    assert np.isnan(late["difference"])
    assert late["note"] == "test: follow-up ends at 20.0 months, before the horizon"


def pair(train: np.ndarray, test: np.ndarray) -> SharedPredictors:
    ours, theirs = (Predictors("x", pd.DataFrame({"a": values}), frozenset()) for values in (train, test))
    return SharedPredictors(ours, theirs, ())


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.5])
def test_the_membership_models_c_is_the_truth_of_two_normals(apart: float):
    """Normals of equal spread, ``apart`` standard deviations from each other: C = Phi(apart / sqrt 2)."""
    rng = np.random.default_rng(3)
    told = membership(pair(rng.normal(0, 1, 1500), rng.normal(apart, 1, 1500)), 100, 1)
    assert told.c == pytest.approx(norm.cdf(apart / np.sqrt(2)), abs=0.03)
    assert told.ci_low < told.c < told.ci_high


def test_that_a_value_is_missing_tells_no_membership():
    rng = np.random.default_rng(4)
    test = rng.normal(0, 1, 400)
    test[:200] = np.nan
    assert membership(pair(rng.normal(0, 1, 400), test), 100, 1).c == pytest.approx(0.5, abs=0.06)


def test_overfitting_does_not_tell_cohorts_apart():
    """Forty predictors of pure noise among sixty patients: an apparent C near 1, a cross-validated one near 0.5."""
    rng = np.random.default_rng(5)
    frames = (pd.DataFrame(rng.normal(size=(30, 40))).add_prefix("x") for _ in range(2))
    ours, theirs = (Predictors("x", frame, frozenset()) for frame in frames)
    assert membership(SharedPredictors(ours, theirs, ()), 100, 1).c == pytest.approx(0.5, abs=0.2)


def test_too_few_patients_give_no_membership_but_a_reason():
    told = membership(pair(np.array([1.0, 2.0, 3.0]), np.array([1.0])), 100, 1)
    assert np.isnan(told.c)
    assert told.note == "too few patients for two folds"


def test_the_order_of_patients_does_not_matter_for_the_table(table):
    shuffled: Cohort = replace(TEST, frame=TEST.frame.sample(frac=1, random_state=1).reset_index(drop=True))
    again = case_mix(TRAIN, shuffled, "overall", [], 200, 1)
    described = table[table["what"] != "membership"].drop(columns="note")
    pd.testing.assert_frame_equal(again.drop(columns="note"), described, check_dtype=False)
