"""The command line: quick help, and one message with exit status 2 for what a user can mend."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from cohort.contract import CONTRACTS
from flows import cli
from flows.service import Service

from .crlm_cases import crlm, refused

SHIPPED = CONTRACTS / "reconstructed.csv"


@pytest.fixture(autouse=True)
def _environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "prepare_environment", lambda: None)


# ---- help


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ((), ("benchmark", "cohort", "serve")),
        (("cohort",), ("check", "describe", "reconstruct")),
        (("benchmark",), ("--preset", "--cohort", "--data", "--config", "--model", "--seed", "--workers", "--fresh")),
        (("serve",), ("--host", "--prefect-port", "--mlflow-port")),
    ],
    ids=lambda x: " ".join(x) or "crlm",
)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_what_there_is(command: tuple[str, ...], names: tuple[str, ...], flag: str) -> None:
    result = crlm(*command, flag)

    assert result.exit_code == 0
    assert all(name in result.output for name in names)


def test_help_answers_at_once_and_imports_no_heavy_library() -> None:
    heavy = ("prefect", "mlflow", "pandas", "sklearn", "xgboost", "sksurv", "pydantic")
    code = f"""
import sys
from flows.cli import main
try:
    main(["--help"])
except SystemExit:
    print([m for m in {heavy} if m in sys.modules])
"""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert time.monotonic() - started < 1.5


def test_the_installed_command_is_this_one() -> None:
    done = subprocess.run([Path(sys.executable).with_name("crlm"), "--version"], capture_output=True, text=True, check=True)

    assert "version" in done.stdout


def test_environment_is_prepared_before_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr(cli, "prepare_environment", lambda: called.append(True))
    crlm("cohort", "check", "--cohort", "nonsense")

    assert called == [True]


# ---- cohort


def test_check_of_a_good_file_says_so() -> None:
    result = crlm("cohort", "check")

    assert result.exit_code == 0
    assert "268 patients" in result.output
    assert "no rule broken. Digest " in result.output


def test_check_lists_every_broken_rule_and_the_patients_but_no_value(tmp_path: Path) -> None:
    table = pd.read_csv(SHIPPED, dtype=str, keep_default_na=False)
    table.loc[3, "sex"] = "secret"
    table.loc[[5, 6], "age"] = "classified"
    table.to_csv(tmp_path / "broken.csv", index=False)
    message = refused("cohort", "check", "--data", tmp_path / "broken.csv")

    assert message.startswith("crlm: broken.csv breaks 2 rules of its contract:")
    assert "sex: " in message
    assert "age: " in message
    for patient in table.loc[[3, 5, 6], "patient_id"]:
        assert patient in message
    assert "secret" not in message
    assert "classified" not in message


@pytest.mark.parametrize("command", ["check", "describe"])
def test_cohort_that_is_not_there_is_refused(command: str, tmp_path: Path) -> None:
    assert "reconstructed" in refused("cohort", command, "--cohort", "nonsense"), "the known contracts are named"
    assert "no file" in refused("cohort", command, "--data", tmp_path / "nowhere.csv")


def test_describe_prints_the_cohort() -> None:
    result = crlm("cohort", "describe")

    assert result.exit_code == 0
    assert "All patients: 268 patients" in result.output


# ---- serve


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that something listens on; should serve not refuse, it starts nothing."""
    monkeypatch.setattr(Service, "_start", lambda _: pytest.fail("nothing may be started"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "hospital.example", ""])  # noqa: S104 (must be refused)
def test_serve_refuses_a_host_that_others_can_reach(host: str, busy: int) -> None:
    assert "loopback only" in refused("serve", "--host", host)


def test_serve_refuses_a_busy_port_by_its_option(busy: int) -> None:
    prefect = refused("serve", "--prefect-port", str(busy), "--mlflow-port", str(_free()))
    mlflow = refused("serve", "--prefect-port", str(_free()), "--mlflow-port", str(busy))

    assert f"port {busy} cannot be used" in prefect
    assert "--prefect-port" in prefect
    assert "--mlflow-port" in mlflow


def test_serve_refuses_one_port_for_two(busy: int) -> None:
    assert "are the same" in refused("serve", "--prefect-port", "4711", "--mlflow-port", "4711")


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_serve_refuses_what_is_no_port(port: str, busy: int) -> None:
    assert "--prefect-port" in refused("serve", "--prefect-port", port)
