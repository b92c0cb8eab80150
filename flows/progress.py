"""Progress with the time left: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

_LINE_EVERY_SECONDS = 15.0


class BenchmarkProgress:
    """Counts work in units of its expected cost, so that the time left is believable though a forest takes longer than a Cox.

    Thread-safe. ``already_done`` is work found finished from an earlier, interrupted run: it does not bend the estimate.
    """

    def __init__(self, total_cost: float, already_done: float, description: str) -> None:
        self._total, self._done, self._skipped = max(total_cost, 1e-9), already_done, already_done
        self._description = description
        self._lock = threading.Lock()
        self._started = self._last_line = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), refresh_per_second=4)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self._description, total=self._total, left="")
            self._bar.update(self._task, completed=self._done)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, cost: float, name: str) -> None:
        with self._lock:
            self._done = min(self._done + cost, self._total)
            left = self._left()
            if self._bar:
                self._bar.update(self._task, completed=self._done, left=left)
            elif time.monotonic() - self._last_line > _LINE_EVERY_SECONDS or self._done >= self._total:
                self._last_line = time.monotonic()
                line = f"{self._description}: {self._done / self._total:4.0%}  {left}  (last: {name})\n"
                sys.stderr.write(line)
                sys.stderr.flush()

    def _left(self) -> str:
        gained = self._done - self._skipped
        if gained <= 0:
            return ""
        seconds = (time.monotonic() - self._started) / gained * (self._total - self._done)
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02d} left"
