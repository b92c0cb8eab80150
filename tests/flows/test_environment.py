"""Where results go, and that what the user set stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows.environment import prepare_environment, tracking_uri, workspace

DEFAULTS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*DEFAULTS, "CRLM_WORKSPACE", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # so that what a test sets is taken back, even where it was unset before
        monkeypatch.delenv(name)


def test_one_thread_a_model_and_nothing_sent_out_unless_the_user_says_otherwise() -> None:
    prepare_environment()

    assert {name: os.environ[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_the_user_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "mine")
    prepare_environment()

    assert os.environ[name] == "mine"


def test_results_go_to_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert workspace() == tmp_path.resolve()
    assert tracking_uri() == f"sqlite:///{tmp_path.resolve()}/mlruns/mlflow.db"


@pytest.mark.parametrize("given", ["elsewhere", "{tmp}/elsewhere"], ids=["relative", "absolute"])
def test_the_named_workspace_wins_and_is_absolute(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRLM_WORKSPACE", given.format(tmp=tmp_path))

    assert workspace() == (tmp_path / "elsewhere").resolve()
    assert tracking_uri() == f"sqlite:///{(tmp_path / 'elsewhere').resolve()}/mlruns/mlflow.db"


def test_the_named_tracking_store_wins_over_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.hospital:5000")

    assert tracking_uri() == "http://mlflow.hospital:5000"


def test_empty_settings_count_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRLM_WORKSPACE", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")

    assert workspace() == tmp_path.resolve()
    assert tracking_uri().startswith("sqlite:///")
