"""Progress counts cost, never passes 100 %, and tells a time left that finished work does not bend."""

from __future__ import annotations

import io
import re
import sys
import threading
from types import SimpleNamespace

import pytest

from flows import progress
from flows.progress import BenchmarkProgress


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_without_a_terminal_a_line_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with BenchmarkProgress(100, 0, "Benchmark") as bar:
        for _ in range(9):
            clock.now += 10
            bar.advance(10, "a cell")
    lines = _lines(capsys)

    assert lines[0] == "Benchmark:  20%  1:20 left  (last: a cell)"
    assert len(lines) == 4, "every second step of ten seconds is more than fifteen after the last line"


def test_the_end_is_always_told(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with BenchmarkProgress(2, 0, "Benchmark") as bar:
        clock.now += 1
        bar.advance(1, "first")
        bar.advance(1, "last")

    assert _lines(capsys) == ["Benchmark: 100%  0:00 left  (last: last)"]


def test_nothing_is_told_before_anything_is_done(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with BenchmarkProgress(2, 0, "Benchmark"):
        clock.now += 100

    assert _lines(capsys) == []


@pytest.mark.parametrize(("total", "already", "steps"), [(10, 0, 30), (10, 12, 3), (10, 10, 1), (1e-3, 0, 5)])
def test_never_above_100_percent(
    total: float, already: float, steps: int, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with BenchmarkProgress(total, already, "Benchmark") as bar:
        for _ in range(steps):
            clock.now += 20
            bar.advance(1, "cell")
    shares = [int(p) for p in re.findall(r"(\d+)%", "\n".join(_lines(capsys)))]

    assert shares[-1] == 100
    assert max(shares) == 100


def test_work_done_earlier_does_not_bend_the_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with BenchmarkProgress(100, 90, "Benchmark") as bar:
        clock.now += 20
        bar.advance(5, "cell")

    assert _lines(capsys) == ["Benchmark:  95%  0:20 left  (last: cell)"]


def test_no_time_left_is_guessed_where_nothing_was_gained(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with BenchmarkProgress(100, 50, "Benchmark") as bar:
        clock.now += 20
        bar.advance(0, "cell")

    assert _lines(capsys) == ["Benchmark:  50%    (last: cell)"]


@pytest.mark.parametrize("cost", [1e-12, 0.5, 1e9])
def test_time_left_is_a_finite_number(cost: float, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with BenchmarkProgress(0, 0, "nothing"), BenchmarkProgress(1, 0, "Benchmark") as bar:
        clock.now += 16
        bar.advance(cost, "cell")

    assert re.search(r"  \d+:\d\d left  ", _lines(capsys)[0])


def test_advances_from_many_threads_all_count(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = BenchmarkProgress(8001, 0, "Benchmark")
    threads = [threading.Thread(target=lambda: [bar.advance(1, "cell") for _ in range(1000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _lines(capsys) == []
    clock.now += 1
    bar.advance(1, "last")

    assert _lines(capsys) == ["Benchmark: 100%  0:00 left  (last: last)"]


def test_in_a_terminal_a_bar_is_drawn_with_share_and_time_left(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with BenchmarkProgress(4, 1, "Benchmark") as bar:
        clock.now += 30
        bar.advance(1, "cell")
    text = terminal.getvalue()

    assert "Benchmark" in text
    assert "50%" in text
    assert "1:00 left" in text
