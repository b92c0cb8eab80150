"""The test of proportional hazards against R's cox.zph, and against hazards whose course is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohort.types import FloatArray, Outcome
from evaluation.proportional_hazards import GLOBAL, zph
from models.cox import fit_cox

REFERENCE = Path(__file__).parent.parent / "reference"
R = pd.read_csv(REFERENCE / "paper_zph.csv")


def _zph(x: pd.DataFrame, time: FloatArray, event: object) -> pd.DataFrame:
    outcome = Outcome(np.asarray(time, dtype=float), np.asarray(event, dtype=bool))
    return zph(x, outcome, fit_cox(x.to_numpy(dtype=float), outcome))


def _simulated(seed: int, n: int, later: float) -> tuple[pd.DataFrame, FloatArray]:
    """A hazard of 1, and for half of the patients twice that up to time 0.5 and ``later`` from there on."""
    rng = np.random.default_rng(seed)
    level = (np.arange(n) % 2).astype(float)
    budget = rng.exponential(size=n)  # cumulative hazard at death
    early = np.where(level == 1, 2.0, 1.0)
    late = np.where(level == 1, later, 1.0)
    time = np.where(budget <= early * 0.5, budget / early, 0.5 + (budget - early * 0.5) / late)
    return pd.DataFrame({"level": level, "noise": rng.normal(size=n)}), time


@pytest.mark.parametrize(("data", "covariates"), list(R.groupby(["data", "covariates"], sort=False).groups))
def test_every_term_and_all_at_once_are_those_of_r(data: str, covariates: str) -> None:
    expected = R.query("data == @data and covariates == @covariates")
    frame = pd.read_csv(REFERENCE / f"data_{data}.csv")
    terms = covariates.split()

    found = _zph(frame[terms], frame["time"].to_numpy(), frame["event"])

    assert found["term"].tolist() == expected["term"].tolist() == [*terms, GLOBAL]
    np.testing.assert_allclose(found["chi_squared"], expected["chi_squared"], rtol=1e-6)
    np.testing.assert_allclose(found["p_value"], expected["p_value"], rtol=1e-6)
    assert found["degrees_of_freedom"].tolist() == [1] * len(terms) + [len(terms)]


def test_a_hazard_ratio_that_turns_is_found_and_one_that_stays_is_not() -> None:
    turning = _zph(*_simulated(0, 1500, later=0.5), np.ones(1500)).set_index("term")["p_value"]
    staying = _zph(*_simulated(0, 1500, later=2.0), np.ones(1500)).set_index("term")["p_value"]

    assert turning["level"] < 1e-8
    assert turning["noise"] > 0.01
    assert turning[GLOBAL] < 1e-6
    assert staying.min() > 0.01


def test_p_values_are_uniform_where_hazards_are_proportional() -> None:
    p = np.array([_zph(*_simulated(seed, 80, later=2.0), np.ones(80))["p_value"].iloc[-1] for seed in range(200)])

    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_unit_and_origin_of_a_covariate_and_a_clock_that_keeps_the_order_change_nothing() -> None:
    x, time = _simulated(1, 120, later=1.0)
    event = np.arange(120) % 4 > 0
    moved = x * [1, 250] + [3, -40]

    plain, other = _zph(x, time, event), _zph(moved, time**2, event)

    np.testing.assert_allclose(other["chi_squared"], plain["chi_squared"], rtol=1e-5)


def test_a_covariate_that_does_not_vary_has_no_answer_and_no_error() -> None:
    x, time = _simulated(2, 60, later=1.0)
    found = _zph(x.assign(level=1.0), time, np.ones(60)).set_index("term")

    assert np.isnan(found.loc["level", "p_value"])
