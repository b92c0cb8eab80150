"""What MLflow is given, in which order, and that it can be read back, in a real store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Cohort
from evaluation.estimate import Estimate
from evaluation.metrics.registry import METRICS
from evaluation.predictions import COLUMNS
from evaluation.tables import Cell, CellResult
from features.feature_set import build_predictors
from features.registry import FEATURE_SETS
from flows import tracking
from flows.cell_store import FitSummary, code_digest
from flows.config import BenchmarkConfig
from flows.plan import Fit
from flows.tracking import FittedModel, Item, MlflowWriter, RiskPredictor, Tags, benchmark_items, cell_items, metric_values
from flows.work import EvaluatedCell, predictors_of, procedure_of
from models.procedure import FittedProcedure

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:Operation with range is deprecated:pandas.errors.Pandas4Warning:mlflow\.models\.utils"),
    pytest.mark.filterwarnings(r"ignore:The ``noload`` loader strategy is deprecated"),
]

NAN = float("nan")
COHORT = simulate_cohort(90, seed=3).cohort
COX, LOGISTIC = Fit("overall", "dfs", "paper", "paper_cox"), Fit("overall", "relapse_12m", "baseline", "paper_logistic")
TREES, NULL = Fit("primary_resected", "dfs", "pre_surgery", "xgboost_survival"), Fit("overall", "dfs", "none", "null_model")
ESTIMATES = (
    Estimate("auc", 6.0, 0.6, 0.5, 0.7, 90, 30),
    Estimate("auc", 12.0, 0.625, NAN, NAN, 90, 40, "no interval"),
    Estimate("calibration_slope", 12.0, NAN, NAN, NAN, 90, 40, "one risk"),
)


def _procedure(fit: Fit, cohort: Cohort = COHORT) -> FittedProcedure:
    """The fit's procedure on all patients, untuned."""
    patients = cohort.population(fit.population)
    outcome = patients.outcome("dfs")
    return procedure_of(fit, BenchmarkConfig(n_trials=0), outcome).fit(predictors_of(cohort, fit), outcome, seed=1)


PROCEDURES = {fit: _procedure(fit) for fit in (COX, LOGISTIC, TREES, NULL)}


def _cell(fit: Fit, endpoint: str | None = None) -> Cell:
    return Cell(fit.population, endpoint or fit.trained_on, fit.feature_set, fit.model)


def _items(folder: Path, fit: Fit, endpoint: str | None = None, cohort: Cohort = COHORT, **changes: Any) -> list[Item]:
    """What is logged of a completed cell whose evaluation lies in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "roc.csv").write_text("fpr,tpr\n", encoding="utf-8")
    result = CellResult(_cell(fit, endpoint), "completed", ESTIMATES, seconds=1.5)
    summary = FitSummary(fit.name, 1.5, {"rate": 0.1, "chosen": ["a", "b"]}, ("entered: age",), (), 3)
    row = (fit.population, fit.trained_on, fit.feature_set, fit.model, 0, 1, "S0000001", 6.0, 0.25, 3.5, True)
    predictions = pd.DataFrame([row], columns=list(COLUMNS)).astype(COLUMNS)
    evaluated = EvaluatedCell(replace(result, **changes), folder)
    return list(cell_items(evaluated, fit, summary, predictions, cohort, PROCEDURES[fit]))


@dataclass
class Store:
    """A real MLflow store, shared by the tests of this file: each takes an experiment of its own by its cohort's name."""

    uri: str
    artifacts: Path

    def writer(self) -> MlflowWriter:
        return MlflowWriter(self.uri, self.artifacts)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def children(self, parent: str) -> list[Run]:
        run = self.client.get_run(parent)
        return list(self.client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"))

    def child(self, parent: str, cell: Cell) -> Run:
        [run] = [r for r in self.children(parent) if r.data.tags["cell"] == cell.name]
        return run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder, before = tmp_path_factory.mktemp("mlflow"), mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(folder)  # MLflow makes its default experiment's folder where it is started
        yield Store(f"sqlite:///{folder}/mlruns/mlflow.db", folder / "artifacts")
    mlflow.set_tracking_uri(before)


@pytest.fixture
def cohort(request: pytest.FixtureRequest) -> Cohort:
    return replace(COHORT, name=re.sub(r"\W", "_", request.node.name))


@pytest.fixture(scope="module")
def logged(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Run]:
    """A finished benchmark: the parent and two cells that share a fit."""
    folder = tmp_path_factory.mktemp("cell")
    writer = store.writer()
    parent = writer.start(COHORT, "a run", BenchmarkConfig(preset="smoke").science(), None)
    for endpoint in ("dfs", "relapse_6m"):
        writer.log_cell(_cell(COX, endpoint), _items(folder, COX, endpoint))
    file = folder / "leaderboard.csv"
    file.write_text("rank\n", encoding="utf-8")
    board = pd.DataFrame([("overall", "dfs", 0.6, "completed")], columns=["population", "endpoint", "auc", "status"])
    writer.finish(benchmark_items(board, [file]))
    return (
        store.client.get_run(parent),
        store.child(parent, _cell(COX, "dfs")),
        store.child(parent, _cell(COX, "relapse_6m")),
    )


def _artifacts(store: Store, run: Run, folder: str | None = None) -> set[str]:
    return {a.path for a in store.client.list_artifacts(run.info.run_id, folder)}


# ---- the plain values


def test_status_comes_last_so_that_a_half_logged_cell_has_none(tmp_path: Path) -> None:
    items = _items(tmp_path / "cell", COX)

    assert items[-1] == Tags({"status": "completed"})
    assert not [i for i in items[:-1] if isinstance(i, Tags) and "status" in i.values]


def test_items_of_a_cell_are_plain_values_in_one_order(tmp_path: Path) -> None:
    kinds = [type(i).__name__ for i in _items(tmp_path / "cell", COX)]

    assert kinds == ["Tags", "Tags", "Params", "Metrics", "UsedCohort", "Files", "Table", "FittedModel", "Tags"]


def test_cell_whose_final_fit_failed_has_no_model_but_a_status_and_its_reason(tmp_path: Path) -> None:
    evaluated = EvaluatedCell(CellResult(_cell(COX), "failed", note="1 of 4 fits failed"), tmp_path)
    summary = FitSummary(COX.name, 1.0, {}, (), ("singular",), 3)
    items = list(cell_items(evaluated, COX, summary, pd.DataFrame(), COHORT, None))

    assert not any(isinstance(i, FittedModel) for i in items)
    assert items[-1] == Tags({"status": "failed"})
    assert "1 of 4 fits failed" in items[0].values["mlflow.note.content"]


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda e: e.name)
def test_metric_names_are_valid_for_mlflow_and_say_what_when_and_which_bound(endpoint: Any) -> None:
    estimates = tuple(Estimate(m, h, 0.5, 0.4, 0.6, 9, 3) for m in METRICS for h in endpoint.horizons_months)
    values = metric_values(CellResult(Cell("overall", endpoint.name, "paper", "paper_cox"), "completed", estimates))

    assert len(values) == 3 * len(estimates) + 3
    assert all(re.fullmatch(r"[\w\-. /]+", name, flags=re.ASCII) for name in values)
    horizon = f"{endpoint.primary_horizon_months:g}"
    assert values[f"auc/{horizon}_months"] == 0.5
    assert (values[f"interval/auc_{horizon}_months_low"], values[f"interval/auc_{horizon}_months_high"]) == (0.4, 0.6)


def test_benchmark_counts_cells_by_status_and_names_the_highest_auc_of_each_question() -> None:
    rows = [("overall", "dfs", 0.6, "completed"), ("overall", "dfs", 0.7, "completed"), ("overall", "os", NAN, "failed")]
    items = list(benchmark_items(pd.DataFrame(rows, columns=["population", "endpoint", "auc", "status"]), [Path("a")]))

    assert [type(i).__name__ for i in items] == ["Files", "Metrics", "Metrics"]
    assert items[1].values == {"cells/completed": 2.0, "cells/failed": 1.0}
    assert items[2].values["highest_auc/overall_dfs"] == 0.7


def test_long_parameters_are_cut_to_what_mlflow_takes_and_lists_are_readable() -> None:
    assert len(tracking._param("x" * 10_000)) < 6_000
    assert tracking._param(["a", "b"]) == "a, b"
    assert tracking._param(0.1 + 0.2) == "0.3"


# ---- in the store


def test_benchmark_is_one_parent_run_with_its_settings_files_and_status(store: Store, logged: tuple[Run, Run, Run]) -> None:
    parent = logged[0]

    assert parent.info.status == "FINISHED"
    assert parent.data.tags.items() >= {"kind": "benchmark", "status": "completed", "cohort_digest": COHORT.digest}.items()
    assert parent.data.params["n_folds"] == "3"
    assert parent.data.params["endpoints"] == "relapse_6m, dfs"
    assert parent.data.metrics == {"cells/completed": 1.0, "highest_auc/overall_dfs": 0.6}
    assert _artifacts(store, parent) == {"leaderboard.csv"}
    assert store.client.get_experiment(parent.info.experiment_id).name == "crlm-simulated"


def test_cell_is_a_child_run_tagged_for_the_table(logged: tuple[Run, Run, Run]) -> None:
    parent, child, _ = logged

    assert child.info.status == "FINISHED"
    assert child.info.run_name == "paper_cox · paper · dfs · overall"
    expected = {
        "mlflow.parentRunId": parent.info.run_id,
        "kind": "cell",
        "cell": "overall/dfs/paper/paper_cox",
        "population": "overall",
        "endpoint": "dfs",
        "feature_set": "paper",
        "model": "paper_cox",
        "trained_on": "dfs",
        "fit": COX.name,
        "cohort": "simulated",
        "cohort_digest": COHORT.digest,
        "code_version": code_digest(),
        "evidence": "simulated: no patient's data, no clinical evidence",
        "status": "completed",
        "note_1": "entered: age",
    }
    assert {k: child.data.tags.get(k) for k in expected} == expected
    assert COHORT.caption in child.data.tags["mlflow.note.content"]


def test_cell_has_parameters_and_finite_metrics_with_bounds(logged: tuple[Run, Run, Run]) -> None:
    child = logged[1]

    of_the_fit = {"trained_on": "dfs", "n_predictors": "3", "rate": "0.1", "chosen": "a, b"}
    assert child.data.params == {**_cell(COX).__dict__, **of_the_fit}
    assert child.data.metrics == {
        "auc/6_months": 0.6,
        "interval/auc_6_months_low": 0.5,
        "interval/auc_6_months_high": 0.7,
        "auc/12_months": 0.625,
        "patients": 90,
        "events_by_horizon": 40,
        "fit_seconds": 1.5,
    }


def test_cell_has_its_evaluation_predictions_and_cohort(store: Store, logged: tuple[Run, Run, Run]) -> None:
    child = logged[1]
    [dataset] = child.inputs.dataset_inputs

    assert _artifacts(store, child) >= {"evaluation", "predictions.csv"}
    assert _artifacts(store, child, "evaluation") == {"evaluation/roc.csv"}
    assert (dataset.dataset.name, dataset.dataset.digest) == (COHORT.name, COHORT.digest)


def test_cells_of_one_fit_link_one_model(store: Store, logged: tuple[Run, Run, Run]) -> None:
    _, first, second = logged
    linked = [[o.model_id for o in run.outputs.model_outputs] for run in (first, second)]

    assert linked[0] == linked[1]
    assert linked[0] == [first.data.tags["model_id"]]
    assert store.client.get_logged_model(linked[0][0]).source_run_id == first.info.run_id


def test_metric_that_is_not_finite_is_left_out(store: Store, cohort: Cohort) -> None:
    writer = store.writer()
    parent = writer.start(cohort, "run", {}, None)
    writer.write(parent, [tracking.Metrics({"a": 1.0, "b": NAN, "c": float("inf")})])

    assert store.client.get_run(parent).data.metrics == {"a": 1.0}


def test_what_is_no_item_is_refused(store: Store) -> None:
    with pytest.raises(TypeError, match="cannot log str"):
        store.writer().write("no run", ["text"])


# ---- after a kill


def test_resumed_benchmark_keeps_its_run_knows_its_cells_and_logs_half_logged_ones_again(
    store: Store, cohort: Cohort, tmp_path: Path
) -> None:
    first, half = _cell(COX, "dfs"), _cell(COX, "relapse_6m")
    killed = store.writer()
    parent = killed.start(cohort, "run", {"seed": 1}, None)
    killed.log_cell(first, _items(tmp_path / "a", COX, "dfs", cohort))
    orphan = store.client.create_run(
        store.client.get_run(parent).info.experiment_id, tags={"mlflow.parentRunId": parent, "cell": half.name}
    )  # as a kill in the middle of log_cell leaves it: RUNNING

    writer = store.writer()
    assert writer.start(cohort, "run", {"seed": 1}, parent) == parent
    assert store.client.get_run(parent).info.status == "RUNNING"
    assert (writer.has(first), writer.has(half)) == (True, False)
    assert store.client.get_run(orphan.info.run_id).info.lifecycle_stage == "deleted"

    writer.log_cell(half, _items(tmp_path / "b", COX, "relapse_6m", cohort))
    assert writer.has(half)
    assert sorted(r.data.tags["cell"] for r in store.children(parent)) == sorted([first.name, half.name])
    models = {m.model_id for r in store.children(parent) for m in r.outputs.model_outputs}
    assert len(models) == 1, "the model logged before the kill serves its sibling"


def test_cell_that_cannot_be_logged_is_failed_not_known_and_logged_again(store: Store, cohort: Cohort, tmp_path: Path) -> None:
    def breaks() -> Iterable[Item]:
        yield from _items(tmp_path / "a", LOGISTIC, cohort=cohort)[:2]
        raise OSError("disk full")

    writer = store.writer()
    parent = writer.start(cohort, "run", {}, None)
    with pytest.raises(OSError, match="disk full"):
        writer.log_cell(_cell(LOGISTIC), breaks())
    assert not writer.has(_cell(LOGISTIC))
    assert store.child(parent, _cell(LOGISTIC)).info.status == "FAILED"

    again = store.writer()
    again.start(cohort, "run", {}, parent)
    assert store.children(parent) == []


def test_failed_benchmark_says_so(store: Store, cohort: Cohort) -> None:
    writer = store.writer()
    parent = writer.start(cohort, "run", {}, None)
    writer.fail()
    run = store.client.get_run(parent)

    assert (run.info.status, run.data.tags["status"]) == ("FAILED", "failed")


@pytest.mark.parametrize("gone", ["0" * 32, "deleted"], ids=["unknown", "deleted"])
def test_run_that_mlflow_no_longer_has_is_begun_anew(gone: str, store: Store, cohort: Cohort) -> None:
    if gone == "deleted":
        gone = store.writer().start(cohort, "run", {}, None)
        store.client.delete_run(gone)
    fresh = store.writer().start(cohort, "run", {}, gone)

    assert fresh != gone
    assert store.client.get_run(fresh).info.status == "RUNNING"


# ---- the logged model


def _load(store: Store, cohort: Cohort, fit: Fit) -> Any:
    """The fit's model, logged and loaded back."""
    writer = store.writer()
    parent = writer.start(cohort, "run", {}, None)
    writer.write(parent, [FittedModel(fit, PROCEDURES[fit], cohort)])
    return mlflow.pyfunc.load_model(f"models:/{store.client.get_run(parent).data.tags['model_id']}")


def _as_a_hospital_sends(cohort: Cohort, model: Any) -> pd.DataFrame:
    """The model's inputs, as text and numbers instead of the cohort's factors."""
    frame = cohort.frame[model.metadata.get_input_schema().input_names()]
    return frame.astype({n: object for n in frame if frame[n].dtype == "category"})


@pytest.mark.parametrize("fit", [COX, LOGISTIC, TREES], ids=lambda f: f.model)
def test_logged_model_gives_the_risks_of_the_procedure(fit: Fit, store: Store, cohort: Cohort) -> None:
    loaded = _load(store, cohort, fit)
    patients = cohort.population(fit.population)
    risks = loaded.predict(_as_a_hospital_sends(patients, loaded))
    predictors = build_predictors(cohort, fit.population, FEATURE_SETS[fit.feature_set]).frame
    procedure = PROCEDURES[fit]

    assert list(risks) == [f"risk_{h:g}m" for h in procedure.horizons_months]
    assert loaded.metadata.get_output_schema().input_names() == list(risks)
    for horizon in procedure.horizons_months:
        np.testing.assert_array_equal(risks[f"risk_{horizon:g}m"], procedure.risk_at(predictors, horizon))
    assert risks.nunique().min() > 1


def test_logged_null_model_gives_one_risk_a_row(store: Store, cohort: Cohort) -> None:
    loaded = _load(store, cohort, NULL)
    risks = loaded.predict(pd.DataFrame({"patient_id": ["x", "y", "z"]}))

    assert risks.shape == (3, 2)
    assert risks.nunique().tolist() == [1, 1]


@pytest.mark.parametrize("fit", [COX, TREES, NULL], ids=lambda f: f.model)
def test_input_example_can_be_predicted_and_is_nobodys_row(fit: Fit, store: Store, tmp_path: Path) -> None:
    frame = COHORT.frame.copy()
    canary = {"age": 89.0, "baseline_cea": 8765.4, "baseline_max_diameter": 204.0, "presurgery_cea": 1987.6}
    rare = {"ras_braf": "braf_mutated", "mmr_status": "deficient"}
    row = frame.index[frame["primary_resected"] == "yes"][0]
    frame.loc[row, list(canary | rare)] = list((canary | rare).values())
    planted = replace(COHORT, name=f"planted_{fit.model}", frame=frame)
    loaded = _load(store, planted, fit)
    example = loaded.input_example

    assert len(example) == 1
    assert not set(example.iloc[0]) & {*canary.values(), *rare.values(), *COHORT.patient_ids}
    assert loaded.predict(example).shape == (1, 2)
    shared = [n for n in example if n != "patient_id"]
    assert not shared or not (frame[shared].astype(object) == example[shared].iloc[0]).all(axis=1).any()


def test_signature_names_every_input_in_its_type(store: Store, cohort: Cohort) -> None:
    loaded = _load(store, cohort, LOGISTIC)
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


def test_wrong_type_is_refused(store: Store, cohort: Cohort) -> None:
    loaded = _load(store, cohort, LOGISTIC)
    table = _as_a_hospital_sends(cohort, loaded).assign(baseline_lesions="many")

    with pytest.raises(MlflowException, match="baseline_lesions"):
        loaded.predict(table)
