"""Paired comparisons: which are made, in which direction, on which resamples, and what they claim where there is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohort.types import Outcome
from evaluation.comparison import COMPARISON_COLUMNS, NULL_KEY, PRACTICAL_DISCRIMINATION, compare_models
from evaluation.delong import auc_contributions
from evaluation.estimate import bootstrap_weights
from evaluation.metrics.registry import METRICS
from evaluation.multiplicity import adjust
from evaluation.paired_tests import corrected_resampled_t

from .comparison_cases import COX, DFS, LOGISTIC, TREES, TWELVE, patients, predicted, question

B, SEED = 200, 9


def _shuffled(risk: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(risk)


@pytest.fixture(scope="module")
def models() -> dict:
    """The truth on two feature sets, with noise on one; trees that know nothing."""
    outcome, risk, fold = patients(1, signal=1.0)
    noisy = np.clip(risk + np.random.default_rng(2).normal(scale=0.12, size=len(risk)), 0.01, 0.99)
    risks = {
        ("baseline", LOGISTIC): noisy,
        ("baseline", COX): _shuffled(risk, 5),
        ("baseline", TREES): _shuffled(risk),
        ("pre_surgery", LOGISTIC): risk,
        ("pre_surgery", TREES): _shuffled(noisy, 3),
    }
    return question(risks, outcome, fold)


@pytest.fixture(scope="module")
def table(models: dict) -> pd.DataFrame:
    return compare_models(models, TWELVE, "overall", B, SEED)


def _row(table: pd.DataFrame, comparison: str, metric: str, feature_set: str, model: str) -> pd.Series:
    names = {"comparison": comparison, "metric": metric, "feature_set": feature_set, "model": model}
    [(_, row)] = table[(table[list(names)] == pd.Series(names)).all(axis=1)].iterrows()
    return row


def test_every_model_meets_the_null_model_the_papers_on_its_features_and_itself_on_the_earlier(table: pd.DataFrame) -> None:
    auc = table[table["metric"] == "auc"]
    made = auc[["comparison", "feature_set", "model", "reference_feature_set", "reference_model"]]
    null = {("null_model", f, m, *NULL_KEY) for f, m in (("baseline", LOGISTIC), ("baseline", COX), ("baseline", TREES))}
    null |= {("null_model", "pre_surgery", m, *NULL_KEY) for m in (LOGISTIC, TREES)}
    paper = {("paper_model", f, m, f, LOGISTIC) for f, m in (("baseline", COX), ("baseline", TREES), ("pre_surgery", TREES))}
    added = {("added_information", "pre_surgery", m, "baseline", m) for m in (LOGISTIC, TREES)}

    assert list(table) == COMPARISON_COLUMNS
    assert set(made.itertuples(index=False, name=None)) == null | paper | added
    assert len(table) == 2 * len(auc), "AUC and Brier skill"
    assert set(table["metric"]) == {"auc", "brier_skill"}


def test_models_meet_the_published_score_that_does_best_in_these_patients_and_scores_meet_none() -> None:
    outcome, risk, fold = patients(3, signal=0.8)
    scores = {("baseline", "fong_score"): risk, ("baseline", "konopke_score"): _shuffled(risk)}
    risks = {**scores, ("baseline", TREES): _shuffled(risk, 1), ("paper", TREES): risk}
    table = compare_models(question(risks, outcome, fold), TWELVE, "overall", 20, SEED)
    rows = table[table["comparison"] == "published_score"]

    assert rows[["feature_set", "model", "reference_model"]].drop_duplicates().to_numpy().tolist() == [
        ["baseline", TREES, "fong_score"]
    ]
    assert set(rows["metric"]) == {"auc", "brier_skill"}
    assert (rows["difference"] < 0).all()


def test_time_endpoints_are_compared_by_unos_c_too_and_against_the_papers_cox_model(models: dict) -> None:
    table = compare_models({key: replace(at, tau_months=60.0) for key, at in models.items()}, DFS, "overall", 20, SEED)

    assert set(table["metric"]) == {"c_uno", "auc", "brier_skill"}
    assert set(table.loc[table["comparison"] == "paper_model", "reference_model"]) == {COX}


def test_a_difference_is_that_of_the_metrics_positive_where_the_model_is_better(models: dict, table: pd.DataFrame) -> None:
    once = np.ones((1, 150))
    key, reference = ("pre_surgery", LOGISTIC), ("baseline", LOGISTIC)
    auc = [METRICS["auc"].compute(models[k], once)[0] for k in (key, reference)]
    brier = [METRICS["brier"].compute(models[k], once)[0] for k in (key, reference, NULL_KEY)]

    assert _row(table, "added_information", "auc", *key)["difference"] == pytest.approx(auc[0] - auc[1])
    skill = [1 - value / brier[2] for value in brier]
    assert _row(table, "added_information", "brier_skill", *key)["difference"] == pytest.approx(skill[0] - skill[1])
    assert _row(table, "null_model", "brier_skill", *key)["difference"] == pytest.approx(skill[0])
    assert auc[0] > auc[1]
    assert skill[0] > skill[1] > 0, "the truth is better than the noisy truth, and that than nothing"


def test_the_interval_is_of_differences_within_one_resample(models: dict, table: pd.DataFrame) -> None:
    weights = bootstrap_weights(150, B, SEED)
    first, second = (METRICS["auc"].compute(models["pre_surgery", m], weights) for m in (LOGISTIC, TREES))
    row = _row(table, "paper_model", "auc", "pre_surgery", TREES)

    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(np.percentile(second - first, (2.5, 97.5))))
    assert row["probability_of_practical_gain"] == np.mean(second - first > PRACTICAL_DISCRIMINATION)


def test_two_models_that_agree_differ_by_less_than_their_own_intervals_suggest() -> None:
    outcome, risk, fold = patients(3, signal=1.0)
    nearly = np.clip(risk + np.random.default_rng(0).normal(scale=0.02, size=150), 0, 1)
    table = compare_models(
        question({("baseline", LOGISTIC): risk, ("baseline", TREES): nearly}, outcome, fold), TWELVE, "overall", B, 1
    )
    paired, alone = (_row(table, c, "auc", "baseline", TREES) for c in ("paper_model", "null_model"))

    assert paired["ci_high"] - paired["ci_low"] < 0.3 * (alone["ci_high"] - alone["ci_low"])
    assert paired["ci_low"] < 0 < paired["ci_high"]
    assert paired["probability_of_practical_gain"] < 0.05, "some resamples favour it, hardly any by a practical size"


def test_p_is_the_corrected_t_of_the_differences_of_single_folds(models: dict, table: pd.DataFrame) -> None:
    by_fold = []
    for repeat in range(2):
        for fold in range(5):
            rows = models[NULL_KEY].fold[:, repeat] == fold
            aucs = []
            for key in (("pre_surgery", TREES), ("pre_surgery", LOGISTIC)):
                at = models[key]
                alone = predicted(at.outcome.subset(rows), at.fold[rows][:, [repeat]], at.risk[rows][:, [repeat]])
                aucs.append(METRICS["auc"].compute(alone, np.ones((1, rows.sum())))[0])
            by_fold.append(aucs[0] - aucs[1])

    p = _row(table, "paper_model", "auc", "pre_surgery", TREES)["p_value"]
    assert p == pytest.approx(corrected_resampled_t(np.array(by_fold), 30 / 120))


def test_holms_correction_is_over_the_models_of_one_metric_and_comparison(table: pd.DataFrame) -> None:
    for _, family in table.groupby(["comparison", "metric"]):
        np.testing.assert_allclose(family["p_holm"], adjust(family["p_value"].to_numpy(dtype=float))[0])
    assert (table["p_holm"] > table["p_value"]).any()


def test_delongs_interval_stands_beside_the_bootstraps_for_the_auc_only(models: dict, table: pd.DataFrame) -> None:
    row = _row(table, "paper_model", "auc", "pre_surgery", TREES)
    part = auc_contributions(models["pre_surgery", TREES]) - auc_contributions(models["pre_surgery", LOGISTIC])
    half = 1.959964 * np.sqrt(np.sum(part**2))

    assert (row["delong_ci_low"], row["delong_ci_high"]) == pytest.approx((row["difference"] - half, row["difference"] + half))
    assert 2 * half == pytest.approx(row["ci_high"] - row["ci_low"], rel=0.2)
    assert table.loc[table["metric"] == "brier_skill", ["delong_ci_low", "delong_ci_high"]].isna().all(axis=None)


def test_where_patients_are_censored_before_the_horizon_there_is_no_delong_interval_and_the_note_says_so() -> None:
    outcome, risk, fold = patients(1, signal=1.0, leave=(5, 60))
    table = compare_models(question({("baseline", TREES): risk}, outcome, fold), TWELVE, "overall", 50, 1)
    row = _row(table, "null_model", "auc", "baseline", TREES)

    assert np.isnan(row["delong_ci_low"])
    assert np.isfinite([row["ci_low"], row["p_value"]]).all()
    assert "no DeLong interval: " in row["note"]
    assert "censored before the horizon" in row["note"]


def test_order_of_patients_changes_nothing(models: dict, table: pd.DataFrame) -> None:
    order = np.random.default_rng(0).permutation(150)
    mixed = {key: predicted(at.outcome.subset(order), at.fold[order], at.risk[order]) for key, at in models.items()}
    columns = ["difference", "p_value", "delong_ci_low"]

    pd.testing.assert_frame_equal(compare_models(mixed, TWELVE, "overall", 10, 1)[columns], table[columns])


def test_model_that_ranks_nobody_differs_from_the_null_model_by_nothing() -> None:
    outcome, _, fold = patients(1)
    table = compare_models(question({("paper", TREES): np.full(150, 0.3)}, outcome, fold), TWELVE, "overall", 50, 1)
    row = _row(table, "null_model", "auc", "paper", TREES)

    assert (row["difference"], row["ci_low"], row["ci_high"], row["p_value"]) == (0, 0, 0, 1)
    assert row["probability_of_practical_gain"] == 0


def test_a_fold_without_cases_leaves_no_p_value_and_is_counted() -> None:
    outcome, risk, fold = patients(1, n_repeats=1)
    fold[outcome.event & (outcome.time_months <= 12) & (fold[:, 0] == 2), 0] = 3
    table = compare_models(question({("paper", TREES): risk}, outcome, fold), TWELVE, "overall", 50, 1)
    row = _row(table, "null_model", "auc", "paper", TREES)

    assert np.isnan(row["p_value"])
    assert np.isnan(row["p_holm"])
    assert np.isfinite(row["difference"])
    assert "no P value: AUC cannot be computed in 1 of 5 folds" in row["note"]


def test_without_the_null_model_the_others_are_compared_by_what_needs_none(models: dict) -> None:
    rest = {key: at for key, at in models.items() if key != NULL_KEY}
    table = compare_models(rest, TWELVE, "overall", 10, 1)

    assert set(table["comparison"]) == {"paper_model", "added_information"}
    assert set(table["metric"]) == {"auc"}


def test_horizon_that_cannot_be_evaluated_has_no_comparison() -> None:
    outcome, risk, fold = patients(1)
    short = Outcome(np.minimum(outcome.time_months, 9.0), outcome.event & (outcome.time_months <= 9))

    assert compare_models(question({("paper", TREES): risk}, short, fold), TWELVE, "overall", 10, 1).empty
    assert list(compare_models({}, TWELVE, "overall", 10, 1)) == COMPARISON_COLUMNS


def test_models_of_other_folds_are_not_compared(models: dict) -> None:
    at = models["baseline", TREES]

    with pytest.raises(ValueError, match="xgboost_classifier on baseline was not judged in the same patients and folds"):
        compare_models({**models, ("baseline", TREES): replace(at, fold=at.fold[::-1])}, TWELVE, "overall", 10, 1)


def test_without_signal_corrected_p_values_below_5_percent_are_rare() -> None:
    # 150 cohorts, 5 models that know nothing: at most 5 % + 3 standard errors have any corrected P below 0.05.
    found = 0
    for seed in range(150):
        outcome, _, fold = patients(seed, n=80)
        rng = np.random.default_rng(1000 + seed)
        models = question({("paper", f"model {i}"): rng.uniform(0.1, 0.6, 80) for i in range(5)}, outcome, fold)
        table = compare_models(models, TWELVE, "overall", 2, 1)
        found += (table.loc[table["metric"] == "auc", "p_holm"] < 0.05).any()

    assert found / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
