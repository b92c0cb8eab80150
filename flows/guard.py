"""A process that outlives this one just long enough to end what it leaves behind.

Prefect's temporary server runs as a child; when its parent is killed with SIGKILL nobody ends it. The guard holds the
other end of a pipe from this process: when the pipe closes, this process is gone, and the guard ends its descendants.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys

import psutil

_LOOK_EVERY_SECONDS = 0.5


def start_guard() -> subprocess.Popen[bytes]:
    """Start the guard of this process. It ends by itself when this process does."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows.guard", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what kills the guarded process's group must not reach the guard
    )


def _watch(guarded: int) -> None:
    """Remember the descendants while the pipe is open, end them when it closes."""
    descendants: set[psutil.Process] = set()
    while not select.select([sys.stdin], [], [], _LOOK_EVERY_SECONDS)[0]:
        try:
            descendants |= set(psutil.Process(guarded).children(recursive=True))
        except psutil.NoSuchProcess:
            break
    descendants.discard(psutil.Process())
    left = [process for process in descendants if process.is_running()]  # true for the same process only, not for its number
    for process in left:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        process.kill()


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
