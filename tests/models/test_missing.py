"""What is done about missing predictors: who learns, what is averaged, what is said of it. All models under all settings."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Endpoint, Outcome
from evaluation.leak_audit import check_learns_from_training_only
from evaluation.resampling import repeated_stratified_splits
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS
from models.cox import fit_cox
from models.logistic import fit_logistic
from models.missing import MissingData, MultiplyImputed
from models.paper_cox import PAPER_COX
from models.procedure import FittedProcedure, Procedure
from models.registry import MODELS
from models.rubin import pool
from models.two_stage import screen, screen_imputed, wald_p

from ..staging import staged

COHORT = simulate_cohort(120, signal=2.0, seed=3, missing_cea=0.25).cohort
PREDICTORS = staged(build_predictors(COHORT, "overall", FEATURE_SETS["pre_surgery"]), 3)
OUTCOME = COHORT.outcome("dfs")
COMPLETE = PREDICTORS.frame.notna().all(axis=1).to_numpy()


def _endpoint(model: str) -> Endpoint:
    return ENDPOINTS["relapse_12m" if MODELS[model].answers == "horizon" else "dfs"]


def _procedure(model: str, missing: MissingData) -> Procedure:
    return Procedure(MODELS[model], _endpoint(model), (12.0,), missing=missing)


def _fit(model: str, missing: MissingData, predictors: Predictors = PREDICTORS) -> FittedProcedure:
    return _procedure(model, missing).fit(predictors, OUTCOME, seed=5)


SETTINGS = [MissingData("multiple", 2), MissingData("complete_case")]


@pytest.mark.parametrize("missing", SETTINGS, ids=lambda m: m.method)
@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_predicts_patients_with_and_without_gaps_the_same_alone_as_in_company(
    model: str, missing: MissingData
) -> None:
    fitted = _fit(model, missing)
    together = fitted.risk_at(PREDICTORS.frame, 12.0)

    assert np.isfinite(together).all()
    for row in (0, int(np.flatnonzero(~COMPLETE)[0])):
        assert fitted.risk_at(PREDICTORS.frame.iloc[[row]], 12.0)[0] == pytest.approx(together[row], abs=1e-9)


def test_a_fitted_model_survives_storing() -> None:
    fitted = _fit("paper_cox", MissingData("multiple", 2))
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 (our own)

    np.testing.assert_array_equal(again.risk_at(PREDICTORS.frame, 12.0), fitted.risk_at(PREDICTORS.frame, 12.0))


@pytest.mark.parametrize("missing", SETTINGS, ids=lambda m: m.method)
def test_nothing_is_learnt_from_test_patients(missing: MissingData) -> None:
    split = repeated_stratified_splits(OUTCOME, (6.0, 12.0), 3, 1, 0)[0]

    def build(frame: pd.DataFrame) -> Predictors:
        return Predictors("all", frame[list(map(str, raw.columns))], PREDICTORS.skewed)

    raw = PREDICTORS.frame[["age", "baseline_cea", "presurgery_cea", "baseline_lesions", "ras_braf"]]

    def fit_and_predict(train: Predictors, outcome: Outcome, test: Predictors) -> np.ndarray:
        return _procedure("paper_cox", missing).fit(train, outcome, 1).risk_at(test.frame, 12.0)

    check_learns_from_training_only(build, fit_and_predict, raw, OUTCOME, split)


def test_complete_cases_are_those_without_any_gap_and_the_others_are_counted() -> None:
    fitted = _fit("paper_cox", MissingData("complete_case"))
    only = Predictors("pre_surgery", PREDICTORS.frame.loc[COMPLETE], PREDICTORS.skewed)
    alone = Procedure(PAPER_COX, ENDPOINTS["dfs"], (12.0,)).fit(only, OUTCOME.subset(COMPLETE), seed=5)

    assert 0 < COMPLETE.sum() < len(COMPLETE)
    assert fitted.notes[-1] == f"complete cases: {(~COMPLETE).sum()} of 120 training patients left out"
    np.testing.assert_allclose(fitted.risk_at(only.frame, 12.0), alone.risk_at(only.frame, 12.0), atol=1e-12)


def test_a_test_patient_with_a_gap_gets_the_median_of_the_complete_training_patients() -> None:
    fitted = _fit("paper_cox", MissingData("complete_case"))
    row = PREDICTORS.frame.loc[COMPLETE].iloc[[0]].copy()
    filled, gap = row.copy(), row.copy()
    gap["baseline_lesions"] = np.nan
    filled["baseline_lesions"] = PREDICTORS.frame.loc[COMPLETE, "baseline_lesions"].median()

    assert fitted.risk_at(gap, 12.0) == pytest.approx(fitted.risk_at(filled, 12.0))
    assert fitted.risk_at(gap, 12.0) != pytest.approx(fitted.risk_at(row, 12.0))


def test_without_a_complete_patient_the_fit_is_refused() -> None:
    frame = PREDICTORS.frame.assign(baseline_cea=np.where(COMPLETE, np.nan, PREDICTORS.frame["baseline_cea"]))

    with pytest.raises(ValueError, match="each of the 120 training patients lacks a predictor"):
        _fit("paper_cox", MissingData("complete_case"), Predictors("x", frame, frozenset()))


def test_the_null_model_learns_from_everybody() -> None:
    empty = Predictors("none", pd.DataFrame(index=range(120)), frozenset())
    whole = Procedure(MODELS["null_model"], ENDPOINTS["dfs"], (12.0,)).fit(empty, OUTCOME, 0)

    for missing in SETTINGS:
        fitted = _procedure("null_model", missing).fit(empty, OUTCOME, 0)
        np.testing.assert_allclose(fitted.risk_at(empty.frame, 12.0), whole.risk_at(empty.frame, 12.0))


@pytest.mark.parametrize("model", ["paper_cox", "paper_logistic"])
def test_averaged_risks_of_a_regression_are_those_of_coefficients_pooled_by_rubin(model: str) -> None:
    fitted = _fit(model, MissingData("multiple", 4))
    wrapped = fitted.model
    assert isinstance(wrapped, MultiplyImputed)
    found = wrapped.pooled()
    assert found is not None
    columns, pooled = found
    complete = PREDICTORS.frame.loc[COMPLETE]  # one patient, one x: all imputations are of the same patient
    risk = fitted.risk_at(complete, 12.0)
    inside = (risk > 1e-6) & (risk < 1 - 1e-6)  # nearer to 0 and 1 risks are held back, so that they have a logit
    x, risk = fitted.encoder.transform(complete)[columns].to_numpy()[inside], risk[inside]

    linear = np.log(-np.log1p(-risk)) if model == "paper_cox" else logit(risk)
    np.testing.assert_allclose(np.diff(linear), np.diff(x @ pooled.estimate), atol=1e-7)
    assert any("baseline_cea" in c or "presurgery_cea" in c for c in fitted.encoder.columns_out_)


@pytest.mark.parametrize("model", ["paper_cox", "paper_logistic"])
def test_imputations_agree_on_what_enters(model: str) -> None:
    fitted = _fit(model, MissingData("multiple", 4))
    assert isinstance(fitted.model, MultiplyImputed)

    assert len(fitted.model.models) == 4
    assert len({tuple(m.columns) for m in fitted.model.models}) == 1
    assert fitted.notes[0].startswith("entered: ")
    assert fitted.notes[1].startswith("4 imputations of ")


def _cox(x: np.ndarray, outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    fit = fit_cox(x, outcome)
    return fit.coefficients, fit.standard_errors


def test_the_screen_over_equal_imputations_is_the_screen() -> None:
    x = Procedure(PAPER_COX, ENDPOINTS["dfs"], (12.0,)).fit(PREDICTORS, OUTCOME, 0).encoder.transform(PREDICTORS.frame)
    known = x.loc[:, x.notna().all()]

    assert screen_imputed([known] * 3, OUTCOME, _cox) == screen(known, OUTCOME, _cox)


def test_the_screen_enters_by_the_pooled_p_and_not_by_any_one_imputation() -> None:
    rng = np.random.default_rng(0)
    signal = (OUTCOME.status_at(12.0) == 1) * 1.2 + rng.normal(size=120)
    imputed = [pd.DataFrame({"x": signal}), pd.DataFrame({"x": rng.normal(size=120)}), pd.DataFrame({"x": -signal})]
    alone = [wald_p(*_cox(x.to_numpy(), OUTCOME))[0] for x in imputed]

    assert min(alone) < 0.001
    assert screen_imputed(imputed, OUTCOME, _cox) == []


def test_without_gaps_one_fit_is_enough_and_is_the_plain_one() -> None:
    complete = Predictors("x", PREDICTORS.frame.drop(columns=[c for c in PREDICTORS.names if "cea" in c]), frozenset())
    assert complete.frame.notna().all(axis=None)
    fitted = _fit("random_survival_forest", MissingData("multiple", 5), complete)
    plain = _fit("random_survival_forest", MissingData("single"), complete)

    assert isinstance(fitted.model, MultiplyImputed)
    assert len(fitted.model.models) == 1
    np.testing.assert_allclose(fitted.risk_at(complete.frame, 12.0), plain.risk_at(complete.frame, 12.0), atol=1e-9)


def test_logistic_coefficients_are_pooled_with_their_errors() -> None:
    fitted = _fit("paper_logistic", MissingData("multiple", 3))
    assert isinstance(fitted.model, MultiplyImputed)
    found = fitted.model.pooled()
    assert found is not None
    columns, pooled = found
    status = OUTCOME.status_at(12.0)
    known = ~np.isnan(status)
    cases = Outcome(OUTCOME.time_months[known], status[known] == 1)
    fits = [fit_logistic(i.completed.loc[known, columns].to_numpy(), cases)[:2] for i in fitted.model.imputers]
    by_hand = pool(np.vstack([c for c, _ in fits]), np.vstack([e for _, e in fits]))

    np.testing.assert_allclose(pooled.estimate, by_hand.estimate)
    np.testing.assert_allclose(pooled.standard_error, by_hand.standard_error)


def test_forests_have_no_coefficients_to_pool() -> None:
    fitted = _fit("random_survival_forest", MissingData("multiple", 2))
    assert isinstance(fitted.model, MultiplyImputed)

    assert fitted.model.pooled() is None


def test_one_imputation_is_not_several() -> None:
    with pytest.raises(ValueError, match="two or more"):
        MissingData("multiple", 1)
