"""Weighted fits against R on the literally duplicated rows, and how a fit that has no answer says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort.types import FloatArray, IntArray, Outcome
from models.batched.kernels import FitStatus
from models.batched.regression import BatchedRegression, Fits
from models.cox import fit_cox
from models.firth import is_separated
from models.logistic import fit_logistic

REFERENCE = Path(__file__).parents[2] / "reference"
R = pd.read_csv(REFERENCE / "batched_fits.csv")
CASES = list(R.groupby(["data", "kind", "covariates"], sort=False).groups)
BOTH = pytest.mark.parametrize("kind", ["cox", "logistic"])


def _regression(kind: str, x: FloatArray, time: FloatArray, event: object) -> BatchedRegression:
    status = np.asarray(event, dtype=bool)
    return BatchedRegression.cox(x, Outcome(time, status)) if kind == "cox" else BatchedRegression.logistic(x, status)


def _as_in_r(name: str, kind: str) -> tuple[pd.DataFrame, FloatArray, FloatArray, IntArray]:
    """Covariates, time, event and weights as batched.R makes them."""
    data = pd.read_csv(REFERENCE / f"data_{name}.csv")
    i = np.arange(1, len(data) + 1)
    early = (data["event"] == 1) & (data["time"] <= data["time"].median())
    data["age"] = data["age"].where(i % 9 != 0).astype(float)
    data["rare"] = (i % 35 == 3).astype(float)
    data["sum"] = data["age"] + data[{"veteran": "karno", "lung": "ecog", "colon": "nodes"}[name]]
    event = data["event"] if kind == "cox" else early
    return data, data["time"].to_numpy(dtype=float), event.to_numpy(dtype=bool), (7 * i + i // 3) % 4


def _simulated(kind: str, seed: int, n: int = 60) -> tuple[BatchedRegression, FloatArray, FloatArray, FloatArray]:
    """A marker, a 0/1 covariate with missing values and a copy in other units of both; tied times."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(50, 9, n), (rng.random(n) < 0.4).astype(float)])
    time = np.ceil(rng.exponential(6 * np.exp(0.05 * (50 - x[:, 0])))) + 0.0
    x[rng.random(n) < 0.1, 1] = np.nan
    event = rng.random(n) < 0.7
    return _regression(kind, x, time, event), x, time, event


@pytest.mark.parametrize(("name", "kind", "covariates"), CASES)
def test_a_weighted_fit_is_rs_fit_of_the_duplicated_rows(name: str, kind: str, covariates: str) -> None:
    r = R.query("data == @name and kind == @kind and covariates == @covariates")
    data, time, event, weight = _as_in_r(name, kind)
    regression = _regression(kind, data[covariates.split()].to_numpy(dtype=float), time, event)
    fits = regression.fit_sets(regression.sets([range(len(r))]), weight[None])

    aliased = r["coefficient"].isna().to_numpy()  # R's NA; here coefficient and error 0
    assert aliased.tolist() == (fits.standard_errors[0] == 0).tolist()
    np.testing.assert_allclose(fits.coefficients[0], r["coefficient"].fillna(0), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fits.standard_errors[0], r["standard_error"].fillna(0), rtol=1e-8)
    np.testing.assert_allclose(fits.log_likelihood[0, 0], r["fitted"].iloc[0], rtol=1e-11)
    np.testing.assert_allclose(fits.log_likelihood_null[0, 0], r["null"].iloc[0], rtol=1e-11)
    np.testing.assert_allclose(fits.intercept[0, 0], r["intercept"].iloc[0], rtol=1e-8)
    assert fits.n_patients[0, 0] == r["n"].iloc[0]
    assert fits.status[0, 0] == (FitStatus.ALIASED if aliased.any() else FitStatus.CONVERGED)


def test_case_weights_are_not_the_average_weights_of_coxph() -> None:
    cox = R[(R["kind"] == "cox") & R["coefficient"].notna()]

    assert (np.abs(cox["coefficient_average"] / cox["coefficient"] - 1) > 1e-5).all()


@BOTH
def test_one_fit_of_sets_and_one_of_what_is_selected_are_the_same(kind: str) -> None:
    regression, *_ = _simulated(kind, 1)
    weights = np.random.default_rng(0).integers(0, 3, (5, 60))
    by_set = regression.fit_sets(regression.sets([[0, 1]]), weights)
    selected = regression.fit_selected(np.ones((5, 2)), weights)

    for field in ("coefficients", "standard_errors", "log_likelihood", "intercept"):
        np.testing.assert_allclose(getattr(by_set, field), getattr(selected, field), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(by_set.n_patients, selected.n_patients)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["cox", "logistic"]), st.integers(0, 10_000))
def test_weights_are_duplicated_rows(kind: str, seed: int) -> None:
    regression, x, time, event = _simulated(kind, seed)
    weight = np.random.default_rng(seed).integers(0, 4, 60)
    fits = regression.fit_sets(regression.sets([[0], [1], [1, 0]]), weight[None])
    rows = np.repeat(np.arange(60), weight)
    for s, columns in enumerate(([0], [1], [1, 0])):
        values = x[rows][:, columns]
        known = np.isfinite(values).all(axis=1)
        cases = Outcome(time[rows][known], event[rows][known])
        low, high = [0, 1, 2, 4][s : s + 2]
        if kind == "cox":
            fit = fit_cox(values[known], cases)
            expected = (fit.coefficients, fit.standard_errors)
        else:
            expected = fit_logistic(values[known], cases)[:2]
        if fits.status[0, s] == FitStatus.SEPARATED:  # where on the flat part the fit ends is a matter of rounding
            assert is_separated(*(e * values[known].std(axis=0) for e in expected)).any()
            continue
        np.testing.assert_allclose(fits.coefficients[0, low:high], expected[0], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(fits.standard_errors[0, low:high], expected[1], rtol=1e-7)


@pytest.mark.parametrize("seed", range(10))
def test_weighted_logistic_regression_is_that_of_statsmodels(seed: int) -> None:
    regression, x, _, event = _simulated("logistic", seed)
    weight = np.random.default_rng(seed).integers(0, 4, 60)
    used = np.isfinite(x).all(axis=1) & (weight > 0)
    fit = regression.fit_sets(regression.sets([[0, 1]]), weight[None])
    design = sm.add_constant(x[used] - [50, 0])
    family = sm.families.Binomial()
    model = sm.GLM(event[used].astype(float), design, family=family, freq_weights=weight[used].astype(float))
    slow = model.fit(tol=1e-14, tol_criterion="params", maxiter=100)

    np.testing.assert_allclose(fit.coefficients[0], slow.params[1:], rtol=1e-8)
    np.testing.assert_allclose(fit.standard_errors[0], slow.bse[1:], rtol=1e-8)
    assert fit.log_likelihood[0, 0] == pytest.approx(slow.llf, rel=1e-11)


def _one(kind: str, x: object, event: object) -> Fits:
    values = np.asarray(x, dtype=float)
    return _regression(kind, values, np.arange(1.0, len(values) + 1), event).fit_once()


@BOTH
def test_separation_is_a_status_with_a_large_coefficient_and_a_larger_error(kind: str) -> None:
    # Nobody with the marker has the event; the noise is there to be estimated all the same.
    marker, noise = np.r_[np.zeros(40), np.ones(6)], np.arange(46.0) % 7
    fits = _one(kind, np.column_stack([marker, noise]), np.r_[np.arange(40) % 3 > 0, np.zeros(6)] > 0)

    assert fits.status[0, 0] == FitStatus.SEPARATED
    assert fits.count() == {FitStatus.SEPARATED: 1}
    assert fits.coefficients[0, 0] < -10
    assert fits.standard_errors[0, 0] > -fits.coefficients[0, 0]
    assert 0 < fits.standard_errors[0, 1] < 1


@BOTH
def test_the_other_coefficients_of_a_separated_fit_are_those_of_the_patients_without_the_level(kind: str) -> None:
    marker, noise = np.r_[np.zeros(40), np.ones(6)], np.arange(46.0) % 7
    event = np.r_[np.arange(40) % 3 > 0, np.zeros(6)] > 0
    both, without = _one(kind, np.column_stack([marker, noise]), event), _one(kind, noise[:40, None], event[:40])

    assert both.coefficients[0, 1] == pytest.approx(without.coefficients[0, 0], abs=1e-5)


@BOTH
def test_a_level_that_was_not_drawn_is_aliased_and_takes_nothing_from_the_others(kind: str) -> None:
    regression, x, *_ = _simulated(kind, 2)
    weights = np.where(x[:, 1] == 1, 0, 1)[None]
    both, alone = regression.fit_selected([[True, True]], weights), regression.fit_selected([[True, False]], weights)

    assert both.varies.tolist() == [[True, False]]
    assert both.status[0, 0] == FitStatus.ALIASED
    assert (both.coefficients[0, 1], both.standard_errors[0, 1]) == (0, 0)
    # The second column's missing values cost patients.
    used = weights * np.isfinite(x[:, 1])
    np.testing.assert_allclose(both.coefficients[0, 0], regression.fit_selected([[True, False]], used).coefficients[0, 0])
    assert both.n_patients[0, 0] < alone.n_patients[0, 0]


@pytest.mark.parametrize(("kind", "event"), [("cox", False), ("logistic", False), ("logistic", True)])
def test_patients_of_one_status_are_a_status_and_no_fit(kind: str, event: bool) -> None:
    fits = _one(kind, np.arange(8.0)[:, None], np.full(8, event))

    assert fits.status[0, 0] == FitStatus.ONE_STATUS
    assert (fits.coefficients[0, 0], fits.standard_errors[0, 0]) == (0, 0)


def test_all_events_are_a_cox_regression_like_another() -> None:
    assert _one("cox", [[1.0], [2.0], [1.5], [4.0]], np.ones(4)).status[0, 0] == FitStatus.CONVERGED


@BOTH
def test_nobody_drawn_is_one_status_of_no_patients(kind: str) -> None:
    regression, *_ = _simulated(kind, 0)
    fits = regression.fit_selected([[True, True]], np.zeros((1, 60), dtype=int))

    assert fits.status[0, 0] == FitStatus.ONE_STATUS
    assert fits.n_patients[0, 0] == 0


@BOTH
def test_without_a_column_the_fit_is_the_null_model(kind: str) -> None:
    regression, _, _, event = _simulated(kind, 0)
    fits = regression.fit_selected([[False, False]], np.ones((1, 60), dtype=int))

    assert fits.status[0, 0] == FitStatus.CONVERGED
    assert fits.log_likelihood[0, 0] == pytest.approx(fits.log_likelihood_null[0, 0], rel=1e-12)
    if kind == "logistic":
        assert fits.intercept[0, 0] == pytest.approx(np.log(event.mean() / (1 - event.mean())), abs=1e-9)


@BOTH
def test_the_order_of_patients_changes_nothing(kind: str) -> None:
    regression, x, time, event = _simulated(kind, 3)
    order = np.random.default_rng(1).permutation(60)
    other = _regression(kind, x[order], time[order], event[order])
    weights = np.random.default_rng(0).integers(0, 3, (4, 60))
    sets = [[0], [1, 0]]
    one, two = regression.fit_sets(regression.sets(sets), weights), other.fit_sets(other.sets(sets), weights[:, order])

    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-9)
    np.testing.assert_allclose(one.standard_errors, two.standard_errors, rtol=1e-9)


@pytest.mark.parametrize(
    ("weights", "message"),
    [([[0.5] * 60], "whole number"), ([[-1] * 60], "whole number"), ([[1] * 59], "row a resample"), ([1] * 60, "row a resample")],
)
def test_what_are_no_counts_of_these_patients_is_refused(weights: list, message: str) -> None:
    regression, *_ = _simulated("cox", 0)
    with pytest.raises(ValueError, match=message):
        regression.fit_selected([[True, True]], weights)


def test_an_infinite_value_or_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        BatchedRegression.logistic(np.array([[np.inf], [1.0]]), np.array([True, False]))
    with pytest.raises(ValueError, match="2 patients"):
        BatchedRegression.logistic(np.ones((3, 1)), np.array([True, False]))
    regression, *_ = _simulated("logistic", 0)
    with pytest.raises(ValueError, match="selected is"):
        regression.fit_selected([[True]], np.ones((1, 60), dtype=int))
