"""What every metric of the registry keeps, whoever wrote it: one test a rule, over all metrics."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

import evaluation.metrics
from cohort.types import FloatArray, IntArray, Outcome
from evaluation.estimate import bootstrap_weights
from evaluation.metrics.classification import CLASSIFICATION
from evaluation.metrics.metric import Metric
from evaluation.metrics.registry import METRICS
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import kaplan_meier

EVERY = pytest.mark.parametrize("name", list(METRICS))
RANKS = pytest.mark.parametrize("name", ["auc", "c_harrell", "c_uno", "average_precision"])
#: Expected to be best for the true risks: no distortion of them gains.
PROPER = pytest.mark.parametrize("name", ["brier", "scaled_brier", "log_loss"])


def _simulated(
    seed: int = 0, n: int = 120, repeats: int = 2, n_folds: int = 4, tied: bool = False, censored: bool = True
) -> HorizonPredictions:
    """Noisy predictions of a known truth, in repeats and folds, with censoring before the horizon."""
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    time, leaves = rng.exponential(17 / np.exp(0.8 * lp)) + 1e-3, rng.uniform(3, 60, n)
    if not censored:
        leaves = np.full(n, 1e6)
    noise = rng.normal(scale=0.4, size=(n, repeats))
    months = np.minimum(time, leaves)
    fold = np.column_stack([rng.permutation(n) % n_folds for _ in range(repeats)]).astype(np.int16)
    outcome = Outcome(np.ceil(months) if tied else months, time <= leaves)
    return HorizonPredictions(12.0, 30.0, outcome, _risk(lp[:, None] + noise), fold)


def _risk(lp: FloatArray) -> FloatArray:
    """True 12-month risk at a linear predictor."""
    return 1 - np.exp(-12 / 17 * np.exp(0.8 * lp))


def _truth(seed: int, n: int = 600) -> HorizonPredictions:
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    time, leaves = rng.exponential(17 / np.exp(0.8 * lp)) + 1e-3, rng.uniform(3, 60, n)
    fold = (rng.permutation(n) % 5)[:, None].astype(np.int16)
    return HorizonPredictions(12.0, 30.0, Outcome(np.minimum(time, leaves), time <= leaves), _risk(lp)[:, None], fold)


def _null_of(at: HorizonPredictions) -> HorizonPredictions:
    """Each fold predicted with the Kaplan-Meier risk of all others, as the null model does."""
    risk = np.empty_like(at.risk)
    for repeat, rows in at.folds():
        train = np.setdiff1d(np.arange(len(at.outcome)), rows)
        risk[rows, repeat] = 1 - kaplan_meier(at.outcome.subset(train)).at([at.horizon_months])[0, 0]
    return replace(at, risk=risk)


def _take(at: HorizonPredictions, rows: IntArray) -> HorizonPredictions:
    return replace(at, outcome=at.outcome.subset(rows), risk=at.risk[rows], fold=at.fold[rows])


def _value(name: str, at: HorizonPredictions, weights: npt.NDArray[np.float64] | None = None) -> FloatArray:
    return METRICS[name].compute(at, np.ones((1, len(at.outcome))) if weights is None else weights)


def test_a_file_stands_for_every_metric_and_a_line_for_every_file() -> None:
    """A metric's file bears its name; a family of one definition shares a file, as a tuple."""
    found = {}
    for info in pkgutil.iter_modules(evaluation.metrics.__path__):
        if info.name != "registry":
            module = importlib.import_module(f"evaluation.metrics.{info.name}")
            here = [value for name, value in vars(module).items() if isinstance(value, Metric) and name == info.name.upper()]
            here += [metric for value in vars(module).values() if isinstance(value, tuple) for metric in value]
            found |= {metric.name: metric for metric in here if isinstance(metric, Metric)}

    assert found == METRICS


@EVERY
def test_a_metric_goes_by_the_name_it_is_registered_under(name: str) -> None:
    assert METRICS[name].name == name
    assert METRICS[name].label
    assert METRICS[name].better != "target" or METRICS[name].reference is not None


@EVERY
def test_the_order_of_patients_does_not_matter(name: str) -> None:
    at = _simulated()
    order = np.random.default_rng(1).permutation(len(at.outcome))

    np.testing.assert_allclose(_value(name, _take(at, order)), _value(name, at), atol=1e-10)


@EVERY
def test_the_order_of_repeats_and_the_numbers_of_folds_do_not_matter(name: str) -> None:
    at = _simulated()
    renamed = replace(at, risk=at.risk[:, ::-1], fold=(7 - at.fold)[:, ::-1])

    np.testing.assert_allclose(_value(name, renamed), _value(name, at), atol=1e-10)


@EVERY
def test_the_unit_of_time_does_not_matter(name: str) -> None:
    at = _simulated()
    days = Outcome(at.outcome.time_months * 32.0, at.outcome.event)
    in_days = replace(at, horizon_months=12.0 * 32, tau_months=30.0 * 32, outcome=days)

    np.testing.assert_allclose(_value(name, in_days), _value(name, at), atol=1e-12)


@EVERY
@pytest.mark.parametrize("tied", [False, True])
def test_bootstrap_weights_are_repeated_patients(name: str, tied: bool) -> None:
    """Exactly, self-pairs too: a patient and his copy, in one fold, are two cases or two controls, and two events at one time
    are no pair; so no metric here sees them.
    """
    at = _simulated(tied=tied)
    weights = bootstrap_weights(len(at.outcome), 6, seed=3)
    repeated = [_take(at, np.repeat(np.arange(len(at.outcome)), w.astype(int))) for w in weights]

    expected = np.concatenate([_value(name, each) for each in repeated])

    assert np.isfinite(expected).all()
    np.testing.assert_allclose(_value(name, at, weights), expected, atol=1e-9)


@EVERY
def test_a_row_of_weights_has_its_value_whatever_stands_beside_it(name: str) -> None:
    at = _simulated()
    weights = bootstrap_weights(len(at.outcome), 300, seed=0)  # more than one batch

    together = _value(name, at, weights)

    assert together.shape == (300,)
    np.testing.assert_allclose(together[[0, 280]], np.concatenate([_value(name, at, weights[[i]]) for i in (0, 280)]), atol=1e-9)


@EVERY
def test_doubling_everybody_changes_nothing(name: str) -> None:
    at = _simulated()

    np.testing.assert_allclose(_value(name, at, np.full((1, len(at.outcome)), 2.0)), _value(name, at), atol=1e-9)


@pytest.mark.parametrize("name", [name for name in METRICS if name != "c_harrell"])  # Harrell's depends on it, and is known to
def test_censoring_at_random_shifts_no_metric(name: str) -> None:
    """On average over cohorts, against the same patients followed to the end: what the weights are for."""
    seeds = range(100, 140)
    shifts = np.array([(_value(name, _simulated(s, 400)) - _value(name, _simulated(s, 400, censored=False)))[0] for s in seeds])

    assert np.std(shifts) > 1e-4  # patients are censored before the horizon
    assert abs(shifts.mean()) < 3 * shifts.std(ddof=1) / np.sqrt(len(shifts)) + 0.002


@pytest.mark.parametrize("name", [n for n, metric in METRICS.items() if metric.better != "target" and not metric.needs_variation])
def test_the_truth_beats_the_null_model_in_the_declared_direction(name: str) -> None:
    sign = 1 if METRICS[name].better == "higher" else -1
    for seed in range(5):
        at = _truth(seed)
        assert sign * _value(name, at)[0] > sign * _value(name, _null_of(at))[0] + 0.01


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.better == "target"])
def test_the_truth_is_near_the_target_and_a_shifted_or_stretched_truth_is_not(name: str) -> None:
    target = METRICS[name].reference
    values = np.array([_value(name, _truth(seed, 4000))[0] for seed in range(8)])
    # Distances have no side to err to: they shrink with the root of the patients, here to below 0.02 and 0.03.
    positive = {"ici": 0.02, "e50": 0.02, "e90": 0.03}.get(name, 0.0)
    assert values.mean() == pytest.approx(target, abs=3 * values.std(ddof=1) / np.sqrt(8) + 0.003 + positive)

    at = _truth(0)
    logit = np.log(at.risk / (1 - at.risk))
    wrong = replace(at, risk=1 / (1 + np.exp(-(2.5 * logit + 1.5))))
    assert abs(_value(name, wrong)[0] - target) > abs(_value(name, at)[0] - target) + 0.1


@PROPER
@pytest.mark.parametrize(
    "distorted", [(0.5, 1.0), (-0.5, 1.0), (0.0, 2.0), (0.0, 0.5)], ids=["up", "down", "stretched", "flattened"]
)
def test_the_truth_beats_its_distortions(name: str, distorted: tuple[float, float]) -> None:
    sign = 1 if METRICS[name].better == "higher" else -1
    at = _truth(0, 3000)
    level, spread = distorted
    wrong = replace(at, risk=1 / (1 + np.exp(-(level + spread * np.log(at.risk / (1 - at.risk))))))

    assert sign * _value(name, at)[0] > sign * _value(name, wrong)[0] + 0.004


@RANKS
def test_a_rising_change_of_the_risks_does_not_matter_to_ranks(name: str) -> None:
    at = _simulated()

    np.testing.assert_allclose(_value(name, replace(at, risk=at.risk**3 / 2)), _value(name, at), atol=1e-12)


@pytest.mark.parametrize("name", [metric.name for metric in CLASSIFICATION])
def test_the_truth_classifies_better_than_chance_at_every_threshold(name: str) -> None:
    """By chance a sensitivity is one minus the specificity, a predictive value the share of those it speaks of."""
    kind, _, threshold = name.split("_")
    for seed in range(5):
        at = _truth(seed)
        observed = 1 - kaplan_meier(at.outcome).at([12.0])[0, 0]
        partner = {"sensitivity": "specificity", "specificity": "sensitivity"}.get(kind)
        chance = 1 - _value(f"{partner}_at_{threshold}", at)[0] if partner else observed if kind == "ppv" else 1 - observed
        assert _value(name, at)[0] > chance + 0.1


@pytest.mark.parametrize(("name", "sign"), [("calibration_intercept", 1), ("o_e", 1)])
def test_risks_that_are_too_low_raise_intercept_and_o_e(name: str, sign: int) -> None:
    at = _truth(0)
    low = replace(at, risk=at.risk * 0.6)

    assert sign * (_value(name, low)[0] - _value(name, at)[0]) > 0.2


@pytest.mark.parametrize("name", ["auc", "c_harrell", "c_uno"])
@pytest.mark.parametrize("seed", range(3))
def test_the_null_model_discriminates_with_exactly_one_half(name: str, seed: int) -> None:
    at = _null_of(_simulated(seed))
    assert len(np.unique(at.risk)) > 1  # folds differ, patients of a fold do not

    assert _value(name, at)[0] == 0.5
    np.testing.assert_allclose(_value(name, at, bootstrap_weights(len(at.outcome), 20, seed)), 0.5, atol=1e-14)


@pytest.mark.parametrize("name", ["auc", "c_harrell", "c_uno"])
def test_turning_the_risks_round_turns_the_discrimination_round(name: str) -> None:
    at = _simulated()

    assert _value(name, replace(at, risk=1 - at.risk))[0] == pytest.approx(1 - _value(name, at)[0], abs=1e-12)


def test_the_null_model_is_calibrated_in_the_large() -> None:
    at = _null_of(_truth(1))

    assert _value("o_e", at)[0] == pytest.approx(1, abs=0.02)
    assert _value("calibration_intercept", at)[0] == pytest.approx(0, abs=0.03)


@EVERY
def test_resamples_that_hold_too_little_give_nan_or_a_value_and_never_a_warning(name: str) -> None:
    at = _simulated(n=24, repeats=1, n_folds=2)
    status = at.outcome.status_at(12.0)
    extremes = np.stack([status == 1, status == 0, np.arange(24) == 0, np.arange(24) < 2, np.isnan(status)]).astype(float)
    constant = replace(at, risk=np.where(np.arange(24) < 12, 0.3, at.risk[:, 0])[:, None])

    for each in (at, constant):
        assert _value(name, each, np.vstack([extremes, np.arange(24) < 12])).shape == (6,)


def test_a_separated_resample_has_no_slope() -> None:
    at = _simulated(n=40, repeats=1, n_folds=1)
    status = at.outcome.status_at(12.0)
    perfect = replace(at, risk=np.where(status == 1, 0.7, 0.3)[:, None])

    assert np.isnan(_value("calibration_slope", perfect)).all()
