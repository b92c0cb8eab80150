"""Folders and files that appear whole or not at all, whatever kills the writer."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(target: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a staging folder that becomes ``target`` in one step when the block ends well.

    A ``private`` folder, for row-level data, is its owner's only. Where ``target`` is there already (a second writer was
    faster) it stays and the staging folder is dropped.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield staging
        if not private:
            staging.chmod(0o777 & ~_umask())
        try:
            os.rename(staging, target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_atomically(path: Path, content: str | bytes, *, private: bool = False) -> None:
    """Write beside, then move into place: a reader sees the old file or the new one. ``private``: its owner's only."""
    staging = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        if private:
            staging.touch(mode=0o600)
        staging.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        os.replace(staging, path)
    finally:
        staging.unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
