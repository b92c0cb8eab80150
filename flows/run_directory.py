"""``runs/<flow>/<run name>/``: where a run's files go, found again after a kill, and ``latest`` once it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from flows.folders import write_atomically

_STATE, _LOCK = "run.json", ".lock"


@dataclass(eq=False)
class RunDirectory:
    """One run's folder. Holds its lock while open, so that no second process continues the same run.

    ``state`` is kept in ``run.json``: status (``running``, ``completed``, ``failed``), fingerprint, and what the flow adds.
    """

    path: Path
    state: dict[str, Any]
    resumed: bool
    _lock: FileLock = field(repr=False)

    @classmethod
    def open(cls, folder: Path, fingerprint: str, label: str) -> RunDirectory:
        """Continue the newest unfinished run with this fingerprint that nobody holds, or begin one."""
        folder.mkdir(parents=True, exist_ok=True)
        for state_file in sorted(folder.glob(f"*/{_STATE}"), reverse=True):
            state = _read(state_file)
            if state.get("fingerprint") != fingerprint or state.get("status") == "completed":
                continue
            lock = FileLock(state_file.parent / _LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            state = _read(state_file)  # again, now that nobody else can change it
            if state.get("status") == "completed":
                lock.release()
                continue
            run = cls(state_file.parent, dict(state), resumed=True, _lock=lock)
            run.update(status="running")
            return run
        return cls._begin(folder, fingerprint, label)

    @classmethod
    def _begin(cls, folder: Path, fingerprint: str, label: str) -> RunDirectory:
        started = datetime.now(UTC)
        stem = f"{started:%Y-%m-%dT%H-%M-%S}-{label}"
        for suffix in ("", *(f"-{i}" for i in range(2, 100))):
            path = folder / f"{stem}{suffix}"
            try:
                path.mkdir()
            except FileExistsError:
                continue
            lock = FileLock(path / _LOCK)
            lock.acquire(timeout=0)
            run = cls(path, {}, resumed=False, _lock=lock)
            run.update(status="running", fingerprint=fingerprint, started=started.isoformat(timespec="seconds"))
            return run
        raise FileExistsError(f"{folder} already holds 99 runs begun at {stem}")

    @property
    def name(self) -> str:
        return self.path.name

    def update(self, **changes: Any) -> None:
        """Change the state, on disk in one step."""
        self.state |= changes
        write_atomically(self.path / _STATE, json.dumps(self.state, indent=1, default=str))

    def complete(self, **changes: Any) -> None:
        """Mark the run completed and point ``latest`` to it."""
        self.update(status="completed", finished=datetime.now(UTC).isoformat(timespec="seconds"), **changes)
        link = self.path.parent / "latest"
        staging = self.path.parent / f".latest-{os.getpid()}"
        staging.unlink(missing_ok=True)
        staging.symlink_to(self.path.name, target_is_directory=True)
        os.replace(staging, link)

    def close(self) -> None:
        self._lock.release()


def _read(state_file: Path) -> Mapping[str, Any]:
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
