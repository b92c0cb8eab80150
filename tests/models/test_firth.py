"""Firth's penalised likelihood against R, against the 2x2 table it has a closed form for, and where Wald has no answer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from cohort.types import FloatArray, Outcome
from models.cox import RiskSets, fit_cox
from models.firth import (
    FirthFit,
    PenalisedAt,
    fit_firth_cox,
    fit_firth_logistic,
    is_separated,
    penalised_cox,
    penalised_logistic,
)
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


def _cea_case(fit: Fit, seed: int = 0, n: int = 150) -> tuple[FloatArray, Outcome]:
    """A level of six in whom nothing happens, beside a marker as CEA has it: 0.1 to 900, most below 20."""
    rng = np.random.default_rng(seed)
    cea = np.clip(np.exp(rng.normal(1.7, 1.8, n)), 0.1, None)
    cea[:3] = 0.1, 450, 900
    x = np.column_stack([np.arange(n) >= n - 6, cea, rng.random(n) < 0.4]).astype(float)
    time, event = np.ceil(rng.exponential(20 / (1 + cea / 100), n)), rng.random(n) < 0.8
    event[-6:], time[-6:] = False, 60
    return x, Outcome(time, event & (time <= 12) if fit is fit_firth_logistic else event)


def _penalised(fit: Fit, x: FloatArray, outcome: Outcome) -> PenalisedAt:
    """The penalised likelihood in the covariates' own units; the last coefficient of logistic regression is the intercept."""
    if fit is fit_firth_cox:
        sets = RiskSets(outcome)
        return lambda beta: penalised_cox(sets, x[sets.order], beta)
    design = np.column_stack([x, np.ones(len(x))])
    return lambda beta: penalised_logistic(design, outcome.event.astype(float), beta)


def _differences(of: Callable[[FloatArray], FloatArray], beta: FloatArray, step: float = 1e-5) -> FloatArray:
    """Central differences, a row a coefficient."""
    return np.array([(of(beta + step * e) - of(beta - step * e)) / (2 * step) for e in np.eye(len(beta))])


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_score_and_hessian_are_the_differences_of_the_penalised_likelihood(fit: Fit, seed: int) -> None:
    x, outcome = _cea_case(fit, seed, n=60)
    x[:, 1] = np.log(x[:, 1])
    penalised = _penalised(fit, x, outcome)  # with ties: times are whole months
    beta = np.random.default_rng(seed).normal(scale=0.7, size=x.shape[1] + (fit is fit_firth_logistic))
    at = penalised(beta)

    np.testing.assert_allclose(at.score, _differences(lambda b: np.array(penalised(b).value), beta), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(at.hessian, _differences(lambda b: penalised(b).score, beta), rtol=1e-6, atol=1e-6)


@BOTH
@pytest.mark.parametrize("seed", range(5))
def test_beside_a_separated_level_cea_in_its_own_unit_is_estimated(fit: Fit, seed: int) -> None:
    x, outcome = _cea_case(fit, seed)
    found = fit(x, outcome)

    assert found.converged
    assert found.coefficients[0] < 0
    assert ((found.ci_low < found.coefficients) & (found.coefficients < found.ci_high)).all()
    assert np.isfinite([found.standard_errors, found.ci_low, found.ci_high]).all()


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_the_estimate_solves_the_score_equation(fit: Fit, seed: int) -> None:
    x, outcome = _cea_case(fit, seed)
    found = fit(x, outcome)
    beta = np.r_[found.coefficients, found.intercept] if fit is fit_firth_logistic else found.coefficients
    at = _penalised(fit, x, outcome)(beta)

    # In standard errors, and so in no unit.
    np.testing.assert_allclose(np.linalg.solve(-at.hessian, at.score)[:3] / found.standard_errors, 0, atol=1e-9)


@BOTH
@pytest.mark.parametrize("unit", [1000.0, 1e-6])
def test_a_marker_in_another_unit_has_the_same_effect(fit: Fit, unit: float) -> None:
    x, outcome = _cea_case(fit)
    units = np.array([1.0, unit, 1.0])
    one, other = fit(x, outcome), fit(x * units, outcome)

    assert other.converged
    for name in ("coefficients", "standard_errors", "ci_low", "ci_high"):
        np.testing.assert_allclose(getattr(other, name) * units, getattr(one, name), rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(other.p_values, one.p_values, rtol=1e-6)
    assert other.intercept == pytest.approx(one.intercept, rel=1e-6)


@BOTH
@pytest.mark.parametrize("bound", ["ci_low", "ci_high"])
def test_at_a_bound_the_profile_has_fallen_by_the_critical_value(fit: Fit, bound: str) -> None:
    # Held by an independent optimiser, in standard deviations.
    x, outcome = _cea_case(fit)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    found, penalised = fit(z, outcome), _penalised(fit, z, outcome)
    best = np.r_[found.coefficients, found.intercept] if fit is fit_firth_logistic else found.coefficients
    for j in range(3):
        value, free = getattr(found, bound)[j], np.arange(len(best)) != j

        def place(rest: FloatArray, value: float = value, free: FloatArray = free) -> FloatArray:
            beta = np.full(len(best), value)
            beta[free] = rest
            return beta

        profile = minimize(
            lambda rest, place=place: -penalised(place(rest)).value, best[free], method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 5000},
        )  # fmt: skip
        assert 2 * (penalised(best).value + profile.fun) == pytest.approx(3.841459, abs=1e-5)


@BOTH
def test_of_collinear_columns_nothing_is_found_and_nothing_raised(fit: Fit) -> None:
    x, outcome = _cea_case(fit)
    for extra in (x[:, 0] + 2 * x[:, 1], np.ones(len(x))):
        found = fit(np.column_stack([x, extra]), outcome)
        assert not found.converged
        assert np.isnan([found.coefficients, found.ci_low, found.ci_high, found.p_values]).all()


@BOTH
@pytest.mark.parametrize("size", [1e-200, 1e160, 1e300], ids=str)
def test_values_beyond_what_can_be_squared_raise_nothing(fit: Fit, size: float) -> None:
    x, outcome = _cea_case(fit)
    found = fit(x * np.array([1.0, size, 1.0]), outcome)

    assert found.converged == bool(np.isfinite([found.coefficients, found.ci_low, found.ci_high, found.p_values]).all())


@BOTH
def test_without_covariates_there_is_nothing_to_estimate(fit: Fit) -> None:
    _, outcome = _cea_case(fit)
    found = fit(np.zeros((len(outcome), 0)), outcome)

    assert found.converged
    assert found.coefficients.shape == found.p_values.shape == (0,)


#: Prints coefficient, standard error, lower and upper bound and P, a row a covariate. Arguments: the veteran data, and the kind.
R_RECIPE = r"""
library(survival)
d <- read.csv(commandArgs(TRUE)[1])
d$marker <- exp(0.08 * d$age)
# Value, score and information of the penalised likelihood. The penalty's slope is a five-point difference, steps 0.001 / SD.
penalised <- function(at, h) function(b) {
  half <- function(b) 0.5 * as.numeric(determinant(at(b)$information)$modulus)
  slope <- sapply(seq_along(b), function(k) {
    e <- h * (seq_along(b) == k)
    (8 * (half(b + e) - half(b - e)) - half(b + 2 * e) + half(b - 2 * e)) / (12 * h[k])
  })
  p <- at(b)
  list(value = p$value + half(b), score = p$score + slope, information = p$information)
}
firth <- function(point, p, size) {
  maximum <- function(b, free) {
    for (i in 1:2000) {
      at <- point(b)
      step <- solve(at$information[free, free, drop = FALSE], at$score[free])
      if (sum(step * at$score[free]) < 1e-18) break
      step <- step * min(1, 1 / sqrt(sum(step * at$score[free])))
      while (point(replace(b, free, b[free] + step))$value < at$value - 1e-10) step <- step / 2
      b[free] <- b[free] + step
    }
    list(b = b, value = at$value, se = sqrt(diag(solve(at$information))))
  }
  best <- maximum(numeric(size), rep(TRUE, size))
  do.call(rbind, lapply(seq_len(p), function(j) {
    profile <- function(v) maximum(replace(best$b, j, v), seq_len(size) != j)$value
    drop <- function(v) 2 * (best$value - profile(v)) - qchisq(.95, 1)
    bound <- function(side) uniroot(drop, sort(best$b[j] + side * best$se[j] * c(1, 4)), tol = 1e-9 * best$se[j])$root
    c(best$b[j], best$se[j], bound(-1), bound(1), pchisq(2 * (best$value - profile(0)), 1, lower.tail = FALSE))
  }))
}
h <- function(X) 0.001 / ifelse(apply(X, 2, sd) > 0, apply(X, 2, sd), 1)
d$early <- as.integer(d$event == 1 & d$time <= 60)
X <- cbind(as.integer(d$early == 0 & d$karno > 80), d$marker, d$karno, d$prior, 1)
logistic <- function(b) {
  eta <- as.vector(X %*% b)
  r <- plogis(eta)
  score <- as.vector(t(X) %*% (d$early - r))
  list(value = sum(d$early * eta - log1p(exp(eta))), score = score, information = t(X * (r * (1 - r))) %*% X)
}
Z <- cbind(1 - d$event, d$marker, d$karno, d$prior)
cox <- function(b) {
  fit <- coxph(Surv(time, event) ~ Z, d, init = b, control = coxph.control(iter.max = 0), x = TRUE)
  list(value = fit$loglik[2], score = colSums(residuals(fit, "score")), information = solve(fit$var))
}
numbers <- if (commandArgs(TRUE)[2] == "cox") firth(penalised(cox, h(Z)), 4, 4) else firth(penalised(logistic, h(X)), 4, 5)
write.table(format(numbers, digits = 12), quote = FALSE, row.names = FALSE, col.names = FALSE)
"""

#: What R 4.2.2 and survival 3.5-3 print.
R_VALUES = {
    "logistic": [
        [-6.32748153792e-01, 1.5998273784256, -5.54765967525117, 1.69561991660476, 6.54914590170e-01],
        [8.67482445842e-05, 0.0020691478961, -0.00396730965332, 0.00411307897459, 9.65434920405e-01],
        [-6.92593578832e-02, 0.0133807414549, -0.09745835384293, -0.04479308052163, 6.98560097688e-10],
        [-1.06327227336e-01, 0.4520148141991, -0.99928822657683, 0.77273754616617, 8.12665034337e-01],
    ],
    "cox": [
        [-2.948371795599076, 1.425939778055572, -7.7851951587619, -1.01954053240460, 1.69331428901e-04],
        [-0.000366793289953, 0.000914779243705, -0.0022374298183, 0.00135998297854, 6.86714254919e-01],
        [-0.034441910873703, 0.005477379994301, -0.0452221039305, -0.02375797452370, 2.89298127120e-10],
        [0.009322456215918, 0.202085735269032, -0.3967702592799, 0.39426173724066, 9.63057381795e-01],
    ],
}


def _veteran_case(fit: Fit) -> tuple[FloatArray, Outcome]:
    """As ``R_RECIPE`` has it: a level without events, a marker from 15 to 650, Karnofsky's index and earlier treatment."""
    event = VETERAN["event"].to_numpy() == 1
    early = event & (VETERAN["time"].to_numpy() <= 60)
    rare = ~early & (VETERAN["karno"].to_numpy() > 80) if fit is fit_firth_logistic else ~event
    x = np.column_stack([rare, np.exp(0.08 * VETERAN["age"]), VETERAN["karno"], VETERAN["prior"]]).astype(float)
    return x, _status(early) if fit is fit_firth_logistic else Outcome(VETERAN["time"].to_numpy(dtype=float), event)


@BOTH
def test_beside_a_marker_in_its_own_unit_all_numbers_are_those_of_r(fit: Fit) -> None:
    found = fit(*_veteran_case(fit))
    numbers = [found.coefficients, found.standard_errors, found.ci_low, found.ci_high, found.p_values]
    expected = np.array(R_VALUES["cox" if fit is fit_firth_cox else "logistic"])

    assert found.converged
    np.testing.assert_allclose(np.column_stack(numbers)[:, 1], expected[:, 1], rtol=1e-6)
    # Coefficients and bounds in standard errors: those of the marker are small in its unit.
    np.testing.assert_allclose((np.column_stack(numbers) - expected)[:, [0, 2, 3]] / expected[:, [1]], 0, atol=1e-6)
    np.testing.assert_allclose(found.p_values, expected[:, 4], rtol=1e-5)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed: the stored values stand unchecked")
def test_the_recipe_gives_the_stored_values(tmp_path: Path) -> None:
    # Logistic only: Cox takes R two minutes, some thousand calls of coxph a bound. Run it by hand where a value is in doubt.
    script = tmp_path / "firth.R"
    script.write_text(R_RECIPE, encoding="utf-8")
    command = ["Rscript", "--vanilla", str(script), str(REFERENCE / "data_veteran.csv"), "logistic"]
    printed = subprocess.run(command, check=True, timeout=240, capture_output=True, text=True).stdout

    fresh = np.array([line.split() for line in printed.splitlines()], dtype=float)
    np.testing.assert_allclose(fresh, R_VALUES["logistic"], rtol=1e-6)


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
