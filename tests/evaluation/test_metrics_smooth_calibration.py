"""ICI, E50 and E90 against a slow twin, and where a calibration curve is degenerate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import statsmodels.api as sm

from cohort.types import FloatArray, Outcome
from evaluation.estimate import bootstrap_weights
from evaluation.metrics.registry import METRICS
from evaluation.metrics.smooth_calibration import calibration_errors
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import horizon_weights


def _simulated(seed: int, n: int = 90, repeats: int = 2, slope: float = 1.0) -> HorizonPredictions:
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    time, leaves = rng.exponential(17 / np.exp(0.8 * lp)) + 1e-3, rng.uniform(3, 60, n)
    logit = slope * (lp[:, None] + rng.normal(scale=0.4, size=(n, repeats)))
    fold = np.column_stack([rng.permutation(n) % 3 for _ in range(repeats)]).astype(np.int16)
    return HorizonPredictions(12.0, 30.0, Outcome(np.minimum(time, leaves), time <= leaves), 1 / (1 + np.exp(-logit)), fold)


def _slow(at: HorizonPredictions, drawn: FloatArray) -> list[float]:
    """Each patient repeated as often as drawn; R's restricted cubic spline; statsmodels' weighted logistic regression."""
    rows = np.repeat(np.arange(len(drawn)), drawn.astype(int))
    case_weights = horizon_weights(at.outcome.subset(rows), at.horizon_months)[0]
    event = np.nan_to_num(at.outcome.status_at(at.horizon_months))[rows]
    errors = []
    for risk in at.risk[rows].T:
        x = np.log(risk / (1 - risk))
        t1, t2, t3 = np.quantile(x, [0.1, 0.5, 0.9], method="inverted_cdf")
        above = [np.maximum(x - t, 0) ** 3 for t in (t1, t2, t3)]
        bend = (above[0] - above[1] * (t3 - t1) / (t3 - t2) + above[2] * (t2 - t1) / (t3 - t2)) / (t3 - t1) ** 2
        design = np.column_stack([np.ones_like(x), x, bend])
        fit = sm.GLM(event, design, family=sm.families.Binomial(), var_weights=case_weights).fit(tol=1e-14, maxiter=200)
        distance = np.abs(fit.predict(design) - risk)
        errors.append([distance.mean(), *np.quantile(distance, [0.5, 0.9], method="inverted_cdf")])
    return list(np.mean(errors, axis=0))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slope", [1.0, 4.0])
def test_errors_are_those_of_a_curve_fitted_to_each_repeat_of_each_resample(seed: int, slope: float) -> None:
    at, weights = _simulated(seed, slope=slope), bootstrap_weights(90, 5, seed)

    errors = calibration_errors(at, weights)

    expected = np.array([_slow(at, drawn) for drawn in weights])
    np.testing.assert_allclose(np.column_stack([errors.ici, errors.e50, errors.e90]), expected, atol=1e-7)


def test_errors_of_a_level_that_is_wrong_by_a_known_amount_are_that_amount() -> None:
    # 20 000 patients, all risks predicted a logit of one too low: the curve is one higher.
    rng = np.random.default_rng(0)
    logit = rng.normal(size=20_000)
    event = rng.random(20_000) < 1 / (1 + np.exp(-logit))
    low = 1 / (1 + np.exp(1 - logit))
    at = HorizonPredictions(
        12.0, 30.0, Outcome(np.where(event, 6.0, 20.0), event), low[:, None], np.zeros((20_000, 1), dtype=np.int16)
    )
    distance = 1 / (1 + np.exp(-logit)) - low

    errors = calibration_errors(at, np.ones((1, 20_000)))

    assert errors.ici[0] == pytest.approx(distance.mean(), abs=0.01)
    assert errors.e50[0] == pytest.approx(np.median(distance), abs=0.01)
    assert errors.e90[0] == pytest.approx(np.quantile(distance, 0.9), abs=0.01)


@pytest.mark.parametrize(
    ("groups", "slots"),
    [((0.2, 0.6), (0, 1)), ((0.2, 0.5, 0.7), (0, 1, 2)), ((0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.9), range(11))],
    ids=["two groups", "three groups", "an outlier"],
)
def test_risks_of_few_values_are_held_against_what_was_observed_at_each(groups: tuple[float, ...], slots: npt.ArrayLike) -> None:
    """Two or three levels leave the curve free at each; knots that coincide make it a line."""
    n = 20 * len(groups)
    rng = np.random.default_rng(1)
    risk = np.repeat(groups, 20)
    event = np.arange(n) % 20 < 20 * np.clip(risk + rng.choice([-0.1, 0.1], len(groups)).repeat(20), 0.05, 0.95)
    at = HorizonPredictions(12.0, 30.0, Outcome(np.where(event, 6.0, 20.0), event), risk[:, None], np.zeros((n, 1), np.int16))
    distance = np.array([abs(event[risk == r].mean() - r) for r in risk])

    assert calibration_errors(at, np.ones((1, n))).ici[0] == pytest.approx(distance.mean(), abs=1e-6)


def test_a_separated_resample_has_the_errors_of_the_curve_in_the_limit() -> None:
    # Low risks never had the event, high ones always: the curve is a step from 0 to 1.
    risk = np.linspace(0.1, 0.9, 40)
    event = risk > 0.5
    at = HorizonPredictions(12.0, 30.0, Outcome(np.where(event, 6.0, 20.0), event), risk[:, None], np.zeros((40, 1), np.int16))

    assert calibration_errors(at, np.ones((1, 40))).ici[0] == pytest.approx(np.minimum(risk, 1 - risk).mean(), abs=1e-3)


def test_intervals_come_from_as_many_resamples_as_the_metric_says() -> None:
    assert {METRICS[name].most_resamples for name in ("ici", "e50", "e90")} == {500}
    assert all(metric.most_resamples is None for name, metric in METRICS.items() if name not in ("ici", "e50", "e90"))
