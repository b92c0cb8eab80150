"""The whole flow, in this process, on Prefect's real (temporary) server, a real MLflow store and real worker processes."""

from __future__ import annotations

import html
import json
import re
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from cohort.errors import CohortError
from cohort.load import load_cohort
from evaluation.external_validation import EXTERNAL_COMPARISON_COLUMNS, FROZEN, INTERCEPT_AND_SLOPE, UPDATES
from evaluation.leak_audit import LeakSuspected
from evaluation.metrics.registry import METRICS
from evaluation.predictions import COLUMNS
from flows import validate as module
from flows.validate import Validation, validate
from flows.validation_config import ValidationConfig

from .validation_cases import simulated_files

pytestmark = pytest.mark.usefixtures("prefect_server")

MODELS = ("null_model", "paper_logistic", "paper_cox")
LACKING = ("primary_resected", "sex")


def settings(folder: Path, **changes: object) -> ValidationConfig:
    contract, data = simulated_files(folder, "theirs", 120, 2, without=LACKING)
    small = {
        "preset": "smoke",
        "test": contract,
        "test_data": data,
        "models": MODELS,
        "endpoints": ("relapse_6m", "dfs"),
        "populations": ("overall", "primary_resected"),
        "workers": 2,
    }
    return ValidationConfig.model_validate({**small, **changes})


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow leaves the address of the last store in the environment."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("validate")


@pytest.fixture(scope="module")
def result(prefect_server: None, folder: Path) -> Validation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRLM_WORKSPACE", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return validate(settings(folder))


def test_every_model_is_judged_frozen_and_updated_by_all_metrics_with_intervals(result: Validation):
    table = pd.read_csv(result.folder / "validation.csv", keep_default_na=False, na_values=[""])
    done = table[table["status"] == "completed"]
    # relapse_6m: all three; dfs, at two horizons: null and Cox.
    assert len(done) == (3 + 2 * 2) * len(METRICS) * len(UPDATES)
    assert set(done["update"]) == set(UPDATES)
    estimated = done[done["estimate"].notna()]
    assert (estimated["ci_low"].notna() | estimated["note"].notna()).all(), "an interval, or a reason"
    assert done.loc[done["estimate"].isna(), "note"].notna().all()


def test_a_population_that_one_cohort_cannot_form_is_skipped_with_the_reason(result: Validation):
    table = pd.read_csv(result.folder / "validation.csv", keep_default_na=False, na_values=[""])
    skipped = table[table["status"] == "skipped"]
    assert set(skipped["population"]) == {"primary_resected"}
    assert skipped["note"].str.startswith("test: the population primary_resected needs").all()


def test_dropped_predictors_are_listed_with_the_reason(result: Validation):
    dropped = pd.read_csv(result.folder / "dropped_predictors.csv").set_index("predictor")["reason"]
    assert dropped["sex"] == "theirs does not record sex"
    assert dropped["primary_resected"] == "theirs does not record primary_resected"


def test_predictions_are_the_test_cohorts_and_readable_by_their_owner_only(result: Validation, folder: Path):
    path = result.folder / "predictions.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    predictions = pd.read_parquet(path)
    assert [c for c in predictions if c != "update"] == list(COLUMNS)
    cohort = load_cohort(str(folder / "theirs.yaml"), folder / "theirs.csv")
    assert set(predictions["patient_id"]) == set(cohort.patient_ids)
    frozen = predictions[predictions["update"] == FROZEN]
    assert not frozen.duplicated(["trained_on", "model", "patient_id", "horizon_months"]).any()


def test_the_null_models_frozen_risk_is_the_training_cohorts_kaplan_meier_risk(result: Validation):
    frozen = pd.read_parquet(result.folder / "predictions.parquet").query("update == 'frozen' and model == 'null_model'")
    embedded = load_cohort().outcome("dfs")
    for horizon, rows in frozen.groupby("horizon_months"):
        assert rows["risk"].to_numpy() == pytest.approx(np.mean(embedded.time_months <= horizon)), "nobody was censored so early"


def test_recalibration_mends_the_overall_risk(result: Validation):
    o_e = {kind: board.set_index(["endpoint", "model"])["o_e"].dropna() for kind, board in result.boards.items()}
    assert (np.abs(np.log(o_e[INTERCEPT_AND_SLOPE])) < 0.15).all()
    assert np.abs(np.log(o_e[FROZEN])).max() > np.abs(np.log(o_e[INTERCEPT_AND_SLOPE])).max()


def test_every_model_is_compared_with_the_null_model(result: Validation):
    compared = pd.read_csv(result.folder / "comparisons.csv")
    assert list(compared.columns) == EXTERNAL_COMPARISON_COLUMNS
    assert set(compared["update"]) == set(UPDATES)
    frozen = result.boards[FROZEN]
    auc = frozen[frozen["status"] == "completed"].set_index(["endpoint", "model"])["auc"]
    for _, row in compared[compared["metric"] == "auc"].iterrows():
        assert row["difference"] == pytest.approx(auc[row["endpoint"], row["model"]] - 0.5)


def test_the_page_names_both_cohorts_evidence_and_no_patient(result: Validation):
    page = (result.folder / "validation.html").read_text(encoding="utf-8")
    text = html.unescape(re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert "Evidence of reconstructed: reconstructed from published aggregate numbers" in text
    assert "Evidence of theirs: simulated: no patient's data, no clinical evidence." in text
    assert not re.search(r"\bTHEIRS\d{4}\b|\bR\d{3}\b", text)
    assert "<script" not in page
    assert str(result.folder.parent.parent.parent) not in text, "no path"


def test_curves_and_figures_of_every_cell_are_written(result: Validation):
    cell = result.folder / "cells" / "overall" / "relapse_6m" / "baseline" / "paper_cox"
    assert {p.name for p in cell.iterdir()} == {
        *("results.json", "calibration.csv", "calibration.png", "decision_curve.csv", "decision_curve.png"),
    }
    assert set(pd.read_csv(cell / "calibration.csv")["update"]) == set(UPDATES)


def test_mlflow_has_one_run_with_both_cohorts_and_a_child_a_cell(result: Validation, folder: Path):
    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("crlm-theirs").experiment_id
    (parent,) = client.search_runs([experiment], "tags.kind = 'validation'")
    assert parent.info.status == "FINISHED"
    assert (parent.data.tags["train_cohort"], parent.data.tags["cohort"]) == ("reconstructed", "theirs")
    assert {i.dataset.name for i in parent.inputs.dataset_inputs} == {"reconstructed", "theirs"}
    assert not any("/" in v for k, v in parent.data.params.items() if k in ("train", "test"))
    assert {"validation.csv", "validation.html"} <= {f.path for f in client.list_artifacts(parent.info.run_id)}
    cells = client.search_runs([experiment], "tags.kind = 'cell'")
    assert len(cells) == 5
    cox = next(c for c in cells if c.data.tags["cell"] == "overall/dfs/baseline/paper_cox")
    assert {"auc/12_months", f"{INTERCEPT_AND_SLOPE}/o_e/12_months"} <= set(cox.data.metrics)


def test_the_run_is_complete_and_latest(result: Validation, folder: Path):
    assert json.loads((result.folder / "run.json").read_text())["status"] == "completed"
    assert (folder / "runs" / "validate" / "latest").resolve() == result.folder
    assert (result.failed, result.reused) == (0, 0)


def test_a_second_run_gives_the_same_tables_from_the_same_fits(result: Validation, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(folder))
    again = validate(settings(folder))
    assert again.folder != result.folder
    assert again.reused == 5
    for name in ("validation.csv", "comparisons.csv", "case_mix.csv", "dropped_predictors.csv"):
        assert (again.folder / name).read_bytes() == (result.folder / name).read_bytes(), name


def test_an_interrupted_run_is_continued_and_finished_cells_are_not_judged_again(
    result: Validation, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CRLM_WORKSPACE", str(folder))
    config = settings(folder, seed=7)

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_validation", fail)
        with pytest.raises(RuntimeError, match="the disk is full"):
            validate(config)
    runs = folder / "runs" / "validate"
    (failed,) = (p.parent for p in runs.glob("2*/run.json") if json.loads(p.read_text())["status"] == "failed")
    before = {p: p.stat().st_mtime_ns for p in failed.glob("cells/*/*/*/*/results.json")}
    assert len(before) == 5
    again = validate(config)
    assert again.folder == failed
    assert {p: p.stat().st_mtime_ns for p in before} == before
    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    parent = json.loads((failed / "run.json").read_text())["mlflow_run_id"]
    experiment = client.get_experiment_by_name("crlm-theirs").experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert len(children) == 5, "logged once"


def test_the_same_patients_under_two_contracts_are_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    copy = tmp_path / "copy.csv"
    copy.write_bytes((folder / "theirs.csv").read_bytes())
    with pytest.raises(CohortError, match="hold the same patients"):
        validate(settings(folder, train=str(folder / "theirs.yaml"), train_data=str(copy)))
    assert not (tmp_path / "runs").exists()


def test_a_predictor_that_knows_too_much_in_either_cohort_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    contract, data = simulated_files(tmp_path, "strong", 150, 2, signal=4)
    with pytest.raises(LeakSuspected, match=r"baseline_lesions: alone it has AUC .*\(strong, overall\)"):
        validate(settings(tmp_path, test=contract, test_data=data))
    assert not (tmp_path / "runs").exists()


def test_a_training_cohort_followed_too_briefly_is_refused_with_the_reason(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    contract, data = simulated_files(tmp_path, "ours", 60, 5)
    frame = pd.read_csv(data).assign(os_event=0)
    late = frame["dfs_months"] > 4
    frame.loc[late, ["dfs_months", "os_months", "dfs_event"]] = (4.0, 4.0, 0)
    frame.to_csv(data, index=False)
    with pytest.raises(CohortError, match="train: follow-up ends at"):
        validate(settings(folder, train=contract, train_data=data, populations=("overall",)))
