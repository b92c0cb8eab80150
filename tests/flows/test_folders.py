"""Folders and files appear whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from flows.folders import whole_folder, write_atomically


def _contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*")) if p.is_file()}


def test_folder_appears_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "entry"
    with whole_folder(target) as staging:
        (staging / "a.txt").write_text("whole", encoding="utf-8")
        assert not target.exists()

    assert _contents(tmp_path) == {"deep/entry/a.txt": "whole"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_error_in_the_block_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with whole_folder(tmp_path / "entry") as staging:
            (staging / "a.txt").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "entry"
    with whole_folder(target) as slower:
        (slower / "a.txt").write_text("second", encoding="utf-8")
        with whole_folder(target) as faster:
            (faster / "a.txt").write_text("first", encoding="utf-8")

    assert _contents(tmp_path) == {"entry/a.txt": "first"}


def test_file_in_the_folders_place_is_an_error_and_stays(tmp_path: Path) -> None:
    target = tmp_path / "entry"
    target.write_text("a file", encoding="utf-8")
    with pytest.raises(OSError, match="entry"), whole_folder(target):
        pass

    assert _contents(tmp_path) == {"entry": "a file"}


@pytest.mark.parametrize(("content", "expected"), [("μ", "μ".encode()), (b"\x00\xff", b"\x00\xff")], ids=["text", "bytes"])
def test_file_is_written_and_nothing_beside_it(tmp_path: Path, content: str | bytes, expected: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old", encoding="utf-8")
    write_atomically(path, content)

    assert path.read_bytes() == expected
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_file_that_cannot_be_moved_into_place_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"


def test_reader_never_sees_part_of_a_file(tmp_path: Path) -> None:
    path, texts = tmp_path / "state.json", ("a" * 2_000_000, "b" * 1_000_000)
    write_atomically(path, texts[0])
    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(30):
        write_atomically(path, texts[number % 2])
    done.set()
    reader.join()

    assert len(seen) > 1
    assert set(seen) <= set(texts)


def test_file_that_cannot_be_moved_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(OSError, match="target"):
        write_atomically(tmp_path / "target", "x")

    assert [p.name for p in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o640)])
def test_private_file_is_its_owners_only_and_any_other_follows_the_umask(tmp_path: Path, private: bool, mode: int) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "target", "x", private=private)
    finally:
        os.umask(before)

    assert (tmp_path / "target").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(("private", "mode"), [(True, 0o700), (False, 0o750)])
def test_private_folder_is_its_owners_only_and_any_other_follows_the_umask(tmp_path: Path, private: bool, mode: int) -> None:
    before = os.umask(0o027)
    try:
        with whole_folder(tmp_path / "target", private=private):
            pass
    finally:
        os.umask(before)

    assert (tmp_path / "target").stat().st_mode & 0o777 == mode
