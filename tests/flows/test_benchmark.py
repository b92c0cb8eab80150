"""The whole flow, in this process, on Prefect's real (temporary) server, a real MLflow store and real worker processes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from cohort.errors import ContractViolation
from cohort.load import load_cohort
from evaluation.comparison import COMPARISON_COLUMNS
from evaluation.leak_audit import LeakSuspected
from evaluation.predictions import COLUMNS
from evaluation.tables import METRIC_COLUMNS, leaderboard_columns
from flows.benchmark import BenchmarkResult, benchmark
from flows.config import BenchmarkConfig

TCIA = Path(__file__).parents[2].parent / "shared" / "data" / "tcia_crlm.csv"
MODELS = ("null_model", "paper_logistic", "paper_cox", "xgboost_classifier")
SMALL = {"preset": "smoke", "models": MODELS, "n_bootstraps": 100, "workers": 2}


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: object) -> BenchmarkResult:
    monkeypatch.setenv("CRLM_WORKSPACE", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return benchmark(BenchmarkConfig.model_validate({**SMALL, **settings}))


@pytest.fixture(scope="module")
def patch() -> pytest.MonkeyPatch:
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def result(prefect_server: None, folder: Path, patch: pytest.MonkeyPatch) -> BenchmarkResult:
    return run(folder, patch)


def mlflow_runs(folder: Path, kind: str) -> list:
    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    experiments = [e.experiment_id for e in client.search_experiments() if e.name.startswith("crlm-")]
    return list(client.search_runs(experiments, f"tags.kind = '{kind}'", max_results=1000))


def test_every_cell_completes_and_has_one_row(result: BenchmarkResult):
    board = pd.read_csv(result.folder / "leaderboard.csv")
    assert list(board.columns) == leaderboard_columns()
    assert (board["status"] == "completed").all()
    # relapse_6m: all four; dfs: the null model and Cox.
    assert len(board) == result.completed == 6
    assert not board.duplicated(["population", "endpoint", "feature_set", "model"]).any()


def test_the_tables_have_their_documented_columns(result: BenchmarkResult):
    metrics = pd.read_csv(result.folder / "metrics.csv")
    assert list(metrics.columns) == METRIC_COLUMNS
    predictions = pd.read_parquet(result.folder / "predictions.parquet")
    assert {name: str(dtype) for name, dtype in predictions.dtypes.items()} == COLUMNS
    assert predictions["risk"].between(0, 1).all()


def test_every_model_is_compared_with_the_null_model_and_every_question_has_a_verdict(result: BenchmarkResult):
    comparisons = pd.read_csv(result.folder / "comparisons.csv", keep_default_na=False, na_values=[""])
    null = comparisons[(comparisons["comparison"] == "null_model") & (comparisons["metric"] == "auc")]
    assert list(comparisons.columns) == COMPARISON_COLUMNS
    assert len(null) == result.completed - 2, "all but the two null models"
    assert comparisons["p_holm"].between(0, 1).all()
    auc = result.leaderboard.set_index(["endpoint", "model"])["auc"]
    for _, row in null.iterrows():
        assert row["difference"] == pytest.approx(auc[row["endpoint"], row["model"]] - 0.5)
    verdicts = pd.read_csv(result.folder / "verdict.csv")
    assert verdicts["endpoint"].tolist() == ["relapse_6m", "dfs"]
    assert verdicts["headline"].str.contains("no clinical evidence").all()
    assert verdicts["headline"].tolist() == [v.headline for v in result.verdicts]


def test_every_estimate_has_an_interval_or_a_reason(result: BenchmarkResult):
    metrics = pd.read_csv(result.folder / "metrics.csv")
    bare = metrics[metrics[["estimate", "ci_low", "ci_high"]].isna().any(axis=1) & metrics["note"].isna()]
    assert bare.empty


def test_the_null_model_ranks_nobody_and_is_calibrated(result: BenchmarkResult):
    null = pd.read_csv(result.folder / "metrics.csv").query("model == 'null_model'")
    estimates = null.set_index(["endpoint", "horizon_months", "metric"])["estimate"]
    for key, value in estimates.items():
        if key[2] in ("auc", "c_harrell", "c_uno"):
            assert value == 0.5, key
        if key[2] == "o_e":
            assert value == pytest.approx(1.0, abs=0.01), key


def test_the_report_says_what_the_cohort_is_and_names_no_patient(result: BenchmarkResult, folder: Path):
    report = (result.folder / "report.html").read_text()
    assert "no patient's data, no clinical evidence".replace("'", "&#39;") in report
    assert str(folder) not in report
    ids = load_cohort().patient_ids
    assert not [patient for patient in ids if f">{patient}<" in report]


def test_latest_points_to_the_completed_run(result: BenchmarkResult):
    assert (result.folder.parent / "latest").resolve() == result.folder.resolve()


def test_mlflow_holds_a_parent_and_a_finished_child_for_each_cell(result: BenchmarkResult, folder: Path):
    (parent,) = mlflow_runs(folder, "benchmark")
    cells = mlflow_runs(folder, "cell")
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["status"] == "completed"
    for verdict in result.verdicts:
        assert parent.data.tags[f"verdict/overall_{verdict.endpoint}"] == verdict.headline
    files = {f.path for f in MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}").list_artifacts(parent.info.run_id)}
    assert {"comparisons.csv", "verdict.csv", "leaderboard.csv", "report.html"} <= files
    assert len(cells) == result.completed
    for cell in cells:
        assert cell.info.status == "FINISHED"
        assert cell.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert cell.data.tags["status"] == "completed"
        assert "no clinical evidence" in cell.data.tags["evidence"]


def test_prefects_artifact_holds_the_leaderboard_and_no_patient(result: BenchmarkResult):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        rows = json.loads(client.read_artifacts()[-1].data)
    assert len(rows) == 6
    assert not set(load_cohort().patient_ids) & {value for row in rows for value in row.values()}


def test_the_same_benchmark_again_fits_nothing_and_gives_the_same_numbers(
    result: BenchmarkResult, folder: Path, patch: pytest.MonkeyPatch
):
    fits = {path: path.stat().st_mtime_ns for path in (folder / "runs" / ".fits").glob("*/fit.json")}
    again = run(folder, patch)
    assert again.reused == again.completed == result.completed
    assert again.run_name != result.run_name, "a completed run is not written over"
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs" / ".fits").glob("*/fit.json")} == fits
    pd.testing.assert_frame_equal(again.leaderboard, result.leaderboard)


def test_a_fresh_benchmark_fits_anew_and_gives_the_same_numbers(result: BenchmarkResult, folder: Path, patch: pytest.MonkeyPatch):
    fresh = run(folder, patch, fresh=True)
    assert fresh.reused == 0
    columns = [c for c in result.leaderboard if c != "seconds"]
    pd.testing.assert_frame_equal(fresh.leaderboard[columns], result.leaderboard[columns])


def write_contract(folder: Path, frame: pd.DataFrame, extra: str = "", columns: str = "") -> tuple[str, str]:
    """A small hospital's contract and file."""
    names = [c for c in frame.columns if c != "planted"]
    lines = [f"  {c}: {c}" for c in names]
    contract = folder / "hospital.yaml"
    contract.write_text(
        "name: hospital\ntitle: A hospital's cohort\nevidence: simulated\ncolumns:\n" + "\n".join(lines) + "\n" + columns + extra
    )
    data = folder / "hospital.csv"
    frame.to_csv(data, index=False)
    return str(contract), str(data)


def leaking(folder: Path) -> tuple[str, str]:
    frame = load_cohort().frame[["patient_id", "age", "sex", "dfs_months", "dfs_event", "os_months", "os_event"]].copy()
    frame["planted"] = frame["dfs_months"].rank()  # derived from the outcome, declared as known at baseline
    extra = "extra_variables:\n  planted: {label: Planted, kind: continuous, known_at: baseline}\n"
    return write_contract(folder, frame, extra, columns="  planted: planted\n")


@pytest.mark.usefixtures("prefect_server")
def test_a_predictor_derived_from_the_outcome_stops_the_run_before_anything_is_written(tmp_path: Path, patch: pytest.MonkeyPatch):
    contract, data = leaking(tmp_path)
    with pytest.raises(LeakSuspected, match="planted"):
        run(tmp_path / "work", patch, cohort=contract, data=data)
    assert not (tmp_path / "work" / "runs").exists()
    assert not (tmp_path / "work" / "mlruns").exists()


@pytest.mark.usefixtures("prefect_server")
def test_a_suspected_leak_that_is_allowed_is_a_warning_in_the_report_and_a_note_on_the_leaderboard(
    tmp_path: Path, patch: pytest.MonkeyPatch
):
    contract, data = leaking(tmp_path)
    result = run(tmp_path / "work", patch, cohort=contract, data=data, on_leak="warn", endpoints=("relapse_12m",))
    assert "suspected leak" in (result.folder / "report.html").read_text()
    notes = result.leaderboard.set_index("model")["note"]
    assert "a leak until shown otherwise" in notes["xgboost_classifier"]


@pytest.mark.usefixtures("prefect_server")
def test_a_file_that_breaks_its_contract_is_refused_whole(tmp_path: Path, patch: pytest.MonkeyPatch):
    frame = load_cohort().frame[["patient_id", "age", "dfs_months", "dfs_event", "os_months", "os_event"]].copy()
    frame.loc[3, "age"] = 999
    contract, data = write_contract(tmp_path, frame)
    with pytest.raises(ContractViolation, match=r"age: outside the plausible range 18 to 100 years \(1 patient"):
        run(tmp_path / "work", patch, cohort=contract, data=data)
    assert not (tmp_path / "work").exists()


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.skipif(not TCIA.exists(), reason="the TCIA table is not beside the project; download it from TCIA")
def test_the_tcia_benchmark_completes_with_the_published_event_counts(tmp_path: Path, patch: pytest.MonkeyPatch):
    result = run(
        tmp_path,
        patch,
        cohort="tcia_crlm",
        data=str(TCIA),
        endpoints=("relapse_6m", "relapse_12m", "dfs", "os"),
        populations=("overall", "primary_resected"),
        models=("null_model", "paper_cox", "paper_logistic"),
    )
    board = result.leaderboard
    done = board[board["status"] == "completed"].groupby("endpoint").first()
    assert done.loc["relapse_6m", "n_events"] == 22
    assert done.loc["relapse_12m", "n_events"] == 58
    assert done.loc["dfs", "n_events_total"] == 138
    assert done.loc["os", "n_events_total"] == 107
    skipped = board[board["status"] == "skipped"]
    assert set(skipped["population"]) == {"primary_resected"}
    assert skipped["note"].str.contains("does not record").all()


@pytest.mark.usefixtures("prefect_server")
def test_a_feature_set_that_the_cohort_lacks_is_skipped_and_the_others_are_run(tmp_path: Path, patch: pytest.MonkeyPatch):
    columns = ["patient_id", "presurgery_cea", "dfs_months", "dfs_event", "os_months", "os_event"]
    contract, data = write_contract(tmp_path, load_cohort().frame[columns])
    settings = {"feature_sets": ("baseline", "pre_surgery"), "models": ("null_model", "paper_cox"), "endpoints": ("dfs",)}
    board = run(tmp_path / "work", patch, cohort=contract, data=data, **settings).leaderboard.set_index(["feature_set", "model"])
    assert board.loc[("pre_surgery", "paper_cox"), "status"] == "completed"
    assert board.loc[("baseline", "paper_cox"), "status"] == "skipped"


@pytest.mark.usefixtures("prefect_server")
def test_every_population_that_is_fitted_is_audited(tmp_path: Path, patch: pytest.MonkeyPatch):
    # pN is withheld from all patients, so only the primary-resected population can show that it knows the outcome.
    frame = load_cohort().frame
    early = (frame["dfs_months"] <= 12) & frame["dfs_event"]
    knowing = early.map({True: "n1_2", False: "n0"}).where(frame["primary_resected"] == "yes")
    columns = ["patient_id", "age", "primary_resected", "dfs_months", "dfs_event", "os_months", "os_event"]
    contract, data = write_contract(tmp_path, frame[columns].assign(pn_stage=knowing))
    with pytest.raises(LeakSuspected, match=r"pn_stage.*\(primary_resected\)"):
        run(tmp_path / "work", patch, cohort=contract, data=data, populations=("overall", "primary_resected"))


def test_procedures_learned_again_give_tables_and_metrics_in_mlflow(result: BenchmarkResult, folder: Path):
    optimism, selection = (pd.read_csv(result.folder / f"{name}.csv") for name in ("optimism", "selection"))
    stability = pd.read_csv(result.folder / "stability.csv")
    auc = optimism[(optimism["metric"] == "auc") & (optimism["model"] == "paper_logistic")].iloc[0]
    [parent] = [run for run in mlflow_runs(folder, "benchmark") if run.info.run_name == result.run_name]
    [logged] = [
        run
        for run in mlflow_runs(folder, "cell")
        if run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        and run.data.tags["cell"].endswith("relapse_6m/baseline/paper_logistic")
    ]

    assert set(optimism["model"]) == set(stability["model"]) == set(selection["model"]) == {"paper_logistic", "paper_cox"}
    assert (optimism["n_resamples"] == 3).all()
    assert auc["corrected"] == pytest.approx(auc["apparent"] - auc["optimism"])
    assert logged.data.metrics["corrected/auc/6_months"] == pytest.approx(auc["corrected"])
    assert "Corrected for optimism" in (result.folder / "report.html").read_text(encoding="utf-8")
