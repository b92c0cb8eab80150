"""The logged model, loaded back from a real store: the procedure's risks, a signature, and nobody's row as the example."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from features.feature_set import build_predictors
from features.registry import FEATURE_SETS
from flows import tracking
from flows.config import BenchmarkConfig
from flows.log_items import FittedModel
from flows.plan import Fit
from flows.tracking import RiskPredictor
from flows.work import predictors_of, procedure_of
from models.procedure import FittedProcedure

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:Operation with range is deprecated:pandas.errors.Pandas4Warning:mlflow\.models\.utils"),
    pytest.mark.filterwarnings(r"ignore:The ``noload`` loader strategy is deprecated"),
]

COHORT = simulate_cohort(90, seed=3).cohort
COX, LOGISTIC = Fit("overall", "dfs", "paper", "paper_cox"), Fit("overall", "relapse_12m", "baseline", "paper_logistic")
TREES, NULL = Fit("primary_resected", "dfs", "pre_surgery", "xgboost_survival"), Fit("overall", "dfs", "none", "null_model")


def _procedure(fit: Fit, cohort: Cohort = COHORT) -> FittedProcedure:
    """The fit's procedure on all patients, untuned."""
    patients = cohort.population(fit.population)
    outcome = patients.outcome("dfs")
    return procedure_of(fit, BenchmarkConfig(n_trials=0), outcome).fit(predictors_of(cohort, fit), outcome, seed=1)


PROCEDURES = {fit: _procedure(fit) for fit in (COX, LOGISTIC, TREES, NULL)}


@pytest.fixture
def cohort(request: pytest.FixtureRequest) -> Cohort:
    return replace(COHORT, name=re.sub(r"\W", "_", request.node.name))


def _load(mlflow_store: Any, cohort: Cohort, fit: Fit) -> Any:
    """The fit's model, logged and loaded back."""
    writer = mlflow_store.writer()
    parent = writer.start(cohort, "run", {}, None)
    writer.write(parent, [FittedModel(fit, PROCEDURES[fit], cohort)])
    return mlflow.pyfunc.load_model(f"models:/{mlflow_store.client.get_run(parent).data.tags['model_id']}")


def _as_a_hospital_sends(cohort: Cohort, model: Any) -> pd.DataFrame:
    """The model's inputs, as text and numbers instead of the cohort's factors."""
    frame = cohort.frame[model.metadata.get_input_schema().input_names()]
    return frame.astype({n: object for n in frame if frame[n].dtype == "category"})


@pytest.mark.parametrize("fit", [COX, LOGISTIC, TREES], ids=lambda f: f.model)
def test_logged_model_gives_the_risks_of_the_procedure(fit: Fit, mlflow_store: Any, cohort: Cohort) -> None:
    loaded = _load(mlflow_store, cohort, fit)
    patients = cohort.population(fit.population)
    risks = loaded.predict(_as_a_hospital_sends(patients, loaded))
    predictors = build_predictors(cohort, fit.population, FEATURE_SETS[fit.feature_set]).frame
    procedure = PROCEDURES[fit]

    assert list(risks) == [f"risk_{h:g}m" for h in procedure.horizons_months]
    assert loaded.metadata.get_output_schema().input_names() == list(risks)
    for horizon in procedure.horizons_months:
        np.testing.assert_array_equal(risks[f"risk_{horizon:g}m"], procedure.risk_at(predictors, horizon))
    assert risks.nunique().min() > 1


def test_logged_null_model_gives_one_risk_a_row(mlflow_store: Any, cohort: Cohort) -> None:
    loaded = _load(mlflow_store, cohort, NULL)
    risks = loaded.predict(pd.DataFrame({"patient_id": ["x", "y", "z"]}))

    assert risks.shape == (3, 2)
    assert risks.nunique().tolist() == [1, 1]


@pytest.mark.parametrize("fit", [COX, TREES, NULL], ids=lambda f: f.model)
def test_input_example_can_be_predicted_and_is_nobodys_row(fit: Fit, mlflow_store: Any) -> None:
    frame = COHORT.frame.copy()
    canary = {"age": 89.0, "baseline_cea": 8765.4, "baseline_max_diameter": 204.0, "presurgery_cea": 1987.6}
    rare = {"ras_braf": "braf_mutated", "mmr_status": "deficient"}
    row = frame.index[frame["primary_resected"] == "yes"][0]
    frame.loc[row, list(canary | rare)] = list((canary | rare).values())
    planted = replace(COHORT, name=f"planted_{fit.model}", frame=frame)
    loaded = _load(mlflow_store, planted, fit)
    example = loaded.input_example

    assert len(example) == 1
    assert not set(example.iloc[0]) & {*canary.values(), *rare.values(), *COHORT.patient_ids}
    assert loaded.predict(example).shape == (1, 2)
    shared = [n for n in example if n != "patient_id"]
    assert not shared or not (frame[shared].astype(object) == example[shared].iloc[0]).all(axis=1).any()


def test_signature_names_every_input_in_its_type(mlflow_store: Any, cohort: Cohort) -> None:
    loaded = _load(mlflow_store, cohort, LOGISTIC)
    types = loaded.metadata.get_input_schema().input_dict()

    assert types["baseline_lobes"].type.name == "string"
    assert types["baseline_lesions"].type.name == "double"


def test_unknown_level_is_refused_by_its_variable_without_the_value() -> None:
    predictor = RiskPredictor(PROCEDURES[TREES], TREES, COHORT.variables)
    table = COHORT.frame.astype({"baseline_lobes": object})
    table.loc[[3, 7], "baseline_lobes"] = "secret words"
    inputs = tracking._inputs(FittedModel(TREES, PROCEDURES[TREES], COHORT))

    with pytest.raises(ValueError, match=r"baseline_lobes: 2 values are none of its levels \(bilobar, unilobar\)") as refusal:
        predictor.predict(None, table[inputs])
    assert "secret" not in str(refusal.value)


def test_missing_values_are_predicted_where_the_procedure_imputes() -> None:
    predictor = RiskPredictor(PROCEDURES[TREES], TREES, COHORT.variables)
    inputs = tracking._inputs(FittedModel(TREES, PROCEDURES[TREES], COHORT))
    table = COHORT.frame[inputs].astype(object)
    table.iloc[0] = None

    assert predictor.predict(None, table).notna().all(axis=None)


def test_wrong_type_is_refused(mlflow_store: Any, cohort: Cohort) -> None:
    loaded = _load(mlflow_store, cohort, LOGISTIC)
    table = _as_a_hospital_sends(cohort, loaded).assign(baseline_lesions="many")

    with pytest.raises(MlflowException, match="enforce model input schema"):
        loaded.predict(table)


def test_absent_column_is_missing_for_everybody(mlflow_store: Any, cohort: Cohort) -> None:
    loaded = _load(mlflow_store, cohort, LOGISTIC)
    table = _as_a_hospital_sends(cohort, loaded)

    without = loaded.predict(table.drop(columns="baseline_cea"))
    missing = loaded.predict(table.assign(baseline_cea=np.nan))

    pd.testing.assert_frame_equal(without, missing)


def test_refused_input_is_not_quoted(mlflow_store: Any, cohort: Cohort) -> None:
    loaded = _load(mlflow_store, cohort, LOGISTIC)
    table = _as_a_hospital_sends(cohort, loaded).assign(age="seventy-seven")

    with pytest.raises(MlflowException) as refusal:
        loaded.predict(table)
    assert "seventy-seven" not in str(refusal.value)
