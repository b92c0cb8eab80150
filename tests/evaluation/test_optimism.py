"""The corrected estimates: by hand, by a naive twin, and against simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cohort.types import ENDPOINTS, FloatArray, Outcome
from evaluation.estimate import bootstrap_weights
from evaluation.metrics.registry import METRICS
from evaluation.optimism import LEAST_FOR_INTERVAL, NO_INFORMATION, Corrected, correct, plus_632
from evaluation.predictions import HorizonPredictions
from evaluation.refits import Refits

from .refit_cases import TWELVE, made_up, outcome_of

E = 1 - np.exp(-1)


def _one(refits: Refits, metric: str) -> Corrected:
    [corrected] = correct(refits, TWELVE, (metric,))
    return corrected


def _auc(risk: FloatArray, event: FloatArray) -> float:
    cases, controls = risk[event], risk[~event]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in cases for b in controls]
    return float(np.mean(wins))


# ---- by hand


@pytest.mark.parametrize(
    ("apparent", "outside", "rate", "expected"),
    [
        (0.8, 0.7, 1 / 3, None),
        (0.8, 0.5, 1.0, 0.5),
        (0.8, 0.4, 1.0, 0.5),
        (0.7, 0.75, 0.0, (1 - E) * 0.7 + E * 0.75),
        (0.45, 0.40, 0.0, (1 - E) * 0.45 + E * 0.5),
    ],
    ids=[
        "a third of the way",
        "all information lost",
        "below chance counts as chance",
        "no overfitting",
        "worse than chance at once",
    ],
)
def test_632_plus_of_an_auc_by_hand(apparent: float, outside: float, rate: float, expected: float | None) -> None:
    weight = E / (1 - (1 - E) * rate)
    assert plus_632(apparent, outside, 0.5, lower_is_better=False) == pytest.approx(
        (rate, (1 - weight) * apparent + weight * outside if expected is None else expected)
    )


def test_632_plus_is_the_same_for_an_error_and_for_its_complement() -> None:
    rate, plus = plus_632(0.2, 0.3, 0.5, lower_is_better=True)

    assert plus_632(0.8, 0.7, 0.5, lower_is_better=False) == pytest.approx((rate, 1 - plus))


def test_without_a_value_of_no_information_632_plus_is_632() -> None:
    assert plus_632(0.1, 0.4, np.nan, lower_is_better=False) == pytest.approx((0.0, (1 - E) * 0.1 + E * 0.4))


def test_no_information_brier_is_the_mean_over_all_pairs_of_an_outcome_and_a_risk() -> None:
    refits = made_up()
    at = refits.original_at(12.0)
    pairs = [(float(y) - p) ** 2 for y in refits.outcome.event for p in at.risk[:, 0]]
    o = refits.outcome.event.mean()

    assert _one(refits, "brier").no_information == pytest.approx(np.mean(pairs))
    assert _one(refits, "scaled_brier").no_information == pytest.approx(1 - np.mean(pairs) / (o * (1 - o)))


@pytest.mark.parametrize("metric", ["auc", "c_harrell", "c_uno", "brier", "calibration_slope"])
def test_no_information_is_the_mean_over_permuted_outcomes(metric: str) -> None:
    refits = made_up(n=100)
    at, rng = refits.original_at(12.0), np.random.default_rng(0)
    shuffled = []
    for _ in range(400):
        order = rng.permutation(100)
        permuted = HorizonPredictions(12.0, 12.0, refits.outcome.subset(order), at.risk, at.fold)
        shuffled.append(METRICS[metric].compute(permuted, np.ones((1, 100)))[0])
    expected = NO_INFORMATION[metric](at)

    assert np.mean(shuffled) == pytest.approx(expected, abs=4 * np.std(shuffled) / 20 + 1e-3)


@pytest.mark.parametrize("metric", [name for name, of in NO_INFORMATION.items() if of is None])
def test_what_depends_on_means_alone_does_not_change_when_outcomes_are_permuted(metric: str) -> None:
    refits = made_up()
    at = refits.original_at(12.0)
    permuted = HorizonPredictions(12.0, 12.0, refits.outcome.subset(np.random.default_rng(0).permutation(60)), at.risk, at.fold)
    ones = np.ones((1, 60))

    assert METRICS[metric].compute(permuted, ones) == pytest.approx(METRICS[metric].compute(at, ones), abs=1e-6)
    corrected = _one(refits, metric)
    assert corrected.estimate_632_plus == corrected.estimate_632


def test_auc_is_corrected_as_by_loops_over_resamples_with_copies() -> None:
    refits = made_up(n=50, n_resamples=6)
    event, risk = refits.outcome.event, refits.risk[:, 0]
    optimism, outside = [], []
    for drawn, own in zip(refits.drawn.astype(int), risk, strict=True):
        rows, left = np.repeat(np.arange(50), drawn), np.flatnonzero(drawn == 0)
        optimism.append(_auc(own[rows], event[rows]) - _auc(own, event))
        outside.append(_auc(own[left], event[left]))
    apparent = _auc(refits.original[0], event)
    corrected = _one(refits, "auc")

    assert corrected.apparent == pytest.approx(apparent)
    assert corrected.corrected == pytest.approx(apparent - np.mean(optimism))
    assert corrected.mc_error == pytest.approx(np.std(optimism, ddof=1) / np.sqrt(6))
    assert corrected.estimate_632 == pytest.approx((1 - E) * apparent + E * np.mean(outside))


def test_models_that_do_not_depend_on_their_resample_have_no_optimism_but_chance() -> None:
    refits = made_up(n=200, n_resamples=300)
    same = made_up(n=200, n_resamples=300, risk=np.repeat(refits.original[None], 300, axis=0))
    corrected = _one(same, "auc")

    assert abs(corrected.optimism) < 4 * corrected.mc_error


# ---- intervals


def test_interval_is_that_of_the_resamples_own_performance_moved_by_the_optimism() -> None:
    refits = made_up(n=50, n_resamples=LEAST_FOR_INTERVAL)
    event = refits.outcome.event
    own = [
        _auc(np.repeat(r, d.astype(int)), np.repeat(event, d.astype(int)))
        for d, r in zip(refits.drawn, refits.risk[:, 0], strict=True)
    ]
    corrected = _one(refits, "auc")
    low, high = np.percentile(own, [2.5, 97.5])

    assert (corrected.ci_low, corrected.ci_high) == pytest.approx((low - corrected.optimism, high - corrected.optimism))
    moved = corrected.apparent - corrected.estimate_632_plus
    assert (corrected.plus_ci_low, corrected.plus_ci_high) == pytest.approx((low - moved, high - moved))
    assert not corrected.note


def test_few_resamples_give_an_estimate_without_interval_and_say_so() -> None:
    corrected = _one(made_up(n_resamples=8), "auc")

    assert np.isfinite(corrected.corrected)
    assert np.isnan([corrected.ci_low, corrected.ci_high, corrected.plus_ci_low, corrected.plus_ci_high]).all()
    assert corrected.note == f"no interval below {LEAST_FOR_INTERVAL} resamples"


# ---- failures


@pytest.mark.parametrize(("n_failed", "estimated"), [(2, True), (3, False)], ids=["20 %", "more"])
def test_above_a_fifth_of_failed_resamples_there_is_no_estimate(n_failed: int, *, estimated: bool) -> None:
    refits = made_up(n_resamples=10 - n_failed, failures=("ValueError: first", *["ValueError: later"] * (n_failed - 1)))
    corrected = _one(refits, "auc")

    assert (corrected.n_failed, corrected.n_resamples) == (n_failed, 10)
    assert np.isfinite(corrected.corrected) == np.isfinite(corrected.estimate_632_plus) == estimated
    assert corrected.note.startswith(f"{n_failed} of 10 resamples failed ({n_failed} not fitted): ValueError: first")
    assert np.isfinite(corrected.apparent)


def test_a_resample_model_with_one_risk_for_all_has_an_auc_but_no_slope() -> None:
    risk = made_up(n_resamples=10).risk.copy()
    risk[0] = 0.4
    refits = made_up(n_resamples=10, risk=risk)

    assert _one(refits, "auc").n_failed == 0
    assert _one(refits, "calibration_slope").n_failed == 1
    assert "1 of 10 resamples failed (0 not fitted): no Calibration slope" in _one(refits, "calibration_slope").note


def test_an_original_model_with_one_risk_for_all_has_no_slope_to_correct() -> None:
    corrected = _one(made_up(original=np.full((1, 60), 0.4)), "calibration_slope")

    assert np.isnan(corrected.corrected)
    assert corrected.note == "the original model gives all patients one risk"


def test_a_horizon_that_the_follow_up_does_not_reach_has_a_reason() -> None:
    short = Outcome(np.linspace(1, 8, 60), np.arange(60) % 2 == 0)
    rows = correct(made_up(outcome=short, horizons_months=(6.0,)), ENDPOINTS["dfs"])

    assert [(row.horizon_months, np.isfinite(row.apparent)) for row in rows if row.metric == "auc"] == [
        (6.0, True),
        (12.0, False),
    ]
    assert "follow-up ends at 8.0 months" in next(row.note for row in rows if row.horizon_months == 12.0)


def test_without_any_fitted_resample_nothing_is_estimated() -> None:
    refits = made_up(drawn=np.empty((0, 60)), risk=np.empty((0, 1, 60)), failures=("ValueError: no",) * 5)

    assert np.isnan(_one(refits, "auc").corrected)
    assert "5 of 5 resamples failed" in _one(refits, "auc").note


# ---- truth


def _learn(x: FloatArray, event: FloatArray, ask: FloatArray) -> FloatArray:
    """Least squares on the logistic scale of ranks: as good as logistic regression here, and a hundred times faster."""
    design, asked = (np.column_stack([np.ones(len(z)), z]) for z in (x, ask))
    return 1 / (1 + np.exp(-4 * (asked @ np.linalg.lstsq(design, event, rcond=None)[0] - 0.5)))


def test_the_corrected_auc_is_within_a_hundredth_of_the_truth_where_the_apparent_one_is_far_off() -> None:
    """The small form of benchmarks/optimism_truth.py; the standard error of each mean is 0.002 to 0.003."""
    n, p, errors = 300, 15, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x, new = rng.normal(size=(n, p)), rng.normal(size=(4_000, p))
        event, new_event = (rng.uniform(size=len(z)) < 1 / (1 + np.exp(-0.35 * z[:, :5].sum(axis=1))) for z in (x, new))
        risk = _learn(x, event, np.concatenate([x, new]))
        truth = roc_auc_score(new_event, risk[n:])
        drawn = bootstrap_weights(n, 12, seed)
        rows = [np.repeat(np.arange(n), d.astype(int)) for d in drawn]
        again = np.stack([_learn(x[r], event[r], x) for r in rows])
        outcome = Outcome(np.where(event, 5.0, 30.0), event)
        estimate = _one(Refits(outcome, 12.0, (12.0,), risk[None, :n], drawn, again[:, None]), "auc")
        errors.append([value - truth for value in (estimate.apparent, estimate.corrected, estimate.estimate_632_plus)])
    apparent, corrected, plus = np.mean(errors, axis=0)

    assert apparent > 0.05
    assert abs(corrected) < 0.01
    assert abs(plus) < 0.03


def test_outcomes_of_the_cases_are_drawn_with_the_risk_given() -> None:
    risk = np.repeat([0.1, 0.9], 500)
    assert outcome_of(1000, 0, risk).event[risk == 0.9].mean() == pytest.approx(0.9, abs=0.04)
