"""Recalibration by cross-fitting against a naive twin (statsmodels) and against known truth; comparisons against DeLong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from scipy.stats import norm

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Cohort, Outcome
from evaluation.comparison import NULL_KEY
from evaluation.estimate import estimate_cell
from evaluation.external_validation import (
    EXTERNAL_COMPARISON_COLUMNS,
    FROZEN,
    INTERCEPT,
    INTERCEPT_AND_SLOPE,
    NO_SLOPE,
    UPDATES,
    compare_with_null,
    estimate_elsewhere,
    predict_elsewhere,
    update,
)
from evaluation.metrics.registry import METRICS
from evaluation.multiplicity import adjust
from evaluation.predictions import COLUMNS, HorizonPredictions, at_horizon
from evaluation.resampling import Split, repeated_stratified_splits
from features.baseline import BASELINE
from features.shared import shared_predictors
from models.null_model import NULL_MODEL
from models.paper_cox import PAPER_COX
from models.procedure import Procedure

HORIZON = 6.0
ENDPOINT = ENDPOINTS["relapse_6m"]


def outcome_of(risk: np.ndarray, seed: int, censored_share: float = 0.0) -> Outcome:
    """Events by 6 months with probability ``risk``, at uniform times; all others followed to 24; some are censored early."""
    rng = np.random.default_rng(seed)
    event = rng.random(len(risk)) < risk
    time = np.where(event, rng.uniform(0.1, HORIZON, len(risk)), 24.0)
    censored = rng.random(len(risk)) < censored_share
    leaves = rng.uniform(0.1, 8.0, len(risk))
    early = censored & (leaves < time)
    return Outcome(np.where(early, leaves, time), event & ~early)


def frozen_table(risk: np.ndarray, outcome: Outcome, horizon: float = HORIZON) -> pd.DataFrame:
    """One model's frozen predictions in the documented schema, rows shuffled, since their order must not matter."""
    n = len(risk)
    table = pd.DataFrame(
        {
            "population": "overall",
            "trained_on": "relapse_6m",
            "feature_set": "baseline",
            "model": "m",
            "repeat": 0,
            "fold": 0,
            "patient_id": [f"p{i:05d}" for i in range(n)],
            "horizon_months": horizon,
            "risk": risk,
            "time_months": outcome.time_months,
            "event": outcome.event,
        }
    ).astype(COLUMNS)
    return table.sample(frac=1, random_state=0)


def splits_for(outcome: Outcome, n_folds: int = 5, n_repeats: int = 2) -> tuple[Split, ...]:
    return repeated_stratified_splits(outcome, (6.0, 12.0), n_folds, n_repeats, 1)


def example(n: int = 400, shift: float = 1.0, spread: float = 1.0, censored_share: float = 0.0, seed: int = 0):
    """Frozen predictions whose true risk is expit((logit(risk) - shift) / spread)."""
    lp = np.random.default_rng(seed).normal(-0.5, 1.0, n)
    outcome = outcome_of(expit(lp), seed + 1, censored_share)
    return frozen_table(expit(shift + spread * lp), outcome), outcome


@pytest.mark.parametrize("kind", [INTERCEPT, INTERCEPT_AND_SLOPE])
def test_each_part_is_updated_by_the_regression_of_its_training_part(kind: str):
    """The naive twin: a logistic regression of statsmodels for each split, without censoring."""
    table, outcome = example()
    splits = splits_for(outcome)
    updated, remarks = update(table, splits, kind)
    assert remarks == {}
    by_id = table.sort_values("patient_id")
    lp, status = logit(by_id["risk"].to_numpy()), (outcome.time_months <= HORIZON).astype(float)
    for split in splits:
        if kind == INTERCEPT:
            fit = sm.GLM(
                status[split.train], np.ones(len(split.train)), family=sm.families.Binomial(), offset=lp[split.train]
            ).fit()
            expected = expit(fit.params[0] + lp[split.test])
        else:
            fit = sm.GLM(status[split.train], sm.add_constant(lp[split.train]), family=sm.families.Binomial()).fit()
            expected = expit(fit.params[0] + fit.params[1] * lp[split.test])
        got = updated[(updated["repeat"] == split.repeat) & (updated["fold"] == split.fold)].sort_values("patient_id")
        assert list(got["patient_id"]) == list(by_id["patient_id"].iloc[split.test])
        np.testing.assert_allclose(got["risk"], expected, rtol=1e-6)


def test_nobody_is_judged_by_an_update_that_saw_him():
    table, outcome = example(censored_share=0.3)
    splits = splits_for(outcome, n_repeats=1)
    patient = int(splits[0].test[0])
    name = f"p{patient:05d}"
    turned = table.copy()
    chosen = turned["patient_id"] == name
    turned.loc[chosen, "event"] = ~turned.loc[chosen, "event"]
    turned.loc[chosen, "time_months"] = 3.0
    before, after = (update(t, splits, INTERCEPT_AND_SLOPE)[0].set_index("patient_id")["risk"] for t in (table, turned))
    assert after[name] == before[name]
    others = [f"p{i:05d}" for i in splits[1].test]
    assert (after[others] != before[others]).all(), "the others' updates saw him"


_CALIBRATION = ("o_e", "calibration_intercept", "calibration_slope")


@pytest.mark.parametrize("censored_share", [0.0, 0.5])
@pytest.mark.parametrize(
    ("kind", "shift", "spread"), [(INTERCEPT, 1.0, 1.0), (INTERCEPT_AND_SLOPE, 1.0, 2.0), (INTERCEPT_AND_SLOPE, -1.0, 0.5)]
)
def test_an_update_mends_what_is_wrong_by_construction(kind: str, shift: float, spread: float, censored_share: float):
    table, outcome = example(6000, shift, spread, censored_share)
    updated, _ = update(table, splits_for(outcome, n_repeats=1), kind)
    everybody = np.ones((1, len(outcome)))
    before, after = (at_horizon(t, HORIZON, HORIZON) for t in (table, updated))
    values = {name: tuple(METRICS[name].compute(at, everybody)[0] for at in (before, after)) for name in _CALIBRATION}
    assert abs(np.log(values["o_e"][0])) > 0.2
    assert abs(np.log(values["o_e"][1])) < 0.02
    assert values["calibration_intercept"][1] == pytest.approx(0, abs=0.05)
    assert values["calibration_slope"][1] == pytest.approx(1, abs=0.1)
    true_risk = expit((logit(table.sort_values("patient_id")["risk"].to_numpy()) - shift) / spread)
    assert np.abs(after.risk[:, 0] - true_risk).mean() < 0.02


def test_frozen_predictions_are_left_as_they_are():
    table, outcome = example()
    updated, remarks = update(table, splits_for(outcome), FROZEN)
    pd.testing.assert_frame_equal(updated, table)
    assert remarks == {}


def test_updated_predictions_keep_the_schema_and_have_one_risk_a_patient_and_repeat():
    table, outcome = example(100)
    updated, _ = update(table, splits_for(outcome, n_repeats=3), INTERCEPT)
    assert {name: str(dtype) for name, dtype in updated.dtypes.items()} == COLUMNS
    assert len(updated) == 300
    assert not updated.duplicated(["patient_id", "repeat", "horizon_months"]).any()


def test_one_risk_for_all_is_updated_by_its_intercept_only_and_says_so():
    _, outcome = example()
    constant = frozen_table(np.full(len(outcome), 0.7), outcome)
    splits = splits_for(outcome)
    both, remarks = update(constant, splits, INTERCEPT_AND_SLOPE)
    intercept, _ = update(constant, splits, INTERCEPT)
    assert remarks == {HORIZON: NO_SLOPE}
    pd.testing.assert_frame_equal(both, intercept)
    status = (outcome.time_months <= HORIZON).astype(float)
    first = both[(both["repeat"] == 0) & (both["fold"] == 0)]
    np.testing.assert_allclose(first["risk"], status[splits[0].train].mean(), rtol=1e-6)


def test_a_horizon_that_allows_no_update_is_left_out_with_the_reason_and_the_other_is_kept():
    """All events by 6 months lie in one test part, so its training part has none."""
    n = 40
    time = np.where(np.arange(n) < 4, 3.0, np.where(np.arange(n) % 2, 9.0, 24.0))
    outcome = Outcome(time, time < 20)
    risk = np.linspace(0.1, 0.9, n)
    table = pd.concat([frozen_table(risk, outcome), frozen_table(risk, outcome, 12.0)])
    test = (np.arange(0, 20), np.arange(20, 40))
    splits = tuple(Split(0, fold, test[1 - fold], test[fold]) for fold in (0, 1))
    updated, remarks = update(table, splits, INTERCEPT)
    assert set(updated["horizon_months"]) == {12.0}
    assert remarks == {6.0: "no update from the training part of repeat 0 fold 0: no event by the horizon"}
    estimates = estimate_elsewhere(updated, remarks, outcome, ENDPOINTS["dfs"], 100, 1)
    assert [e.horizon_months for e in estimates] == [6.0] * len(METRICS) + [12.0] * len(METRICS)
    refused = [e for e in estimates if e.horizon_months == 6.0]
    assert all(np.isnan(e.estimate) and e.note == remarks[6.0] and e.n_events == 4 for e in refused)
    assert all(np.isfinite(e.estimate) for e in estimates if e.horizon_months == 12.0 and e.metric in ("o_e", "brier"))


def test_a_separated_training_part_allows_no_slope():
    n = 40
    risk = np.linspace(0.05, 0.95, n)
    outcome = Outcome(np.where(risk > 0.5, 3.0, 24.0), risk > 0.5)
    _, remarks = update(frozen_table(risk, outcome), splits_for(outcome, 2, 1), INTERCEPT_AND_SLOPE)
    assert "the recalibration does not converge (separation)" in remarks[HORIZON]


def test_frozen_estimates_are_those_of_any_cell():
    table, outcome = example(150)
    assert estimate_elsewhere(table, {}, outcome, ENDPOINT, 100, 3) == estimate_cell(table, ENDPOINT, 100, 3)


def test_a_horizon_that_the_training_cohort_does_not_reach_says_so():
    table, outcome = example(150)
    outcome = Outcome(np.where(outcome.event, outcome.time_months, 24.0 + np.arange(150) % 3), outcome.event)
    late = estimate_elsewhere(table, {}, outcome, ENDPOINTS["dfs"], 100, 3)[-1]
    assert late.horizon_months == 12.0
    assert late.note == "the training cohort's follow-up does not support the horizon"


@pytest.fixture(scope="module")
def simulated_pair() -> tuple[Cohort, Cohort]:
    return simulate_cohort(120, signal=2, seed=1).cohort, simulate_cohort(50, signal=2, seed=2).cohort


def test_the_frozen_risks_are_those_of_one_fit_on_all_of_the_training_cohort(simulated_pair):
    train, test = simulated_pair
    shared = shared_predictors(train, test, "overall", BASELINE)
    outcome = train.outcome("dfs")
    fitted = Procedure(PAPER_COX, ENDPOINTS["dfs"], (6.0, 12.0)).fit(shared.train, outcome, 1)
    told = predict_elsewhere(fitted, shared)
    assert len(told) == 2 * len(test)
    assert set(zip(told["repeat"], told["fold"], strict=True)) == {(0, 0)}
    at_12 = told[told["horizon_months"] == 12.0].sort_values("row")
    np.testing.assert_array_equal(at_12["risk"], fitted.risk_at(shared.test.frame, 12.0))


# ---- against the null model


def models_of(outcome: Outcome, *risks: np.ndarray) -> dict[tuple[str, str], HorizonPredictions]:
    fold = np.zeros((len(outcome), 1), dtype=np.int16)

    def at(risk: np.ndarray) -> HorizonPredictions:
        return HorizonPredictions(HORIZON, HORIZON, outcome, risk[:, None], fold)

    named = {("baseline", f"m{number}"): at(risk) for number, risk in enumerate(risks)}
    return {NULL_KEY: at(np.full(len(outcome), 0.4)), **named}


def test_the_p_value_of_an_auc_is_near_delongs():
    """Same variance by another road: DeLong et al. 1988 by placements, here by the bootstrap."""
    table, outcome = example(300)
    weak = np.random.default_rng(5).normal(0, 4.0, 300) + logit(table.sort_values("patient_id")["risk"].to_numpy())
    models = models_of(outcome, expit(weak))
    compared = compare_with_null(models, FROZEN, ENDPOINT, "overall", 4000, 1).set_index(["metric", "model"])
    row = compared.loc["auc", "m0"]
    spread = abs(row["difference"]) / norm.isf(row["p_value"] / 2)
    assert 1e-6 < row["p_value"] < 0.2, "far enough from 0 and 1 to read a standard error from"
    assert spread == pytest.approx(_delong_error(models["baseline", "m0"]), rel=0.08)


def _delong_error(at: HorizonPredictions) -> float:
    """By placements, from the definition."""
    case = at.outcome.status_at(HORIZON) == 1
    risk = at.risk[:, 0]
    wins = (risk[case][:, None] > risk[~case][None, :]) + 0.5 * (risk[case][:, None] == risk[~case][None, :])
    return float(np.sqrt(wins.mean(axis=1).var(ddof=1) / case.sum() + wins.mean(axis=0).var(ddof=1) / (~case).sum()))


def test_differences_are_gains_by_hand_and_p_is_corrected_over_the_models():
    table, outcome = example(200)
    risk = table.sort_values("patient_id")["risk"].to_numpy()
    models = models_of(outcome, risk, risk**2, 1 - risk)
    compared = compare_with_null(models, FROZEN, ENDPOINT, "overall", 400, 1)
    assert list(compared.columns) == EXTERNAL_COMPARISON_COLUMNS
    status = (outcome.time_months <= HORIZON).astype(float)
    null = np.mean((status - 0.4) ** 2)
    skill = compared[compared["metric"] == "brier_skill"].set_index("model")
    for name, of in (("m0", risk), ("m1", risk**2), ("m2", 1 - risk)):
        assert skill.loc[name, "difference"] == pytest.approx((null - np.mean((status - of) ** 2)) / null)
    assert skill.loc["m2", "difference"] < 0
    for _, family in compared.groupby("metric"):
        np.testing.assert_allclose(family["p_holm"], adjust(family["p_value"].to_numpy())[0])


@pytest.mark.parametrize("kind", [k for k in UPDATES if k != FROZEN])
def test_ranks_are_compared_for_frozen_risks_only(kind: str):
    table, outcome = example(100)
    models = models_of(outcome, table.sort_values("patient_id")["risk"].to_numpy())
    assert set(compare_with_null(models, kind, ENDPOINT, "overall", 100, 1)["metric"]) == {"brier_skill"}


def test_a_model_equal_to_the_null_model_differs_by_nothing_with_p_1():
    _, outcome = example(100)
    compared = compare_with_null(models_of(outcome, np.full(100, 0.4)), FROZEN, ENDPOINT, "overall", 100, 1)
    np.testing.assert_array_equal(compared["difference"], 0)
    np.testing.assert_array_equal(compared["p_value"], 1)


def test_without_the_null_model_nothing_is_compared():
    table, outcome = example(100)
    models = models_of(outcome, table["risk"].to_numpy())
    del models[NULL_KEY]
    assert compare_with_null(models, FROZEN, ENDPOINT, "overall", 100, 1).empty


def test_under_the_null_few_p_values_are_small():
    """A model of noise that says the right overall risk: at most about one in twenty AUC P values is below 0.05."""
    small = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        outcome = outcome_of(np.full(200, 0.4), 10_000 + seed)
        compared = compare_with_null(models_of(outcome, rng.uniform(0.3, 0.5, 200)), FROZEN, ENDPOINT, "overall", 300, seed)
        small += compared.loc[compared["metric"] == "auc", "p_value"].iloc[0] < 0.05
    assert small <= 8, "binomial(60, 0.05) exceeds 8 once in 500"


def test_the_null_model_carries_the_training_cohorts_risk(simulated_pair):
    train, test = simulated_pair
    shared = shared_predictors(train, test, "overall", BASELINE)
    fitted = Procedure(NULL_MODEL, ENDPOINTS["dfs"], (12.0,)).fit(shared.train, train.outcome("dfs"), 1)
    assert np.ptp(predict_elsewhere(fitted, shared)["risk"]) == 0
