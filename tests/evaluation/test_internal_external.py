from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from cohort.errors import CohortError
from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Outcome
from evaluation.cross_validation import cross_validate
from evaluation.internal_external import (
    CENTRE_COLUMNS,
    FEWEST,
    POOLED_COLUMNS,
    POOLED_METRICS,
    centre_estimates,
    centre_splits,
    pool_centres,
)
from evaluation.meta_analysis import pool
from evaluation.metrics.registry import METRICS
from evaluation.predictions import COLUMNS, at_horizon
from features.baseline import BASELINE
from features.feature_set import build_predictors
from models.paper_cox import PAPER_COX
from models.procedure import Procedure

ENDPOINT = ENDPOINTS["relapse_6m"]
CENTRES = ("a", "b", "c", "d")


def predictions_of(sizes: dict[str, int], shifts: dict[str, float], seed: int = 0) -> pd.DataFrame:
    """Risks that are right but for the centre's shift on the logit scale."""
    rng = np.random.default_rng(seed)
    parts = []
    for fold, (centre, n) in enumerate(sizes.items()):
        lp = rng.normal(-0.3, 1.0, n)
        event = rng.random(n) < expit(lp - shifts.get(centre, 0.0))
        parts.append(
            pd.DataFrame(
                {
                    "population": "overall",
                    "trained_on": "relapse_6m",
                    "feature_set": "baseline",
                    "model": "m",
                    "repeat": 0,
                    "fold": fold,
                    "patient_id": [f"{centre}{i}" for i in range(n)],
                    "horizon_months": 6.0,
                    "risk": expit(lp),
                    "time_months": np.where(event, rng.uniform(0.1, 6.0, n), 20.0),
                    "event": event,
                }
            )
        )
    return pd.concat(parts, ignore_index=True).astype(COLUMNS)


@pytest.fixture(scope="module")
def estimates() -> pd.DataFrame:
    sizes = {"a": 150, "b": 120, "c": 200, "d": 12}
    return centre_estimates(predictions_of(sizes, {"c": 1.0}), CENTRES, ENDPOINT, 300, 1)


def test_each_centre_is_tested_once_by_what_was_learned_from_all_others():
    splits, names = centre_splits(["b", "a", "b", None, "c"])
    assert names == ("a", "b", "c")
    assert [(s.fold, s.test.tolist(), s.train.tolist()) for s in splits] == [
        (0, [1], [0, 2, 3, 4]),
        (1, [0, 2], [1, 3, 4]),
        (2, [4], [0, 1, 2, 3]),
    ]


@pytest.mark.parametrize("centres", [["a", "a"], [None, "a"], [None, None]])
def test_fewer_than_two_centres_cannot_be_left_out(centres):
    with pytest.raises(CohortError, match=r"leaving one centre out needs two or more; the cohort names [01]"):
        centre_splits(centres)


def test_a_centres_estimates_are_the_metrics_of_its_patients_alone(estimates: pd.DataFrame):
    table = predictions_of({"a": 150, "b": 120, "c": 200, "d": 12}, {"c": 1.0})
    alone = at_horizon(table[table["fold"] == 1], 6.0, 6.0)
    for name in POOLED_METRICS:
        (row,) = (r for _, r in estimates[(estimates["centre"] == "b") & (estimates["metric"] == name)].iterrows())
        assert row["estimate"] == pytest.approx(METRICS[name].compute(alone, np.ones((1, 120)))[0])
        assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_the_error_of_a_logit_auc_is_that_of_the_delta_method(estimates: pd.DataFrame):
    """Hanley and McNeil's error by placements, over AUC (1 - AUC)."""
    table = predictions_of({"a": 150, "b": 120, "c": 200, "d": 12}, {"c": 1.0})
    at = at_horizon(table[table["fold"] == 2], 6.0, 6.0)
    case, risk = at.outcome.status_at(6.0) == 1, at.risk[:, 0]
    wins = (risk[case][:, None] > risk[~case][None, :]).astype(float)
    auc = wins.mean()
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / case.sum() + wins.mean(axis=0).var(ddof=1) / (~case).sum())
    row = estimates[(estimates["centre"] == "c") & (estimates["metric"] == "auc")].iloc[0]
    assert row["estimate"] == pytest.approx(auc)
    assert row["error"] == pytest.approx(error / (auc * (1 - auc)), rel=0.12)


def test_a_small_centre_is_named_with_its_reason_and_not_pooled(estimates: pd.DataFrame):
    small = estimates[estimates["centre"] == "d"]
    assert len(small) == len(POOLED_METRICS)
    assert small["estimate"].isna().all()
    assert small["note"].str.contains(f"fewer than {FEWEST} of either").all()
    pooled = pool_centres(estimates)
    assert (pooled["n_centres"] == 3).all()
    assert pooled["note"].str.startswith("left out: d (").all()


def test_pooling_is_the_meta_analysis_on_its_scale(estimates: pd.DataFrame):
    pooled = pool_centres(estimates).set_index("metric")
    judged = estimates[estimates["estimate"].notna()]
    for name, to, back in (("auc", logit, expit), ("o_e", np.log, np.exp), ("calibration_slope", np.array, np.array)):
        rows = judged[judged["metric"] == name]
        expected = pool(to(rows["estimate"].to_numpy()), rows["error"].to_numpy())
        assert pooled.loc[name, "estimate"] == pytest.approx(float(back(expected.mean)))
        assert pooled.loc[name, "prediction_low"] == pytest.approx(float(back(expected.prediction_low)))
        assert pooled.loc[name, "tau2"] == pytest.approx(expected.tau2)


def test_a_centre_of_another_risk_shows_as_heterogeneity_of_calibration_and_not_of_ranks(estimates: pd.DataFrame):
    pooled = pool_centres(estimates).set_index("metric")
    assert pooled.loc["calibration_intercept", "p_heterogeneity"] < 0.01
    assert pooled.loc["auc", "p_heterogeneity"] > 0.05
    c = estimates[(estimates["centre"] == "c") & (estimates["metric"] == "calibration_intercept")].iloc[0]
    assert c["ci_low"] < -1.0 < c["ci_high"]


def test_centres_of_one_truth_pool_to_it():
    sizes = dict.fromkeys("abcdefgh", 150)
    pooled = pool_centres(centre_estimates(predictions_of(sizes, {}, seed=4), tuple(sizes), ENDPOINT, 200, 1)).set_index("metric")
    assert pooled.loc["o_e", "ci_low"] < 1 < pooled.loc["o_e", "ci_high"]
    assert pooled.loc["calibration_slope", "ci_low"] < 1 < pooled.loc["calibration_slope", "ci_high"]
    assert pooled.loc["o_e", "estimate"] == pytest.approx(1, abs=0.12)


def test_one_judged_centre_is_not_pooled_and_says_so():
    found = pool_centres(centre_estimates(predictions_of({"a": 150, "b": 8}, {}), ("a", "b"), ENDPOINT, 100, 1))
    assert found["estimate"].isna().all()
    assert found["note"].str.startswith("fewer than two centres could be judged; left out: b (").all()


def test_a_model_of_one_risk_has_no_ranks_and_no_slope_in_any_centre():
    table = predictions_of({"a": 100, "b": 100, "c": 100}, {}).assign(risk=0.4)
    found = pool_centres(centre_estimates(table, ("a", "b", "c"), ENDPOINT, 100, 1)).set_index("metric")
    assert np.isnan(found.loc["calibration_slope", "estimate"])
    assert np.isnan(found.loc["auc", "estimate"])
    assert "all resamples agree" in found.loc["auc", "note"]
    assert np.isfinite(found.loc["o_e", "estimate"])


def test_a_horizon_without_predictions_says_so():
    found = centre_estimates(predictions_of({"a": 50, "b": 50}, {}), ("a", "b"), ENDPOINTS["dfs"], 100, 1)
    late = found[found["horizon_months"] == 12.0]
    assert late["note"].str.startswith("no prediction").all()


def test_the_columns_are_as_documented(estimates: pd.DataFrame):
    assert list(estimates.columns) == CENTRE_COLUMNS[4:]
    assert list(pool_centres(estimates).columns) == POOLED_COLUMNS[4:]


def test_it_works_with_the_splits_and_fits_of_any_procedure():
    cohort = simulate_cohort(240, signal=2, seed=3).cohort
    centres = np.array(["north", "south", "west"])[np.arange(240) % 3]
    splits, names = centre_splits(centres)
    outcome: Outcome = cohort.outcome("dfs")
    procedure = Procedure(PAPER_COX, ENDPOINTS["dfs"], (6.0, 12.0))
    validated = cross_validate(procedure, build_predictors(cohort, "overall", BASELINE), outcome, splits, 1)
    assert validated.failures == ()
    rows = validated.predictions["row"].to_numpy()
    table = validated.predictions.assign(
        patient_id=cohort.patient_ids[rows], time_months=outcome.time_months[rows], event=outcome.event[rows]
    )
    pooled = pool_centres(centre_estimates(table, names, ENDPOINTS["dfs"], 100, 1)).set_index(["metric", "horizon_months"])
    assert (pooled["n_centres"] == 3).all()
    assert 0.55 < pooled.loc[("auc", 12.0), "estimate"] < 0.9
