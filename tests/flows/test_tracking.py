"""The writer against a real MLflow store: runs, what they hold, and how a killed benchmark is continued."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.entities import Run

from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from evaluation.estimate import Estimate
from evaluation.predictions import COLUMNS
from evaluation.tables import Cell, CellResult
from evaluation.verdict import Verdict
from flows import tracking
from flows.cell_store import FitSummary, code_digest
from flows.config import BenchmarkConfig
from flows.log_items import Item, Metrics, benchmark_items, cell_items
from flows.plan import Fit
from flows.work import EvaluatedCell, predictors_of, procedure_of
from models.procedure import FittedProcedure

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:Operation with range is deprecated:pandas.errors.Pandas4Warning:mlflow\.models\.utils"),
    pytest.mark.filterwarnings(r"ignore:The ``noload`` loader strategy is deprecated"),
]

NAN = float("nan")
COHORT = simulate_cohort(90, seed=3).cohort
COX = Fit("overall", "dfs", "paper", "paper_cox")
ESTIMATES = (
    Estimate("auc", 6.0, 0.6, 0.5, 0.7, 90, 30),
    Estimate("auc", 12.0, 0.625, NAN, NAN, 90, 40, "no interval"),
    Estimate("calibration_slope", 12.0, NAN, NAN, NAN, 90, 40, "one risk"),
)


def _procedure() -> FittedProcedure:
    outcome = COHORT.outcome("dfs")
    return procedure_of(COX, BenchmarkConfig(n_trials=0), outcome).fit(predictors_of(COHORT, COX), outcome, seed=1)


PROCEDURE = _procedure()


def _cell(endpoint: str) -> Cell:
    """A cell that reads the fit above."""
    return Cell("overall", endpoint, "paper", "paper_cox")


def _items(folder: Path, endpoint: str, cohort: Cohort = COHORT) -> list[Item]:
    """What is logged of a completed cell whose evaluation lies in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "roc.csv").write_text("fpr,tpr\n", encoding="utf-8")
    result = CellResult(_cell(endpoint), "completed", ESTIMATES, seconds=1.5)
    summary = FitSummary(COX.name, 1.5, {"rate": 0.1, "chosen": ["a", "b"]}, ("entered: age",), (), 3)
    row = ("overall", "dfs", "paper", "paper_cox", 0, 1, "S0000001", 6.0, 0.25, 3.5, True)
    predictions = pd.DataFrame([row], columns=list(COLUMNS)).astype(COLUMNS)
    return list(cell_items(EvaluatedCell(result, folder), COX, summary, predictions, cohort, PROCEDURE))


@pytest.fixture
def cohort(request: pytest.FixtureRequest) -> Cohort:
    return replace(COHORT, name=re.sub(r"\W", "_", request.node.name))


@pytest.fixture(scope="module")
def logged(mlflow_store: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Run]:
    """A finished benchmark: the parent and two cells that share a fit."""
    folder = tmp_path_factory.mktemp("cell")
    writer = mlflow_store.writer()
    parent = writer.start(COHORT, "a run", BenchmarkConfig(preset="smoke").science(), None)
    for endpoint in ("dfs", "relapse_6m"):
        writer.log_cell(_cell(endpoint), _items(folder, endpoint))
    file = folder / "leaderboard.csv"
    file.write_text("rank\n", encoding="utf-8")
    board = pd.DataFrame([("overall", "dfs", 0.6, "completed")], columns=["population", "endpoint", "auc", "status"])
    verdict = Verdict("overall", "dfs", "none", "simulated", "No useful model: none of 2.")
    cards = {COX.name: "# Card\n" + "a line\n" * 900, "a fit without a model": "# None"}
    writer.finish(benchmark_items(board, [verdict], [file], cards))
    return (
        mlflow_store.client.get_run(parent),
        mlflow_store.child(parent, _cell("dfs")),
        mlflow_store.child(parent, _cell("relapse_6m")),
    )


def _artifacts(mlflow_store: Any, run: Run, folder: str | None = None) -> set[str]:
    return {a.path for a in mlflow_store.client.list_artifacts(run.info.run_id, folder)}


def test_benchmark_is_one_parent_run_with_its_settings_files_and_status(mlflow_store: Any, logged: tuple[Run, Run, Run]) -> None:
    parent = logged[0]

    assert parent.info.status == "FINISHED"
    assert parent.data.tags.items() >= {"kind": "benchmark", "status": "completed", "cohort_digest": COHORT.digest}.items()
    assert parent.data.tags["verdict/overall_dfs"] == "No useful model: none of 2."
    assert parent.data.params["n_folds"] == "3"
    assert parent.data.params["endpoints"] == "relapse_6m, dfs"
    assert parent.data.metrics == {"cells/completed": 1.0, "highest_auc/overall_dfs": 0.6}
    assert _artifacts(mlflow_store, parent) == {"leaderboard.csv"}
    assert mlflow_store.client.get_experiment(parent.info.experiment_id).name == "crlm-simulated"


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
    assert child.data.params == {**_cell("dfs").__dict__, **of_the_fit}
    assert child.data.metrics == {
        "auc/6_months": 0.6,
        "interval/auc_6_months_low": 0.5,
        "interval/auc_6_months_high": 0.7,
        "auc/12_months": 0.625,
        "patients": 90,
        "events_by_horizon": 40,
        "fit_seconds": 1.5,
    }


def test_cell_has_its_evaluation_predictions_and_cohort(mlflow_store: Any, logged: tuple[Run, Run, Run]) -> None:
    child = logged[1]
    [dataset] = child.inputs.dataset_inputs

    assert _artifacts(mlflow_store, child) >= {"evaluation", "predictions.csv"}
    assert _artifacts(mlflow_store, child, "evaluation") == {"evaluation/roc.csv"}
    assert (dataset.dataset.name, dataset.dataset.digest) == (COHORT.name, COHORT.digest)


def test_model_card_is_the_description_of_the_logged_model_cut_at_a_line_where_mlflow_takes_no_more(
    mlflow_store: Any, logged: tuple[Run, Run, Run]
) -> None:
    model = mlflow_store.client.get_logged_model(logged[1].outputs.model_outputs[0].model_id)
    text = model.tags["mlflow.note.content"]

    assert text.startswith("# Card\na line\n")
    assert len(text) <= 5_000
    assert text.endswith("a line\n\n… (the whole card is among the benchmark's artifacts, in model_cards/)")


def test_cells_of_one_fit_link_one_model(mlflow_store: Any, logged: tuple[Run, Run, Run]) -> None:
    _, first, second = logged
    linked = [[o.model_id for o in run.outputs.model_outputs] for run in (first, second)]

    assert linked[0] == linked[1]
    assert linked[0] == [first.data.tags["model_id"]]
    assert mlflow_store.client.get_logged_model(linked[0][0]).source_run_id == first.info.run_id


def test_metric_that_is_not_finite_is_left_out(mlflow_store: Any, cohort: Cohort) -> None:
    writer = mlflow_store.writer()
    parent = writer.start(cohort, "run", {}, None)
    writer.write(parent, [Metrics({"a": 1.0, "b": NAN, "c": float("inf")})])

    assert mlflow_store.client.get_run(parent).data.metrics == {"a": 1.0}


def test_long_parameters_are_cut_to_what_mlflow_takes_and_lists_are_readable() -> None:
    assert len(tracking._param("x" * 10_000)) < 6_000
    assert tracking._param(["a", "b"]) == "a, b"
    assert tracking._param(0.1 + 0.2) == "0.3"


def test_what_is_no_item_is_refused(mlflow_store: Any) -> None:
    with pytest.raises(TypeError, match="cannot log str"):
        mlflow_store.writer().write("no run", ["text"])


# ---- after a kill


def test_resumed_benchmark_keeps_its_run_knows_its_cells_and_logs_half_logged_ones_again(
    mlflow_store: Any, cohort: Cohort, tmp_path: Path
) -> None:
    first, half = _cell("dfs"), _cell("relapse_6m")
    killed = mlflow_store.writer()
    parent = killed.start(cohort, "run", {"seed": 1}, None)
    killed.log_cell(first, _items(tmp_path / "a", "dfs", cohort))
    orphan = mlflow_store.client.create_run(
        mlflow_store.client.get_run(parent).info.experiment_id, tags={"mlflow.parentRunId": parent, "cell": half.name}
    )  # as a kill in the middle of log_cell leaves it: RUNNING

    writer = mlflow_store.writer()
    assert writer.start(cohort, "run", {"seed": 1}, parent) == parent
    assert mlflow_store.client.get_run(parent).info.status == "RUNNING"
    assert (writer.has(first), writer.has(half)) == (True, False)
    assert mlflow_store.client.get_run(orphan.info.run_id).info.lifecycle_stage == "deleted"

    writer.log_cell(half, _items(tmp_path / "b", "relapse_6m", cohort))
    assert writer.has(half)
    assert sorted(r.data.tags["cell"] for r in mlflow_store.children(parent)) == sorted([first.name, half.name])
    models = {m.model_id for r in mlflow_store.children(parent) for m in r.outputs.model_outputs}
    assert len(models) == 1, "the model logged before the kill serves its sibling"


def test_cell_that_cannot_be_logged_is_failed_not_known_and_logged_again(
    mlflow_store: Any, cohort: Cohort, tmp_path: Path
) -> None:
    def breaks() -> Iterable[Item]:
        yield from _items(tmp_path / "a", "os", cohort)[:2]
        raise OSError("disk full")

    writer = mlflow_store.writer()
    parent = writer.start(cohort, "run", {}, None)
    with pytest.raises(OSError, match="disk full"):
        writer.log_cell(_cell("os"), breaks())
    assert not writer.has(_cell("os"))
    assert mlflow_store.child(parent, _cell("os")).info.status == "FAILED"

    again = mlflow_store.writer()
    again.start(cohort, "run", {}, parent)
    assert mlflow_store.children(parent) == []


def test_failed_benchmark_says_so(mlflow_store: Any, cohort: Cohort) -> None:
    writer = mlflow_store.writer()
    parent = writer.start(cohort, "run", {}, None)
    writer.fail()
    run = mlflow_store.client.get_run(parent)

    assert (run.info.status, run.data.tags["status"]) == ("FAILED", "failed")


@pytest.mark.parametrize("gone", ["0" * 32, "deleted"], ids=["unknown", "deleted"])
def test_run_that_mlflow_no_longer_has_is_begun_anew(gone: str, mlflow_store: Any, cohort: Cohort) -> None:
    if gone == "deleted":
        gone = mlflow_store.writer().start(cohort, "run", {}, None)
        mlflow_store.client.delete_run(gone)
    fresh = mlflow_store.writer().start(cohort, "run", {}, gone)

    assert fresh != gone
    assert mlflow_store.client.get_run(fresh).info.status == "RUNNING"


def test_models_are_filed_in_the_cohorts_experiment(mlflow_store: Any, logged: tuple[Run, Run, Run]) -> None:
    assert len(mlflow_store.client.search_logged_models([logged[0].info.experiment_id])) == 1
    assert not mlflow_store.client.search_logged_models(["0"])


def test_resumed_benchmark_is_tagged_running(mlflow_store: Any, cohort: Cohort) -> None:
    writer = mlflow_store.writer()
    parent = writer.start(cohort, "run", {}, None)
    writer.fail()
    mlflow_store.writer().start(cohort, "run", {}, parent)

    run = mlflow_store.client.get_run(parent)
    assert (run.data.tags["status"], run.info.status) == ("running", "RUNNING")
