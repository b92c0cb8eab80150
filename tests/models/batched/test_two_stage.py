"""The batched two-stage procedure gives in every resample what the slow one gives on the duplicated rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Endpoint, FloatArray, Outcome
from features.encode import PredictorEncoder
from features.feature_set import build_predictors
from features.paper import PAPER
from models.batched.kernels import FitStatus
from models.batched.two_stage import TwoStageFits, bootstrap_two_stage, bootstrap_weights, prepare
from models.paper_cox import PaperCox
from models.paper_logistic import PaperLogistic
from models.two_stage import factors

TWELVE, DFS = ENDPOINTS["relapse_12m"], ENDPOINTS["dfs"]


def _cohort(n: int = 140, seed: int = 0) -> tuple[pd.DataFrame, dict[str, Outcome]]:
    """The paper's covariates of simulated patients, with missing CEA, a rare level and tied times; outcomes by endpoint."""
    cohort = simulate_cohort(n, seed=seed, missing_cea=0.1, follow_up_months=(4.0, 60.0)).cohort
    predictors = build_predictors(cohort, "overall", PAPER)
    x = PredictorEncoder(predictors.skewed, impute=False).fit_transform(predictors.frame)
    outcomes = {}
    for name, endpoint in ENDPOINTS.items():
        outcome = cohort.outcome(endpoint.source)
        outcomes[name] = Outcome(np.ceil(outcome.time_months), outcome.event)
    return x, outcomes


def _slow(x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> tuple[set[str], dict[str, float]]:
    """Factors that enter, and coefficients, of the estimator that the benchmark uses, on rows as they are."""
    if endpoint.kind == "binary":
        model = PaperLogistic().fit(x, outcome, endpoint)
        return set(factors(model.columns)), dict(zip(model.columns, model.coefficients, strict=True))
    cox = PaperCox().fit(x, outcome, endpoint)
    return set(factors(cox.columns)), dict(zip(cox.columns, cox.coefficients, strict=True))


@pytest.mark.parametrize("name", list(ENDPOINTS))
def test_50_resamples_are_what_the_slow_procedure_gives_on_the_duplicated_rows(name: str) -> None:
    x, outcomes = _cohort()
    weights = bootstrap_weights(len(x), 50, seed=1)
    fits = prepare(x, outcomes[name], ENDPOINTS[name]).fit(weights)
    sizes = set()
    for b, weight in enumerate(weights):
        rows = np.repeat(np.arange(len(x)), weight)
        entered, coefficients = _slow(x.iloc[rows].reset_index(drop=True), outcomes[name].subset(rows), ENDPOINTS[name])
        assert {f for f, s in zip(fits.factors, fits.selected[b], strict=True) if s} == entered
        found = dict(zip(fits.columns, fits.coefficients[b], strict=True))
        assert fits.status[b] != FitStatus.NOT_CONVERGED
        # A coefficient that runs off ends where the likelihood is flat: at which of many places rounding decides.
        tolerance = {"rtol": 1e-7, "atol": 1e-9} if fits.status[b] != FitStatus.SEPARATED else {"rtol": 0.2, "atol": 1e-3}
        np.testing.assert_allclose([found[c] for c in coefficients], list(coefficients.values()), **tolerance)
        assert all(value == 0 for column, value in found.items() if column not in coefficients)
        sizes.add(len(entered))
    assert len(sizes) > 3  # the resamples do differ


def _by_statsmodels(x: FloatArray, outcome: Outcome, kind: str) -> tuple[FloatArray, FloatArray]:
    if kind == "binary":
        fit = sm.GLM(outcome.event.astype(float), sm.add_constant(x), family=sm.families.Binomial()).fit(tol=1e-12)
        return fit.params[1:], fit.bse[1:]
    fit = PHReg(outcome.time_months, x, status=outcome.event, ties="efron").fit()
    return fit.params, fit.bse


@pytest.mark.parametrize("endpoint", [TWELVE, DFS], ids=["logistic", "cox"])
def test_selection_and_coefficients_are_those_of_a_naive_procedure_by_statsmodels(endpoint: Endpoint) -> None:
    x, outcomes = _cohort(200, seed=3)
    names = ["age>=65", "primary_resected=yes", "baseline_cea>=10", "baseline_lesions", "presurgery_max_diameter"]
    x = x[names].copy()
    x["presurgery_max_diameter"] /= 10  # PHReg starts at 0 with a whole Newton step
    outcome = outcomes[endpoint.name]
    weights = bootstrap_weights(len(x), 8, seed=2)
    fits = prepare(x, outcome, endpoint).fit(weights)
    for b, weight in enumerate(weights):
        rows = np.repeat(np.arange(len(x)), weight)
        sample, cases = x.iloc[rows].to_numpy(), outcome.subset(rows)
        if endpoint.kind == "binary":
            status = cases.status_at(12.0)
            sample, cases = sample[~np.isnan(status)], cases.subset(~np.isnan(status))
            cases = Outcome(cases.time_months, cases.status_at(12.0) == 1)
        entered = []
        for j in range(len(names)):
            known = ~np.isnan(sample[:, j])
            beta, error = _by_statsmodels(sample[known][:, [j]], cases.subset(known), endpoint.kind)
            if round(float(2 * stats.norm.sf(abs(beta[0] / error[0]))), 2) <= 0.10:
                entered.append(j)
        assert np.flatnonzero(fits.selected[b]).tolist() == entered
        known = ~np.isnan(sample[:, entered]).any(axis=1)
        beta, error = _by_statsmodels(sample[known][:, entered], cases.subset(known), endpoint.kind)
        np.testing.assert_allclose(fits.coefficients[b, entered], beta, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(fits.standard_errors[b, entered], error, rtol=1e-5)
        assert fits.n_complete[b] == known.sum()
    assert fits.selected.any()


def _equal(one: TwoStageFits, other: TwoStageFits) -> None:
    for field in ("selected", "screen_status", "coefficients", "standard_errors", "intercept", "n_complete", "status"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_two_processes_give_what_one_gives_and_chunks_change_nothing() -> None:
    x, outcomes = _cohort(80)
    prepared = {"dfs": prepare(x, outcomes["dfs"], DFS), "relapse_12m": prepare(x, outcomes["relapse_12m"], TWELVE)}
    weights = bootstrap_weights(80, 260, seed=0)  # more than one chunk
    whole = {name: one.fit(weights) for name, one in prepared.items()}
    for n_jobs in (1, 2):
        parts = bootstrap_two_stage(prepared, weights, n_jobs)
        assert list(parts) == ["dfs", "relapse_12m"]
        for name in prepared:
            _equal(parts[name], whole[name])


def test_a_strong_factor_is_selected_always_and_noise_as_often_as_the_entry_p_lets_it() -> None:
    rng = np.random.default_rng(5)
    n = 150
    strong, noise = rng.normal(size=n), rng.normal(size=(n, 12))
    time = rng.exponential(10 * np.exp(-1.2 * strong)) + 0.01
    x = pd.DataFrame({"strong": strong} | {f"noise{j}": noise[:, j] for j in range(12)})
    fits = prepare(x, Outcome(time, np.ones(n, dtype=bool)), DFS).fit(bootstrap_weights(n, 200, seed=0))
    table = fits.summary().set_index("factor")

    assert table.loc["strong", "share_selected"] == 1
    assert (table["resamples"] == 200).all()
    # A resample repeats the noise of its cohort: z varies by about the square root of 2, and 25 % enter where 10 % would.
    assert 0.10 < table.drop("strong")["share_selected"].mean() < 0.45
    assert fits.failures() == {"nothing_entered": 0, "separated": 0, "not_converged": 0, "one_status": 0}


def test_where_nothing_enters_the_intercept_is_the_mean_risk_and_it_is_counted() -> None:
    n = 60
    balanced = pd.DataFrame({"a": np.tile([0.0, 1.0], n // 2)})
    outcome = Outcome(np.repeat(np.arange(1.0, n / 2 + 1), 2), np.ones(n, dtype=bool))
    fits = prepare(balanced, outcome, TWELVE).fit(np.ones((1, n), dtype=np.int32))

    assert not fits.selected.any()
    assert fits.failures()["nothing_entered"] == 1
    assert fits.intercept[0] == pytest.approx(np.log(24 / 36))
    assert fits.status[0] == FitStatus.CONVERGED


def test_complete_cases_of_one_status_have_no_numbers_and_are_counted() -> None:
    x = pd.DataFrame({"a": np.r_[np.zeros(20), np.ones(20), np.full(20, np.nan)], "b": np.tile([0.0, 1.0], 30)})
    x.loc[:19, "b"] = np.nan
    event = np.r_[np.ones(16), np.zeros(4), np.zeros(20), np.tile([1.0, 0.0], 10)]
    outcome = Outcome(np.where(event == 1, 3.0, 20.0), np.ones(60, dtype=bool))
    fits = prepare(x, outcome, TWELVE, entry_p=1.0).fit(np.ones((1, 60), dtype=np.int32))

    assert fits.selected.all()
    assert fits.failures()["one_status"] == 1
    assert np.isnan(fits.coefficients).all()
    assert np.isnan(fits.intercept).all()
    assert fits.n_complete[0] == 20


def test_a_separated_screen_is_counted_in_the_summary() -> None:
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"braf": np.r_[np.ones(6), np.zeros(94)], "age": rng.normal(60, 9, 100)})
    time = np.r_[np.full(6, 2.0), rng.uniform(1, 30, 94)]
    fits = prepare(x, Outcome(time, np.ones(100, dtype=bool)), TWELVE).fit(bootstrap_weights(100, 30, seed=0))
    table = fits.summary().set_index("factor")

    assert table.loc["braf", "separated"] > 25  # the rest did not draw one of the six
    assert table.loc["age", "separated"] == 0
    assert not fits.selected[:, 0].any()  # a Wald test cannot see a separated level


def test_every_resample_draws_as_many_patients_as_there_are_and_seeds_repeat() -> None:
    weights = bootstrap_weights(30, 7, seed=4)

    assert weights.shape == (7, 30)
    assert (weights.sum(axis=1) == 30).all()
    np.testing.assert_array_equal(weights, bootstrap_weights(30, 7, seed=4))
    assert not np.array_equal(weights, bootstrap_weights(30, 7, seed=5))


def test_weights_of_other_patients_and_no_predictor_are_refused() -> None:
    x, outcomes = _cohort(40)
    with pytest.raises(ValueError, match="40 patients"):
        prepare(x, outcomes["dfs"], DFS).fit(np.ones((2, 39), dtype=int))
    with pytest.raises(ValueError, match="at least one predictor"):
        prepare(x[[]], outcomes["dfs"], DFS)
