"""``crlm serve``: Prefect's server and worker and MLflow's UI on this machine, started and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
import psutil

from cohort.errors import CohortError
from flows.environment import tracking_uri, workspace

#: The folder of prefect.yaml, from which deployments are made.
PROJECT = Path(__file__).parent.parent
WORK_POOL = "crlm"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_START_SECONDS = 120
_STOP_SECONDS = 20
_SCRIPTS = Path(sys.executable).parent


class ServiceError(CohortError):
    """The service cannot start, or one of its parts ended; the message says which and why."""


@dataclass
class _Part:
    """One process of the service and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Service:
    """Starts the parts in order, waits until each answers, and stops them in reverse on Ctrl-C or SIGTERM.

    Prefect keeps its database in ``.prefect`` of the workspace unless ``PREFECT_HOME`` is set, MLflow in ``mlruns`` unless
    ``MLFLOW_TRACKING_URI`` is.
    """

    def __init__(self, host: str, prefect_port: int, mlflow_port: int) -> None:
        if host not in _LOOPBACK:
            raise ServiceError(
                f"--host {host}: the UIs have no password, so they are served on loopback only ({', '.join(_LOOPBACK)})"
            )
        self._host, self._prefect_port, self._mlflow_port = host, prefect_port, mlflow_port
        self._root = workspace()
        self._logs = self._root / "runs" / "service"
        url_host = f"[{host}]" if ":" in host else host
        self.prefect_url = f"http://{url_host}:{prefect_port}"
        self._own_mlflow = not tracking_uri().startswith(("http://", "https://"))
        self.mlflow_url = f"http://{url_host}:{mlflow_port}" if self._own_mlflow else tracking_uri()
        self._environment = {
            **os.environ,
            "CRLM_WORKSPACE": str(self._root),
            "MLFLOW_TRACKING_URI": tracking_uri(),
            "PREFECT_API_URL": f"{self.prefect_url}/api",
            "PREFECT_HOME": os.environ.get("PREFECT_HOME") or str(self._root / ".prefect"),
            "PREFECT_UI_API_URL": f"{self.prefect_url}/api",
            "NO_COLOR": "1",
        }
        self._parts: list[_Part] = []
        self._stop = threading.Event()

    def run(self) -> int:
        """Serve until stopped; returns the exit status."""
        self._refuse_busy_ports()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        try:
            self._start()
            if not self._stop.is_set():
                self._announce()
            while not self._stop.wait(0.5):
                self._refuse_dead_parts()
        finally:
            self._stop_all()
        return 0

    def _start(self) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        (self._root / "mlruns").mkdir(exist_ok=True)
        host = ["--host", self._host]
        self._launch("prefect-server", "prefect", ["server", "start", *host, "--port", str(self._prefect_port)])
        if self._own_mlflow:
            store = [
                "--backend-store-uri",
                tracking_uri(),
                "--default-artifact-root",
                (self._root / "mlruns" / "artifacts").as_uri(),
            ]
            self._launch("mlflow", "mlflow", ["server", *store, *host, "--port", str(self._mlflow_port), "--workers", "1"])
        self._wait_for(f"{self.prefect_url}/api/health", "prefect-server")
        self._call("work-pool", "prefect", ["work-pool", "create", WORK_POOL, "--type", "process", "--overwrite"])
        self._call("deploy", "prefect", ["--no-prompt", "deploy", "--all"])
        self._launch(
            "prefect-worker", "prefect", ["worker", "start", "--pool", WORK_POOL, "--name", f"crlm-{socket.gethostname()}"]
        )
        if self._own_mlflow:
            self._wait_for(f"{self.mlflow_url}/health", "mlflow")

    def _announce(self) -> None:
        click.echo(
            f"Prefect UI  {self.prefect_url}\n"
            f"MLflow UI   {self.mlflow_url}\n"
            f"Logs        {self._logs}\n\n"
            "In another terminal:\n"
            f"  export PREFECT_API_URL={self.prefect_url}/api\n"
            """  prefect deployment run benchmark/benchmark --param 'config={"preset": "smoke"}' --watch\n\n"""
            "Ctrl-C stops everything."
        )

    def _command(self, script: str, arguments: Sequence[str]) -> list[str]:
        return [str(_SCRIPTS / script), *arguments]

    def _launch(self, name: str, script: str, arguments: Sequence[str]) -> None:
        click.echo(f"Starting {name} …")
        log = self._logs / f"{name}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                self._command(script, arguments),
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process only, which then stops the parts in order
            )
        self._parts.append(_Part(name, process, log))

    def _call(self, name: str, script: str, arguments: Sequence[str]) -> None:
        """A command that ends by itself."""
        if self._stop.is_set():
            return
        done = subprocess.run(
            self._command(script, arguments), cwd=PROJECT, env=self._environment, capture_output=True, text=True, check=False
        )
        (self._logs / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            raise ServiceError(f"{name} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")

    def _wait_for(self, url: str, name: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._stop.is_set():
            self._refuse_dead_parts()
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (loopback)
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > deadline:
                raise ServiceError(f"{name} did not answer at {url} within {_START_SECONDS} s; see {self._logs / name}.log")
            self._stop.wait(0.3)

    def _refuse_busy_ports(self) -> None:
        ports = {"--prefect-port": self._prefect_port}
        if self._own_mlflow:
            ports["--mlflow-port"] = self._mlflow_port
        if len(set(ports.values())) < len(ports):
            raise ServiceError("--prefect-port and --mlflow-port are the same: choose two")
        for option, port in ports.items():
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self._host, port))
                except OSError as error:
                    raise ServiceError(f"port {port} cannot be used ({error.strerror}): choose another with {option}") from None

    def _refuse_dead_parts(self) -> None:
        for part in self._parts:
            if part.process.poll() is not None and not self._stop.is_set():
                raise ServiceError(f"{part.name} ended with status {part.process.returncode}:\n{part.tail()}")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _stop_all(self) -> None:
        """Worker first, so that it can hand back its flow runs to a server that still answers."""
        self._stop.set()
        for part in reversed(self._parts):
            click.echo(f"Stopping {part.name} …")
            _stop_tree(part.process)


def _stop_tree(process: subprocess.Popen[bytes]) -> None:
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=_STOP_SECONDS)
    for survivor in alive:
        survivor.kill()
    psutil.wait_procs(alive, timeout=5)
    process.wait()
