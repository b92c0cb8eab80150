"""A benchmark killed with SIGKILL in the middle and started again does only what was not finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient

pytestmark = pytest.mark.slow

COMMAND = [
    *(sys.executable, "-m", "flows.cli", "benchmark", "--preset", "smoke", "--workers", "2"),
    *("--endpoint", "relapse_6m", "--endpoint", "relapse_12m", "--endpoint", "dfs"),
    *("--feature-set", "baseline", "--feature-set", "paper"),
]
DEADLINE_SECONDS = 400


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("killed")
    inherited = {k: v for k, v in os.environ.items() if k not in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")}
    return {**inherited, "CRLM_WORKSPACE": str(folder), "PREFECT_HOME": str(folder / ".prefect")}


def finished_cells(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.glob("runs/benchmark/2*/cells/*/*/*/*/result.json")}


def fits(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.glob("runs/.fits/*/fit.json")}


@pytest.fixture(scope="module")
def killed(environment: dict[str, str]) -> tuple[dict[Path, int], dict[Path, int]]:
    """Start a run, kill it after its third cell, and see its workers go. Returns what it had finished."""
    folder = Path(environment["CRLM_WORKSPACE"])
    said = folder / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(COMMAND, env=environment, stdout=out, stderr=out)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(finished_cells(folder)) < 3:
        assert process.poll() is None, f"the run ended before it could be killed:\n{said.read_text()[-4000:]}"
        assert time.monotonic() < deadline, f"nothing to kill after {DEADLINE_SECONDS} s:\n{said.read_text()[-4000:]}"
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive, f"left running: {alive}"
    return finished_cells(folder), fits(folder)


@pytest.fixture(scope="module")
def resumed(killed: tuple[dict[Path, int], dict[Path, int]], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)


def test_the_killed_run_had_not_finished(killed, environment):
    assert 3 <= len(killed[0]) < 35, "35 cells are planned"
    assert not (Path(environment["CRLM_WORKSPACE"]) / "runs/benchmark/latest").exists()


def test_the_second_start_finishes_the_same_run(resumed, environment):
    assert resumed.returncode == 0, resumed.stderr
    folder = Path(environment["CRLM_WORKSPACE"]) / "runs/benchmark"
    runs = [p for p in folder.iterdir() if not p.is_symlink()]
    assert len(runs) == 1
    assert (folder / "latest").resolve() == runs[0].resolve()
    board = pd.read_csv(runs[0] / "leaderboard.csv")
    assert (board["status"] == "completed").all()


def test_finished_fits_and_cells_are_not_done_again(killed, resumed, environment):
    folder = Path(environment["CRLM_WORKSPACE"])
    cells_before, fits_before = killed
    cells_after, fits_after = finished_cells(folder), fits(folder)
    assert {p: cells_after[p] for p in cells_before} == cells_before
    assert {p: fits_after[p] for p in fits_before} == fits_before
    assert len(cells_after) > len(cells_before)
    reused = int(resumed.stdout.split(" reused from earlier runs")[0].split()[-1])
    assert reused >= len(cells_before)


def test_mlflow_shows_one_benchmark_whole(resumed, environment):
    store = Path(environment["CRLM_WORKSPACE"]) / "mlruns" / "mlflow.db"
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("crlm-reconstructed")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert {run.info.status for run in runs} == {"FINISHED"}
    parents = [run for run in runs if run.data.tags["kind"] == "benchmark"]
    cells = [run.data.tags["cell"] for run in runs if run.data.tags["kind"] == "cell"]
    assert len(parents) == 1
    assert len(cells) == len(set(cells)) == len(finished_cells(Path(environment["CRLM_WORKSPACE"])))
