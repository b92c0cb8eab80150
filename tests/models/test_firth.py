"""Firth's penalised likelihood against R, against the 2x2 table it has a closed form for, and where Wald has no answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort.types import FloatArray, Outcome
from models.cox import fit_cox
from models.firth import FirthFit, fit_firth_cox, fit_firth_logistic, is_separated
from models.logistic import fit_logistic

REFERENCE = Path(__file__).parent.parent / "reference"
VETERAN = pd.read_csv(REFERENCE / "data_veteran.csv")

Fit = Callable[[FloatArray, Outcome], FirthFit]
BOTH = pytest.mark.parametrize("fit", [fit_firth_logistic, fit_firth_cox], ids=["logistic", "cox"])


def _status(event: object) -> Outcome:
    """An outcome of which only the status is read."""
    status = np.asarray(event, dtype=bool)
    return Outcome(np.ones(len(status)), status)


def _logistic_case() -> tuple[FloatArray, Outcome]:
    """As paper.R has it: nobody with the first covariate had the event early."""
    first = VETERAN[:60]
    early = (first["event"] == 1) & (first["time"] <= 60)
    rare = ~early & (first["karno"] > 70)
    return np.column_stack([rare, first["karno"] / 10]).astype(float), _status(early)


def _cox_case() -> tuple[FloatArray, Outcome]:
    """As paper.R has it: nobody with the first covariate had the event at all."""
    treated = VETERAN[VETERAN["treated"] == 1].sort_values("time", kind="stable")[:40]
    event = treated["event"].to_numpy() == 1
    never = (~event).astype(float)
    never[[2, 8]] = 0
    return np.column_stack([never, treated["karno"] / 10]), Outcome(treated["time"].to_numpy(dtype=float), event)


def _cells(a: int, b: int, c: int, d: int) -> tuple[FloatArray, Outcome]:
    """Exposed with and without the event, then unexposed with and without it."""
    exposed = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return exposed[:, None], _status(np.repeat([1, 0, 1, 0], [a, b, c, d]))


@pytest.mark.parametrize(
    ("kind", "fit", "case"),
    [("logistic", fit_firth_logistic, _logistic_case), ("cox", fit_firth_cox, _cox_case)],
    ids=["logistic", "cox"],
)
def test_estimates_profile_intervals_and_p_values_are_those_of_r(
    kind: str, fit: Fit, case: Callable[[], tuple[FloatArray, Outcome]]
) -> None:
    expected = pd.read_csv(REFERENCE / "paper_firth.csv").query("kind == @kind")
    found = fit(*case())

    assert found.converged
    np.testing.assert_allclose(found.coefficients, expected["coefficient"], atol=1e-4)
    np.testing.assert_allclose(found.ci_low, expected["low"], atol=1e-3)
    np.testing.assert_allclose(found.ci_high, expected["high"], atol=1e-3)
    np.testing.assert_allclose(found.p_values, expected["p_value"], atol=1e-4)


@pytest.mark.parametrize("cells", [(5, 3, 20, 40), (1, 6, 30, 10), (0, 6, 20, 40), (6, 0, 20, 40), (0, 4, 7, 0)], ids=str)
def test_of_one_binary_covariate_it_adds_half_a_patient_to_every_cell(cells: tuple[int, int, int, int]) -> None:
    a, b, c, d = (n + 0.5 for n in cells)
    found = fit_firth_logistic(*_cells(*cells))

    assert found.coefficients[0] == pytest.approx(np.log(a * d / (b * c)), abs=1e-4)
    assert found.intercept == pytest.approx(np.log(c / d), abs=1e-4)
    # The half patients move the risks; the information is still that of the patients there are.
    exposed, others = (cells[0] + cells[1]) * a * b / (a + b) ** 2, (cells[2] + cells[3]) * c * d / (c + d) ** 2
    assert found.standard_errors[0] == pytest.approx(np.sqrt(1 / exposed + 1 / others), rel=1e-3)


def test_of_one_binary_covariate_the_interval_holds_what_the_penalised_likelihood_ratio_does_not_refuse() -> None:
    # By hand: the penalised likelihood of a saturated 2x2 table is that of the table with half a patient in every cell.
    cells = (0, 6, 20, 40)
    a, b, c, d = (n + 0.5 for n in cells)
    found = fit_firth_logistic(*_cells(*cells))

    def likelihood(p: FloatArray | float, q: FloatArray | float) -> FloatArray:
        return np.asarray(a * np.log(p) + b * np.log1p(-p) + c * np.log(q) + d * np.log1p(-q))

    q = np.linspace(1e-4, 1 - 1e-4, 400_001)
    for bound in (found.ci_low[0], found.ci_high[0]):
        odds = q / (1 - q) * np.exp(bound)
        fallen = 2 * (likelihood(a / (a + b), c / (c + d)) - likelihood(odds / (1 + odds), q).max())
        assert fallen == pytest.approx(3.841459, abs=1e-3)


def test_under_complete_separation_everything_is_finite() -> None:
    x = np.r_[np.zeros(12), np.ones(12)][:, None]
    found = fit_firth_logistic(x, _status(x[:, 0]))

    assert found.converged
    assert found.coefficients[0] == pytest.approx(2 * np.log(25), abs=1e-4)
    assert np.isfinite(found.standard_errors).all()
    assert 0 < found.ci_low[0] < found.coefficients[0] < found.ci_high[0] < np.inf
    assert found.p_values[0] < 0.001


def test_cox_of_a_covariate_that_orders_all_deaths_is_finite() -> None:
    x = np.r_[np.ones(10), np.zeros(10)][:, None]
    outcome = Outcome(np.arange(1.0, 21.0), np.ones(20, dtype=bool))
    wald, found = fit_cox(x, outcome), fit_firth_cox(x, outcome)

    assert is_separated(wald.coefficients * x.std(), wald.standard_errors * x.std()).all()
    assert found.converged
    assert 0 < found.ci_low[0] < found.coefficients[0] < 6
    assert np.isfinite([found.ci_high[0], found.standard_errors[0]]).all()


def test_in_many_patients_the_penalty_is_nothing() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 2))
    risk = 1 / (1 + np.exp(0.3 - x @ np.array([0.5, -0.2])))
    outcome = Outcome(rng.exponential(np.exp(-0.5 * x[:, 0])), rng.random(3000) < risk)
    coefficients, errors, intercept = fit_logistic(x, outcome)
    cox = fit_cox(x, outcome)
    firth, firth_cox = fit_firth_logistic(x, outcome), fit_firth_cox(x, outcome)

    np.testing.assert_allclose(firth.coefficients, coefficients, atol=2e-3)
    np.testing.assert_allclose(firth.ci_low, coefficients - 1.96 * errors, atol=5e-3)
    assert firth.intercept == pytest.approx(intercept, abs=2e-3)
    np.testing.assert_allclose(firth_cox.coefficients, cox.coefficients, atol=2e-3)
    np.testing.assert_allclose(firth_cox.ci_high, cox.coefficients + 1.96 * cox.standard_errors, atol=5e-3)


@BOTH
def test_a_level_and_its_complement_have_opposite_effects(fit: Fit) -> None:
    x, outcome = _logistic_case() if fit is fit_firth_logistic else _cox_case()
    turned = x.copy()
    turned[:, 0] = 1 - turned[:, 0]
    one, other = fit(x, outcome), fit(turned, outcome)

    assert other.coefficients[0] == pytest.approx(-one.coefficients[0], abs=1e-3)
    assert other.ci_low[0] == pytest.approx(-one.ci_high[0], abs=1e-3)
    assert other.p_values == pytest.approx(one.p_values, abs=1e-4)


def test_a_wald_fit_that_ran_off_is_separated_and_a_strong_effect_is_not() -> None:
    x, outcome = _cells(0, 6, 20, 40)
    coefficients, errors, _ = fit_logistic(x, outcome)

    assert is_separated(coefficients, errors).tolist() == [True]
    assert is_separated(np.array([2.5, -9.9, 10.1, 1.0]), np.array([0.4, 9.9, 1.0, 10.1])).tolist() == [False, False, True, True]
    assert is_separated(np.array([np.nan, 1.0]), np.array([1.0, np.inf])).all()


@BOTH
@pytest.mark.parametrize(
    "x",
    [np.array([[0.0], [np.nan], [1.0]]), np.array([[0.0], [np.inf], [1.0]]), np.array([0.0, 1.0, 1.0]), np.zeros((2, 1))],
    ids=["missing", "infinite", "no matrix", "other patients"],
)
def test_what_is_no_complete_matrix_of_these_patients_is_refused(fit: Fit, x: FloatArray) -> None:
    with pytest.raises(ValueError, match=r"finite \(n, p\) matrix"):
        fit(x, Outcome(np.array([1.0, 2.0, 3.0]), np.array([True, False, True])))


def test_cox_without_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="no event"):
        fit_firth_cox(np.array([[0.0], [1.0]]), Outcome(np.array([1.0, 2.0]), np.zeros(2, dtype=bool)))
