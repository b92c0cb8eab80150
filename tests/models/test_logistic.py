"""Logistic regression has converged: against R's glm at its tightest, against the score equation, and under separation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from cohort.types import FloatArray, Outcome
from models.logistic import fit_logistic

REFERENCE = Path(__file__).parent.parent / "reference"
#: Written by paper.R: glm(epsilon = 1e-14) of every covariate alone and of all together, in three data sets.
EFFECTS = pd.read_csv(REFERENCE / "paper_effects.csv").query("kind == 'logistic'")


def _status(event: object) -> Outcome:
    """An outcome of which only the status is read."""
    status = np.asarray(event, dtype=bool)
    return Outcome(np.ones(len(status)), status)


def _simulated(seed: int) -> tuple[FloatArray, Outcome]:
    """80 patients with a marker whose unit is far from its spread, and two binary covariates."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.exp(rng.normal(3, 1, 80)), rng.random((80, 2)) < 0.3])
    return x, _status(rng.random(80) < expit(0.01 * x[:, 0] - 0.5 + x[:, 1]))


@pytest.mark.parametrize(("name", "terms"), sorted(set(zip(EFFECTS["data"], EFFECTS["covariates"], strict=True))))
def test_coefficients_and_errors_are_those_of_a_converged_glm_in_r(name: str, terms: str) -> None:
    data = pd.read_csv(REFERENCE / f"data_{name}.csv")
    early = (data["event"] == 1) & (data["time"] <= data["time"].median())
    coefficients, errors, _ = fit_logistic(data[terms.split()].to_numpy(dtype=float), _status(early))
    expected = EFFECTS.query("data == @name and covariates == @terms")

    np.testing.assert_allclose(coefficients, np.log(expected["estimate"]), rtol=1e-8, atol=1e-10)
    # R's errors are those of the step before its last, up to 5.4e-8 from where they end (as glm with epsilon 1e-30 shows).
    np.testing.assert_allclose(errors, np.log(expected["ci_high"] / expected["estimate"]) / norm.ppf(0.975), rtol=1e-7)


def test_errors_are_those_of_r_where_its_glm_has_converged() -> None:
    # glm(early ~ age + female + ecog + karno, binomial, data_lung, control = glm.control(epsilon = 1e-30, maxit = 12)), R 4.2.2
    data = pd.read_csv(REFERENCE / "data_lung.csv")
    early = (data["event"] == 1) & (data["time"] <= data["time"].median())
    _, errors, _ = fit_logistic(data[["age", "female", "ecog", "karno"]].to_numpy(dtype=float), _status(early))

    np.testing.assert_allclose(errors, [0.016363549651142, 0.307529563197332, 0.348141003488006, 0.019826142126525], rtol=1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_the_score_is_zero_and_the_errors_are_those_of_the_information_there(seed: int) -> None:
    x, outcome = _simulated(seed)
    coefficients, errors, intercept = fit_logistic(x, outcome)
    design = np.column_stack([x, np.ones(len(x))])
    risk = expit(x @ coefficients + intercept)
    covariance = np.linalg.inv((design * (risk * (1 - risk))[:, None]).T @ design)

    np.testing.assert_allclose(design.T @ (outcome.event - risk) / np.abs(design).sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance))[:-1], rtol=1e-8)


def test_a_marker_in_another_unit_has_the_same_effect() -> None:
    x, outcome = _simulated(0)
    unit = np.array([1000.0, 1.0, 1.0])
    (one, errors, intercept), (other, other_errors, same) = fit_logistic(x, outcome), fit_logistic(x * unit, outcome)

    np.testing.assert_allclose(other * unit, one, rtol=1e-8)
    np.testing.assert_allclose(other_errors * unit, errors, rtol=1e-8)
    assert same == pytest.approx(intercept, rel=1e-8)


def test_under_separation_there_is_a_large_coefficient_with_a_larger_error() -> None:
    x = np.r_[np.zeros(20), np.ones(6)][:, None]
    coefficients, errors, _ = fit_logistic(x, _status(np.r_[np.ones(10), np.zeros(16)]))

    assert coefficients[0] < -10
    assert errors[0] > -coefficients[0]
