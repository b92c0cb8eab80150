"""Cox regression against R, a slow naive Efron likelihood, and the awkward data: separation, ties, zero and collinear columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from cohort.types import FloatArray, Outcome
from models.batched.kernels import FitStatus
from models.cox import CoxFit, RiskSets, baseline_hazard, fit_cox, risk_from_hazard

REFERENCE = Path(__file__).parent.parent / "reference"
LIKELIHOODS = pd.read_csv(REFERENCE / "cox_likelihoods.csv")
CASES = pytest.mark.parametrize(
    ("name", "covariates"), list(LIKELIHOODS[["data", "covariates"]].itertuples(index=False, name=None))
)


def _outcome(time: object, event: object) -> Outcome:
    return Outcome(np.asarray(time, dtype=float), np.asarray(event, dtype=bool))


def _data(name: str, covariates: str) -> tuple[FloatArray, Outcome]:
    data = pd.read_csv(REFERENCE / f"data_{name}.csv")
    return data[covariates.split(" ")].to_numpy(dtype=float), _outcome(data["time"], data["event"])


def _fit(name: str, covariates: str) -> CoxFit:
    return fit_cox(*_data(name, covariates))


def _values(table: str, name: str, covariates: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / f"{table}.csv").query("data == @name and covariates == @covariates")


def _random(seed: int, n: int = 60, p: int = 3, ties: int = 12) -> tuple[FloatArray, Outcome]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    time = np.ceil(rng.exponential(np.exp(-x[:, 0])) * ties / 3)
    return x, _outcome(np.maximum(time, 1), rng.random(n) < 0.7)


def naive_log_likelihood(x: FloatArray, outcome: Outcome, coefficients: FloatArray) -> float:
    """Efron's log partial likelihood as in the textbook, one event at a time."""
    hazard = np.exp(x @ coefficients)
    total = 0.0
    for time in np.unique(outcome.time_months[outcome.event]):
        at_risk = outcome.time_months >= time
        tied = outcome.event & (outcome.time_months == time)
        d = int(tied.sum())
        total += float(np.log(hazard[tied]).sum())
        for k in range(d):
            total -= np.log(hazard[at_risk].sum() - k / d * hazard[tied].sum())
    return total


@CASES
def test_coefficients_and_standard_errors_are_those_of_r(name: str, covariates: str) -> None:
    r, fit = _values("cox_coefficients", name, covariates), _fit(name, covariates)

    assert r["term"].tolist() == covariates.split(" ")
    np.testing.assert_allclose(fit.coefficients, r["coefficient"], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(fit.standard_errors, r["standard_error"], rtol=1e-7)
    assert fit.converged


@CASES
def test_log_likelihoods_are_those_of_r(name: str, covariates: str) -> None:
    r, fit = _values("cox_likelihoods", name, covariates).iloc[0], _fit(name, covariates)

    assert (fit.log_likelihood_null, fit.log_likelihood) == pytest.approx((r["null"], r["fitted"]), rel=1e-11)


@CASES
def test_predicted_risks_are_those_of_r_with_efrons_baseline(name: str, covariates: str) -> None:
    r, fit = _values("cox_risks", name, covariates), _fit(name, covariates)
    x, _ = _data(name, covariates)

    for horizon, rows in r.groupby("horizon"):
        np.testing.assert_allclose(fit.risk_at(x[rows["row"]], float(horizon)), rows["risk"], atol=1e-8)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(-2, 2), min_size=2, max_size=2))
def test_likelihood_gradient_and_information_are_those_of_the_naive_twin(seed: int, beta: list[float]) -> None:
    x, outcome = _random(seed, n=18, p=2, ties=6)
    if not outcome.event.any():
        return
    sets, coefficients = RiskSets(outcome), np.array(beta)

    value, gradient, information = sets.derivatives(x[sets.order], coefficients)

    assert value == pytest.approx(naive_log_likelihood(x, outcome, coefficients), abs=1e-10)
    numeric = approx_fprime(coefficients, lambda b: naive_log_likelihood(x, outcome, b), 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-4)
    numeric = approx_fprime(coefficients, lambda b: sets.derivatives(x[sets.order], b)[1], 1e-7)
    np.testing.assert_allclose(information, -numeric, atol=1e-4)


def test_the_fit_is_the_maximum_of_the_naive_likelihood() -> None:
    x, outcome = _random(4)
    fit = fit_cox(x, outcome)
    best = naive_log_likelihood(x, outcome, fit.coefficients)

    assert best == pytest.approx(fit.log_likelihood, abs=1e-10)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-3:
        assert naive_log_likelihood(x, outcome, fit.coefficients + step) < best


def test_baseline_hazard_by_hand_with_tied_events() -> None:
    # At 2 two of four: 1/4 + 1/(4 - 1/2 * 2) = 1/4 + 1/3. At 3 one of two.
    times, hazard = baseline_hazard(np.zeros(4), _outcome([2, 2, 3, 5], [1, 1, 1, 0]))

    assert times.tolist() == [2, 3]
    np.testing.assert_allclose(hazard, [7 / 12, 7 / 12 + 1 / 2])


def test_risk_is_0_before_the_first_event_and_holds_after_the_last() -> None:
    risk = [risk_from_hazard(np.zeros(1), np.array([2.0, 3.0]), np.array([0.5, 1.0]), h)[0] for h in (1.9, 2.0, 3.0, 99.0)]

    np.testing.assert_allclose(risk, 1 - np.exp([0, -0.5, -1, -1]))


def test_separation_ends_with_a_large_coefficient_and_a_larger_standard_error() -> None:
    # Everybody with the marker dies before everybody without.
    x = np.repeat([[1.0], [0.0]], 10, axis=0)
    fit = fit_cox(x, _outcome(np.arange(1, 21), np.ones(20)))

    assert fit.status is FitStatus.SEPARATED
    assert fit.coefficients[0] > 10
    assert fit.standard_errors[0] > 10 * fit.coefficients[0]
    risk = fit.risk_at(x, 10.0)
    assert np.isfinite(risk).all()
    assert risk[:10].min() > 0.9 > 0.1 > risk[10:].max()


@pytest.mark.parametrize("p", [0, 2])
def test_without_an_event_the_fit_is_refused(p: int) -> None:
    with pytest.raises(ValueError, match="no event was seen"):
        fit_cox(np.ones((5, p)), _outcome([1, 2, 3, 4, 5], np.zeros(5)))


@pytest.mark.parametrize("x", [np.array([[1.0], [np.nan], [0.0]]), np.ones(3), np.ones((2, 1))], ids=["missing", "flat", "rows"])
def test_anything_but_a_finite_matrix_with_a_row_a_patient_is_refused(x: FloatArray) -> None:
    with pytest.raises(ValueError, match="finite"):
        fit_cox(x, _outcome([1, 2, 3], [1, 1, 0]))


def test_no_column_gives_everybody_the_baseline_risk() -> None:
    _, outcome = _random(0)
    fit = fit_cox(np.empty((60, 0)), outcome)

    times, hazard = baseline_hazard(np.zeros(60), outcome)
    assert fit.log_likelihood == fit.log_likelihood_null
    np.testing.assert_allclose(fit.risk_at(np.empty((3, 0)), 2.0), 1 - np.exp(-hazard[times <= 2.0][-1]))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6])
def test_a_constant_column_gets_no_coefficient_and_changes_no_other(constant: float) -> None:
    x, outcome = _random(1)
    with_constant = fit_cox(np.column_stack([x, np.full(60, constant)]), outcome)

    np.testing.assert_allclose(with_constant.coefficients, [*fit_cox(x, outcome).coefficients, 0], atol=1e-9)


def test_a_column_that_the_others_give_gets_no_coefficient_and_leaves_the_risk() -> None:
    x, outcome = _random(2)
    twice = np.column_stack([x, 3 * x[:, 0] + 5])

    fit = fit_cox(twice, outcome)

    assert (fit.coefficients[3], fit.standard_errors[3]) == (0, 0)  # R's NA
    assert fit.status is FitStatus.ALIASED
    np.testing.assert_allclose(fit.coefficients[:3], fit_cox(x, outcome).coefficients, rtol=1e-9)
    np.testing.assert_allclose(fit.risk_at(twice, 3.0), fit_cox(x, outcome).risk_at(x, 3.0), atol=1e-7)


def test_the_units_of_columns_change_no_risk() -> None:
    x, outcome = _random(3)
    units = np.array([1e-6, 1.0, 1e6])

    fit, scaled = fit_cox(x, outcome), fit_cox(x * units, outcome)

    np.testing.assert_allclose(scaled.coefficients * units, fit.coefficients, rtol=1e-6)
    np.testing.assert_allclose(scaled.standard_errors * units, fit.standard_errors, rtol=1e-6)


def test_the_order_of_patients_changes_nothing() -> None:
    x, outcome = _random(6)
    order = np.random.default_rng(0).permutation(60)

    np.testing.assert_allclose(
        fit_cox(x[order], outcome.subset(order)).coefficients, fit_cox(x, outcome).coefficients, atol=1e-12
    )
