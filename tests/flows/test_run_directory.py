"""A run's folder: begun, continued after a kill, held by one process, ``latest`` once complete."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest

from flows import run_directory
from flows.run_directory import RunDirectory

HOLD = """
import sys, time
from pathlib import Path
from flows.run_directory import RunDirectory
run = RunDirectory.open(Path(sys.argv[1]), "same", "label")
run.update(mlflow_run_id="abc")
print(run.name, flush=True)
time.sleep(60)
"""


def _open(folder: Path, fingerprint: str = "same") -> RunDirectory:
    return RunDirectory.open(folder, fingerprint, "label")


def _interrupted(folder: Path, fingerprint: str = "same") -> str:
    """A run that was begun and never completed; its name."""
    with closing(_open(folder, fingerprint)) as run:
        return run.name


@contextmanager
def _another_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that holds a run, and the run's name."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def _stop_the_clock(monkeypatch: pytest.MonkeyPatch, second: int = 5) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2030, 1, 2, 3, 4, second, tzinfo=tz)

    monkeypatch.setattr(run_directory, "datetime", Stopped)


def test_new_run_has_a_folder_named_by_time_and_label_and_says_that_it_runs(tmp_path: Path) -> None:
    with closing(_open(tmp_path / "runs")) as run:
        state = json.loads((run.path / "run.json").read_text(encoding="utf-8"))

    assert run.path.parent == tmp_path / "runs"
    assert not run.resumed
    assert run.name.endswith("-label")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(state["started"])).total_seconds()) < 60
    assert (state["status"], state["fingerprint"]) == ("running", "same")


def test_changes_of_state_are_on_disk_at_once(tmp_path: Path) -> None:
    with closing(_open(tmp_path)) as run:
        run.update(mlflow_run_id="abc")

        assert json.loads((run.path / "run.json").read_text(encoding="utf-8")) == run.state
        assert run.state["mlflow_run_id"] == "abc"


def test_run_held_by_another_process_is_left_alone_and_continued_once_that_is_killed(tmp_path: Path) -> None:
    with _another_process(tmp_path) as (process, held):
        with closing(_open(tmp_path)) as meanwhile:
            assert not meanwhile.resumed
            assert meanwhile.name != held
            meanwhile.complete()
        process.send_signal(signal.SIGKILL)
        process.wait()

    with closing(_open(tmp_path)) as again:
        assert again.resumed
        assert again.name == held
        assert again.state["mlflow_run_id"] == "abc"
        assert again.state["status"] == "running"


def test_failed_run_is_continued(tmp_path: Path) -> None:
    with closing(_open(tmp_path)) as run:
        run.update(status="failed")
    with closing(_open(tmp_path)) as again:
        assert (again.resumed, again.name, again.state["status"]) == (True, run.name, "running")


def test_the_newest_of_several_interrupted_runs_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[RunDirectory] = []
    for second in (5, 7, 6):
        _stop_the_clock(monkeypatch, second)
        runs.append(_open(tmp_path))  # each held until all have begun, so that none continues another
    for run in runs:
        run.close()

    with closing(_open(tmp_path)) as again:
        assert again.name == runs[1].name


def test_completed_run_is_not_continued(tmp_path: Path) -> None:
    with closing(_open(tmp_path)) as run:
        run.complete()
    with closing(_open(tmp_path)) as again:
        assert not again.resumed


def test_run_of_another_fingerprint_is_not_continued(tmp_path: Path) -> None:
    _interrupted(tmp_path, "other")

    with closing(_open(tmp_path)) as run:
        assert not run.resumed


def test_latest_is_the_run_completed_last_and_no_unfinished_one(tmp_path: Path) -> None:
    with closing(_open(tmp_path)) as first:
        assert not (tmp_path / "latest").exists()
        first.complete(cells=3)
    assert (tmp_path / "latest").resolve() == first.path
    assert first.state["status"] == "completed"
    assert first.state["cells"] == 3

    with closing(_open(tmp_path)) as second:
        assert (tmp_path / "latest").resolve() == first.path
        second.update(status="failed")
        assert (tmp_path / "latest").resolve() == first.path
        second.complete()
    assert (tmp_path / "latest").resolve() == second.path
    assert (tmp_path / "latest").readlink() == Path(second.name), "a moved workspace keeps its link"


@pytest.mark.parametrize("content", ["", "{", '{"fingerprint": "same"', "\udcff", "[]", "{}"])
def test_unreadable_state_is_passed_over(tmp_path: Path, content: str) -> None:
    broken = _interrupted(tmp_path)
    (tmp_path / broken / "run.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    with closing(_open(tmp_path)) as run:
        assert not run.resumed
        assert run.name != broken


def test_runs_begun_in_one_second_have_different_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stop_the_clock(monkeypatch)
    with closing(_open(tmp_path, "a")) as a, closing(_open(tmp_path, "b")) as b, closing(_open(tmp_path, "c")) as c:
        names = [a.name, b.name, c.name]

    stem = "2030-01-02T03-04-05-label"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]


def test_a_hundred_runs_in_one_second_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stop_the_clock(monkeypatch)
    for suffix in ("", *(f"-{i}" for i in range(2, 100))):
        (tmp_path / f"2030-01-02T03-04-05-label{suffix}").mkdir()

    with pytest.raises(FileExistsError, match="already holds 99 runs"):
        _open(tmp_path)


@pytest.mark.parametrize("content", ["null", "[1]", "3", '"x"'])
def test_state_that_is_no_mapping_is_passed_over(tmp_path: Path, content: str) -> None:
    run = _open(tmp_path)
    run.close()
    (run.path / "run.json").write_text(content, encoding="utf-8")

    with closing(_open(tmp_path)) as again:
        assert not again.resumed


def test_run_completed_while_its_lock_is_taken_is_not_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _open(tmp_path)

    class Slow(run_directory.FileLock):
        def acquire(self, *args: object, **kwargs: object) -> object:
            if first.state["status"] != "completed":  # by the other process, just now
                first.complete()
                first.close()
            return super().acquire(*args, **kwargs)

    monkeypatch.setattr(run_directory, "FileLock", Slow)
    with closing(_open(tmp_path)) as second:
        assert not second.resumed
