"""``crlm serve`` for real: a Prefect server and worker and an MLflow server on free ports, a run from another process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

PREFECT = str(Path(sys.executable).parent / "prefect")
START_SECONDS = 180


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Served:
    process: subprocess.Popen[str]
    folder: Path
    prefect_url: str
    mlflow_url: str
    environment: dict[str, str]

    def prefect(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PREFECT, *arguments], env=self.environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )


def api(url: str, body: dict | None = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    ports = free_port(), free_port()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_TRACKING"))}
    prefect_url, mlflow_url = (f"http://127.0.0.1:{port}" for port in ports)
    environment = {**inherited, "CRLM_WORKSPACE": str(folder), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "flows.cli", "serve", "--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
    output = (folder / "serve.log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C stops everything" not in (folder / "serve.log").read_text():
            assert process.poll() is None, (folder / "serve.log").read_text()
            assert time.monotonic() < deadline, (folder / "serve.log").read_text()
            time.sleep(0.3)
        client = {**environment, "PREFECT_API_URL": f"{prefect_url}/api", "PREFECT_HOME": str(folder / "client")}
        yield Served(process, folder, prefect_url, mlflow_url, client)
    finally:
        if process.poll() is None:
            process.kill()
        output.close()


@pytest.fixture(scope="module")
def deployment_run(served: Served) -> subprocess.CompletedProcess[str]:
    config = {"preset": "smoke", "endpoints": ["relapse_6m"], "models": ["null_model", "paper_logistic", "xgboost_classifier"]}
    return served.prefect("deployment", "run", "benchmark/benchmark", "--param", f"config={json.dumps(config)}", "--watch")


def test_a_deployment_run_from_another_process_completes(served: Served, deployment_run):
    assert deployment_run.returncode == 0, deployment_run.stdout + deployment_run.stderr
    (run,) = api(f"{served.prefect_url}/api/flow_runs/filter", {})
    assert run["state_type"] == "COMPLETED"
    assert run["parameters"]["config"]["preset"] == "smoke"


def test_its_leaderboard_is_an_artifact_in_prefect(served: Served, deployment_run):
    (artifact,) = api(f"{served.prefect_url}/api/artifacts/filter", {})
    assert artifact["key"] == "leaderboard"
    assert len(json.loads(artifact["data"])) == 3


def test_its_cells_are_in_the_served_mlflow(served: Served, deployment_run):
    found = api(f"{served.mlflow_url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=crlm-reconstructed")
    body = {"experiment_ids": [found["experiment"]["experiment_id"]], "filter": "tags.kind = 'cell'", "max_results": 100}
    runs = api(f"{served.mlflow_url}/api/2.0/mlflow/runs/search", body)["runs"]
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    assert len(runs) == 3


def test_its_results_lie_in_the_workspace(served: Served, deployment_run):
    assert (served.folder / "runs" / "benchmark" / "latest" / "report.html").is_file()


def test_an_unknown_setting_is_refused_before_a_run_is_made(served: Served, deployment_run):
    before = len(api(f"{served.prefect_url}/api/flow_runs/filter", {}))
    refused = served.prefect("deployment", "run", "benchmark/benchmark", "--param", 'config={"nonsense": 1}')
    assert refused.returncode != 0
    assert "nonsense" in refused.stdout + refused.stderr
    assert len(api(f"{served.prefect_url}/api/flow_runs/filter", {})) == before


def test_ctrl_c_stops_every_process_and_frees_the_ports(served: Served, deployment_run):
    family = psutil.Process(served.process.pid).children(recursive=True)
    assert len(family) >= 3
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=90) == 0
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    for url in (served.prefect_url, served.mlflow_url):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", int(url.rsplit(":", 1)[1])))
