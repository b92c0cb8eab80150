"""Metrics against scikit-survival, scikit-learn, R and sums by hand, where the definitions agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, roc_auc_score
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from cohort.types import Outcome
from evaluation.estimate import bootstrap_weights
from evaluation.metrics.registry import METRICS
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import horizon_weights, kaplan_meier

REFERENCE = Path(__file__).parent.parent / "reference"
SEEDS = pytest.mark.parametrize("seed", range(5))


def _at(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizon: float = 12.0,
    tau: float = 60.0,
    fold: npt.ArrayLike = 0,
) -> HorizonPredictions:
    outcome = Outcome(np.asarray(time, dtype=float), np.asarray(event, dtype=bool))
    risks = np.asarray(risk, dtype=float).reshape(len(outcome), -1)
    folds = np.broadcast_to(np.asarray(fold, dtype=np.int16).reshape(-1, 1), risks.shape)
    return HorizonPredictions(horizon, tau, outcome, risks, folds)


def _value(name: str, at: HorizonPredictions) -> float:
    return float(METRICS[name].compute(at, np.ones((1, len(at.outcome))))[0])


def _random(seed: int, n: int = 150, censored: bool = True, tau: float = 60.0) -> HorizonPredictions:
    """Untied times; tied risks."""
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    time, leaves = rng.exponential(14 / np.exp(0.6 * lp)) + 1e-3, rng.uniform(2, 60, n) if censored else np.full(n, 1e3)
    risk = np.round(1 / (1 + np.exp(-lp - rng.normal(scale=0.7, size=n))), 2).clip(0.01, 0.99)
    return _at(np.minimum(time, leaves), time <= leaves, risk, tau=tau)


def _surv(at: HorizonPredictions) -> npt.NDArray[np.void]:
    return Surv.from_arrays(at.outcome.event, at.outcome.time_months)


# ---- discrimination


@SEEDS
def test_auc_without_censoring_is_that_of_scikit_learn(seed: int) -> None:
    at = _random(seed, censored=False)

    assert _value("auc", at) == pytest.approx(roc_auc_score(at.outcome.status_at(12.0), at.risk[:, 0]), abs=1e-12)


@SEEDS
def test_auc_is_the_cumulative_dynamic_auc_of_scikit_survival(seed: int) -> None:
    # sksurv reads G at T, here at T-: one value on untied times. (With a censoring at a case's time the two differ.)
    at = _random(seed)
    theirs, _ = cumulative_dynamic_auc(_surv(at), _surv(at), at.risk[:, 0], [12.0])

    assert _value("auc", at) == pytest.approx(theirs[0], abs=1e-12)


@SEEDS
def test_harrells_c_is_that_of_scikit_survival(seed: int) -> None:
    at = _random(seed, tau=1e9)

    assert _value("c_harrell", at) == pytest.approx(
        concordance_index_censored(at.outcome.event, at.outcome.time_months, at.risk[:, 0])[0], abs=1e-12
    )


@SEEDS
def test_harrells_c_is_that_of_scikit_survival_with_tied_times(seed: int) -> None:
    at = _random(seed, tau=1e9)
    tied = _at(np.ceil(at.outcome.time_months), at.outcome.event, at.risk, tau=1e9)

    assert _value("c_harrell", tied) == pytest.approx(
        concordance_index_censored(tied.outcome.event, tied.outcome.time_months, tied.risk[:, 0])[0], abs=1e-12
    )


@SEEDS
@pytest.mark.parametrize("tau", [12.0, 30.0])
def test_unos_c_is_that_of_scikit_survival_on_untied_times(seed: int, tau: float) -> None:
    at = _random(seed, tau=tau)

    assert _value("c_uno", at) == pytest.approx(concordance_index_ipcw(_surv(at), _surv(at), at.risk[:, 0], tau)[0], abs=1e-12)


def test_unos_c_reads_g_before_the_event_where_scikit_survival_reads_it_after_a_censoring_tied_with_it() -> None:
    time, event, risk = [1, 1, 2, 3, 4], [1, 0, 1, 1, 0], [0.2, 0.5, 0.9, 0.6, 0.1]
    # G just before 1 is 1, just before 2 and 3 it is 3/4. Pairs won: of the first 1 of 4, of the second 2 of 2, of the third 1.
    weight = (4 / 3) ** 2
    at = _at(time, event, risk)

    assert _value("c_uno", at) == pytest.approx((1 + weight * 3) / (4 + weight * 3))
    theirs = concordance_index_ipcw(_surv(at), _surv(at), at.risk[:, 0])[0]
    assert theirs == pytest.approx((weight * 1 + weight * 3) / (weight * 4 + weight * 3))


@pytest.mark.parametrize("row", list(pd.read_csv(REFERENCE / "concordance.csv").itertuples(index=False)), ids=str)
def test_harrells_and_unos_c_are_those_of_r_with_ties_and_tau(row: object) -> None:
    data = pd.read_csv(REFERENCE / f"data_{row.data}.csv")
    marker = data[row.marker] if row.rising else -data[row.marker]
    at = _at(data["time"], data["event"], marker.rank(pct=True), tau=row.tau)

    assert _value("c_harrell", at) == pytest.approx(row.harrell, abs=1e-12)
    # R's weight is 1 / G(t)^2 just before t as well, so ties change nothing.
    assert _value("c_uno", at) == pytest.approx(row.uno, abs=1e-12)


def test_auc_by_hand_with_a_tie_and_a_patient_of_unknown_status() -> None:
    # Cases .9 and .4, controls .6, .4 and .1; the fourth left before the horizon. The cases' weights: 1, and 4/3 after he left.
    at = _at([2, 9, 20, 5, 21, 22], [1, 1, 0, 0, 0, 0], [0.9, 0.4, 0.6, 0.99, 0.1, 0.4])

    late = 1 / (4 / 5)
    assert _value("auc", at) == pytest.approx((3 + late * 1.5) / (3 + late * 3))


def test_pairs_are_formed_inside_a_fold_only() -> None:
    # Right inside each fold, wrong between them.
    at = _at([2, 20, 2, 20], [1, 0, 1, 0], [0.2, 0.1, 0.9, 0.8], fold=[0, 0, 1, 1])

    for name in ("auc", "c_harrell", "c_uno"):
        assert _value(name, at) == 1.0


def test_pairs_whose_earlier_event_comes_after_tau_do_not_count() -> None:
    time, event, risk = [2, 5, 9, 20], [1, 1, 1, 0], [0.9, 0.8, 0.1, 0.5]

    assert _value("c_harrell", _at(time, event, risk, tau=5.0)) == 1.0
    assert _value("c_harrell", _at(time, event, risk, tau=9.0)) == 5 / 6


@SEEDS
def test_average_precision_without_censoring_is_that_of_scikit_learn_with_tied_risks(seed: int) -> None:
    at = _random(seed, censored=False)

    assert len(np.unique(at.risk)) < len(at.risk)
    assert _value("average_precision", at) == pytest.approx(
        average_precision_score(at.outcome.status_at(12.0), at.risk[:, 0]), abs=1e-12
    )


def test_average_precision_by_hand_with_a_tie_and_a_patient_of_unknown_status() -> None:
    # As above: cases .9 (weight 1) and .4 (5/4); controls .6, .4 and .1, each 5/4. At .4 stand two cases and two controls.
    at = _at([2, 9, 20, 5, 21, 22], [1, 1, 0, 0, 0, 0], [0.9, 0.4, 0.6, 0.99, 0.1, 0.4])

    assert _value("average_precision", at) == pytest.approx((1 * 1 + 5 / 4 * (9 / 4) / (9 / 4 + 10 / 4)) / (9 / 4))


def test_a_fold_counts_in_average_precision_as_its_events_do() -> None:
    # The first fold, two events on top: 1. The second, one event at the bottom of three: 1/3.
    at = _at([2, 2, 20, 2, 20, 20], [1, 1, 0, 1, 0, 0], [0.3, 0.2, 0.1, 0.7, 0.8, 0.9], fold=[0, 0, 0, 1, 1, 1])

    assert _value("average_precision", at) == pytest.approx((1 + 1 + 1 / 3) / 3)


@SEEDS
def test_average_precision_is_the_sum_over_its_definition_in_every_resample(seed: int) -> None:
    at, weights = _in_folds(seed), bootstrap_weights(150, 4, seed)
    status = at.outcome.status_at(12.0)

    def slow(drawn: npt.NDArray[np.float64]) -> float:
        weight = horizon_weights(at.outcome, 12.0, drawn)[0]
        summed = total = 0.0
        for repeat in range(2):
            for case in np.flatnonzero((status == 1) & (drawn > 0)):
                in_fold = at.fold[:, repeat] == at.fold[case, repeat]
                as_high = in_fold & (at.risk[:, repeat] >= at.risk[case, repeat]) & ~np.isnan(status)
                summed += weight[case] * weight[as_high & (status == 1)].sum() / weight[as_high].sum()
                total += weight[case]
        return summed / total

    np.testing.assert_allclose(METRICS["average_precision"].compute(at, weights), [slow(w) for w in weights], atol=1e-12)


def _in_folds(seed: int) -> HorizonPredictions:
    """Two repeats of three folds, with censoring."""
    one, rng = _random(seed), np.random.default_rng(seed)
    risks = np.clip(one.risk + rng.normal(scale=0.1, size=(150, 2)), 0.01, 0.99).round(2)
    folds = np.column_stack([rng.permutation(150) % 3 for _ in range(2)]).astype(np.int16)
    return HorizonPredictions(12.0, 60.0, one.outcome, risks, folds)


# ---- classification at thresholds


def test_classification_by_hand_over_two_repeats() -> None:
    # Observed risk 2/4, as the other threshold. Called high: first the first and third, in the other repeat the first and second.
    at = _at([2, 9, 20, 21], [1, 1, 0, 0], [[0.9, 0.9], [0.1, 0.5], [0.6, 0.2], [0.2, 0.2]])

    for threshold in ("50", "observed"):
        assert _value(f"sensitivity_at_{threshold}", at) == 3 / 4
        assert _value(f"specificity_at_{threshold}", at) == 3 / 4
        assert _value(f"ppv_at_{threshold}", at) == 3 / 4
        assert _value(f"npv_at_{threshold}", at) == 3 / 4


def test_patients_censored_before_the_horizon_hand_their_weight_to_those_who_stay() -> None:
    # One of five leaves at 5, after the first event: the others weigh 4/3 from there on. Observed: 1 - 4/5 * 2/3.
    at = _at([2, 5, 9, 20, 21], [1, 0, 1, 0, 0], [0.6, 0.9, 0.2, 0.48, 0.1])

    # .48 reaches the observed risk of .467, and not 50 %.
    assert _value("sensitivity_at_observed", at) == pytest.approx(1 / (1 + 4 / 3))
    assert _value("ppv_at_observed", at) == pytest.approx(1 / (1 + 4 / 3))
    assert _value("specificity_at_observed", at) == pytest.approx(1 / 2)
    assert _value("ppv_at_50", at) == 1
    assert _value("npv_at_50", at) == pytest.approx(2 / 3)


@SEEDS
@pytest.mark.parametrize("threshold", ["observed", "50"])
def test_classification_without_censoring_is_the_confusion_matrix_of_scikit_learn(seed: int, threshold: str) -> None:
    at = _random(seed, censored=False)
    status = at.outcome.status_at(12.0)
    reached = at.risk[:, 0] >= (0.5 if threshold == "50" else status.mean())
    (tn, fp), (fn, tp) = confusion_matrix(status, reached)

    expected = {"sensitivity": tp / (tp + fn), "specificity": tn / (tn + fp), "ppv": tp / (tp + fp), "npv": tn / (tn + fn)}
    assert {kind: _value(f"{kind}_at_{threshold}", at) for kind in expected} == pytest.approx(expected)


def test_a_risk_at_the_threshold_reaches_it() -> None:
    at = _at([2, 9, 20, 21], [1, 1, 0, 0], [0.5, 0.5 - 1e-4, 0.3, 0.2])

    assert _value("sensitivity_at_50", at) == 1 / 2


def test_a_predictive_value_of_nobody_is_not_a_number() -> None:
    low, high = (_at([2, 9, 20, 21], [1, 1, 0, 0], [r, r + 0.02, r + 0.04, r + 0.01]) for r in (0.1, 0.9))

    assert np.isnan(_value("ppv_at_50", low))
    assert _value("npv_at_50", low) == 0.5
    assert np.isnan(_value("npv_at_50", high))
    assert _value("ppv_at_50", high) == 0.5


# ---- calibration and overall


@pytest.mark.parametrize("row", list(pd.read_csv(REFERENCE / "further_metrics.csv").itertuples(index=False)), ids=str)
def test_further_metrics_are_those_of_r_with_censoring_and_ties(row: object) -> None:
    data = pd.read_csv(REFERENCE / f"data_{row.data}.csv")
    outcome = Outcome(data["time"].to_numpy(dtype=float), data["event"].to_numpy(dtype=bool))
    observed = 1 - kaplan_meier(outcome).at([row.horizon])[0, 0]
    event = np.nan_to_num(outcome.status_at(row.horizon))
    # The risks of the R script.
    logit = np.log(observed / (1 - observed)) - 0.3 + 1.1 * np.sin(np.arange(1, len(data) + 1)) + 0.5 * (event - 0.5)
    at = _at(data["time"], data["event"], 1 / (1 + np.exp(-logit)), horizon=row.horizon)

    assert _value(row.metric, at) == pytest.approx(row.value, abs=1e-9)


@SEEDS
def test_log_loss_without_censoring_is_that_of_scikit_learn(seed: int) -> None:
    at = _random(seed, censored=False)

    assert _value("log_loss", at) == pytest.approx(log_loss(at.outcome.status_at(12.0), at.risk[:, 0]), abs=1e-12)


def test_log_loss_by_hand_takes_a_risk_of_0_for_a_thousandth() -> None:
    at = _at([2, 20], [1, 0], [[0.0, 0.5], [0.25, 1.0]])

    assert _value("log_loss", at) == pytest.approx(-(np.log(0.001) + np.log(0.5) + np.log(0.75) + np.log(0.001)) / 4)


def test_scaled_brier_by_hand() -> None:
    # Two of four have the event: the null model's Brier score is 1/4.
    at = _at([2, 9, 20, 21], [1, 1, 0, 0], [0.8, 0.6, 0.4, 0.2])

    assert _value("scaled_brier", at) == pytest.approx(1 - (0.04 + 0.16 + 0.16 + 0.04) / 4 / 0.25)


@SEEDS
def test_with_censoring_the_brier_score_is_scaled_by_that_of_the_kaplan_meier_risk(seed: int) -> None:
    at = _random(seed)
    observed = 1 - kaplan_meier(at.outcome).at([12.0])[0, 0]
    null = _at(at.outcome.time_months, at.outcome.event, np.full(150, observed))

    assert np.isnan(at.outcome.status_at(12.0)).any()
    assert _value("scaled_brier", at) == pytest.approx(1 - _value("brier", at) / _value("brier", null), abs=1e-12)
    assert _value("scaled_brier", null) == pytest.approx(0, abs=1e-12)


@SEEDS
def test_brier_is_that_of_scikit_survival_on_untied_times(seed: int) -> None:
    at = _random(seed)
    _, theirs = brier_score(_surv(at), _surv(at), 1 - at.risk, [12.0])

    assert _value("brier", at) == pytest.approx(theirs[0], abs=1e-12)


def test_brier_by_hand_is_averaged_over_repeats() -> None:
    at = _at([2, 20], [1, 0], [[0.5, 1.0], [0.5, 0.0]])

    assert _value("brier", at) == pytest.approx((0.25 + 0) / 2)


@pytest.mark.parametrize("row", list(pd.read_csv(REFERENCE / "recalibration.csv").itertuples(index=False)), ids=str)
def test_intercept_and_slope_are_those_of_r(row: object) -> None:
    data = pd.read_csv(REFERENCE / f"data_{row.data}.csv")
    outcome = Outcome(data["time"].to_numpy(dtype=float), data["event"].to_numpy(dtype=bool))
    status = outcome.status_at(row.horizon)
    known = ~np.isnan(status)
    # The risks of the R script, of the patients of known status alone: then nobody is weighted.
    number = np.arange(1, known.sum() + 1)
    risk = 1 / (1 + np.exp(-(0.4 + 1.3 * np.sin(number) + 0.8 * (status[known] - 0.5))))
    at = _at(data["time"][known], data["event"][known], risk, horizon=row.horizon)

    assert _value("calibration_intercept", at) == pytest.approx(row.intercept_in_the_large, abs=1e-9)
    assert _value("calibration_slope", at) == pytest.approx(row.slope, abs=1e-9)


@SEEDS
def test_with_censoring_intercept_and_slope_are_the_weighted_regressions_of_statsmodels(seed: int) -> None:
    at = _random(seed)
    status, risk = at.outcome.status_at(12.0), at.risk[:, 0]
    logit = np.log(risk / (1 - risk))
    known = ~np.isnan(status)
    # Weights from first principles: 1 / G(T-), and 1 / G(12) for the controls, by sksurv's Kaplan-Meier of censoring.
    times, g = kaplan_meier_estimator(at.outcome.event, at.outcome.time_months, reverse=True)
    steps = np.concatenate([[1.0], g])
    weights = 1 / steps[np.searchsorted(times, np.minimum(at.outcome.time_months, 12.0), side="left")]
    family = sm.families.Binomial()
    settings = {"family": family, "var_weights": weights[known]}
    level = sm.GLM(status[known], np.ones((known.sum(), 1)), offset=logit[known], **settings).fit(tol=1e-13)
    both = sm.GLM(status[known], sm.add_constant(logit[known]), **settings).fit(tol=1e-13)

    assert _value("calibration_intercept", at) == pytest.approx(level.params[0], abs=1e-8)
    assert _value("calibration_slope", at) == pytest.approx(both.params[1], abs=1e-8)


def test_the_slope_of_twice_too_extreme_risks_is_one_half_of_the_right_ones() -> None:
    at = _random(0)
    odds = (at.risk / (1 - at.risk)) ** 2
    extreme = HorizonPredictions(12.0, 60.0, at.outcome, odds / (1 + odds), at.fold)

    assert _value("calibration_slope", extreme) == pytest.approx(_value("calibration_slope", at) / 2)


def test_o_e_by_hand() -> None:
    # Kaplan-Meier risk at 12: 1 - 4/5 * 2/3 (the one censored at 5 has left); mean risk .4.
    at = _at([2, 5, 9, 20, 21], [1, 0, 1, 0, 0], [0.1, 0.2, 0.3, 0.6, 0.8])

    assert _value("o_e", at) == pytest.approx((1 - 4 / 5 * 2 / 3) / 0.4)
    assert _value("o_e", _at([2, 20], [1, 0], [0.0, 0.0])) == np.inf
