"""Finished fits on disk: whole or absent, found again by all that bears on them, dropped when damaged."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS
from evaluation.predictions import COLUMNS
from features.feature_set import Predictors
from flows import cell_store
from flows.cell_store import CellStore, FitSummary, code_digest, library_versions
from flows.config import BenchmarkConfig
from flows.folders import whole_folder
from flows.plan import Fit
from flows.work import fit_key
from models.procedure import FittedProcedure, Procedure
from models.registry import MODELS

SUMMARY = FitSummary("overall/dfs/none/null_model", 0.25, {"depth": 3, "rate": 0.1}, ("a note",), (), 0)
FIT = Fit("overall", "dfs", "none", "null_model")
FILES = ("predictions.parquet", "model.joblib", "fit.json")


def _predictions(risk: float = 0.25) -> pd.DataFrame:
    row = ("overall", "dfs", "none", "null_model", 0, 1, "P1", 6.0, risk, 3.5, True)
    return pd.DataFrame([row], columns=list(COLUMNS)).astype(COLUMNS)


@pytest.fixture(scope="module")
def model() -> FittedProcedure:
    outcome = simulate_cohort(40).cohort.outcome("dfs")
    nothing = Predictors("none", pd.DataFrame(index=range(40)), frozenset())
    return Procedure(MODELS["null_model"], ENDPOINTS["dfs"], (6.0, 12.0)).fit(nothing, outcome, seed=0)


@pytest.fixture
def store(tmp_path: Path, model: FittedProcedure) -> CellStore:
    """A store with one entry, ``key``."""
    store = CellStore(tmp_path / "fits")
    store.write("key", _predictions(), model, SUMMARY)
    return store


def test_what_was_written_is_read_back(store: CellStore, model: FittedProcedure) -> None:
    patients = pd.DataFrame(index=range(3))

    assert store.holds("key")
    pd.testing.assert_frame_equal(store.predictions("key"), _predictions())
    assert store.summary("key") == SUMMARY
    np.testing.assert_array_equal(store.model("key").risk_at(patients, 12.0), model.risk_at(patients, 12.0))


def test_fit_without_a_final_model_is_whole(store: CellStore) -> None:
    store.write("other", _predictions(), None, replace(SUMMARY, failures=("fit on all patients: ValueError: no",)))

    assert store.holds("other")
    assert store.model("other") is None
    assert store.summary("other").failures == ("fit on all patients: ValueError: no",)


def test_what_was_never_written_is_not_held(tmp_path: Path) -> None:
    assert not CellStore(tmp_path / "nowhere").holds("key")


# ---- the key


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("n_folds", 4),
        ("n_repeats", 3),
        ("n_trials", 1),
        ("n_inner_folds", 4),
        ("seed", 1),
        ("missing", "multiple"),
        ("n_imputations", 5),
        ("recalibration", "platt"),
        ("explain", False),
        ("n_permutations", 9),
    ],
)
def test_key_changes_with_every_setting_of_the_fit(change: str, value: int) -> None:
    store, config = CellStore(Path()), BenchmarkConfig(explain_models=None)

    assert fit_key(store, FIT, config.model_copy(update={change: value}), "d") != fit_key(store, FIT, config, "d")


@pytest.mark.parametrize("change", ["population", "trained_on", "feature_set", "model"])
def test_key_changes_with_every_part_of_the_fit(change: str) -> None:
    store, config = CellStore(Path()), BenchmarkConfig()

    assert fit_key(store, replace(FIT, **{change: "other"}), config, "d") != fit_key(store, FIT, config, "d")


def test_key_changes_with_the_patients() -> None:
    store, config = CellStore(Path()), BenchmarkConfig()

    assert fit_key(store, FIT, config, "one") != fit_key(store, FIT, config, "another")


def test_shuffles_bear_on_no_fit_that_is_not_explained() -> None:
    store, config = CellStore(Path()), BenchmarkConfig(explain=False)

    assert fit_key(store, FIT, config.model_copy(update={"n_permutations": 9}), "d") == fit_key(store, FIT, config, "d")


def test_key_does_not_change_with_what_bears_on_no_fit() -> None:
    store = CellStore(Path())
    other = BenchmarkConfig(n_bootstraps=1000, workers=3, fresh=True, models=("null_model",), endpoints=("dfs",))

    assert fit_key(store, FIT, other, "d") == fit_key(store, FIT, BenchmarkConfig(), "d")


@pytest.mark.parametrize(
    ("what", "value"),
    [("code_digest", "other code"), ("library_versions", {**library_versions(), "xgboost": "0"})],
)
def test_key_changes_with_code_and_libraries(what: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CellStore(Path())
    before = store.key({"model": "m"})
    monkeypatch.setattr(cell_store, what, lambda *patterns: value)

    assert store.key({"model": "m"}) != before


@pytest.mark.parametrize(
    ("file", "fits", "results"),
    [
        ("models/cox.py", True, True),
        ("evaluation/resampling.py", True, True),
        ("evaluation/metrics/auc.py", False, True),
        ("evaluation/templates/report.html.j2", False, True),
        ("cohort/reconstruct/published.py", False, True),
        ("flows/reproduce.py", False, True),
        ("flows/cli.py", False, False),
    ],
)
def test_code_digests_cover_what_fits_and_what_gives_results(
    file: str, fits: bool, results: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("a = 1\n", encoding="utf-8")
    monkeypatch.setattr(cell_store, "_ROOT", tmp_path)
    digest = code_digest.__wrapped__
    before = digest(cell_store._CODE_THAT_FITS), digest()
    path.write_text("a = 2\n", encoding="utf-8")

    assert (digest(cell_store._CODE_THAT_FITS) != before[0]) == fits
    assert (digest() != before[1]) == results


# ---- damage


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGE = [(f, d) for f in FILES for d in (_truncate, _empty, Path.unlink)] + [(f, _flip_a_bit) for f in FILES[:2]]


@pytest.mark.parametrize(("file", "damage"), DAMAGE, ids=lambda x: x if isinstance(x, str) else x.__name__.strip("_"))
def test_damaged_entry_is_dropped_and_can_be_written_anew(
    file: str, damage: Callable[[Path], None], store: CellStore, model: FittedProcedure
) -> None:
    damage(store.folder / "key" / file)

    assert not store.holds("key")
    assert not (store.folder / "key").exists()
    store.write("key", _predictions(), model, SUMMARY)
    assert store.holds("key")


def test_half_written_entry_is_never_seen_and_sweep_removes_it_when_it_is_old(store: CellStore) -> None:
    killed = whole_folder(store.folder / "new")
    staging = killed.__enter__()
    (staging / "predictions.parquet").write_bytes(b"half")  # and the writer never gets further

    assert not store.holds("new")
    store.sweep()
    assert staging.exists(), "it may be a living writer's"
    long_ago = time.time() - 7 * 3600
    os.utime(staging, (long_ago, long_ago))
    store.sweep()
    assert [p.name for p in store.folder.iterdir()] == ["key"]
    assert store.holds("key")


def test_sweep_of_a_store_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    CellStore(tmp_path / "nowhere").sweep()

    assert list(tmp_path.iterdir()) == []


def test_every_flipped_bit_of_the_summary_is_noticed(store: CellStore, tmp_path: Path) -> None:
    path, whole, expected = store.folder / "key" / "fit.json", tmp_path / "whole", store.summary("key")
    shutil.copytree(store.folder / "key", whole)
    for position in range(len((whole / "fit.json").read_bytes())):
        damaged = bytearray((whole / "fit.json").read_bytes())
        damaged[position] ^= 1
        shutil.copytree(whole, store.folder / "key", dirs_exist_ok=True)
        path.write_bytes(damaged)
        assert not store.holds("key") or store.summary("key") == expected, position


def test_error_while_writing_leaves_nothing(store: CellStore) -> None:
    with pytest.raises(TypeError):
        store.write("new", _predictions(), threading.Lock(), SUMMARY)

    assert [p.name for p in store.folder.iterdir()] == ["key"]


def test_writers_of_one_key_leave_one_whole_entry(store: CellStore, model: FittedProcedure) -> None:
    risks = [0.1, 0.2, 0.3, 0.4]
    together = threading.Barrier(len(risks))

    def write(risk: float) -> None:
        together.wait()
        store.write("contested", _predictions(risk), model, replace(SUMMARY, seconds=risk))

    writers = [threading.Thread(target=write, args=(risk,)) for risk in risks]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert store.holds("contested")
    assert store.predictions("contested")["risk"].item() == store.summary("contested").seconds
    assert sorted(p.name for p in store.folder.iterdir()) == ["contested", "key"]


def test_dropped_fits_are_gone_and_others_stay(store: CellStore, model: FittedProcedure) -> None:
    store.write("other", _predictions(), model, SUMMARY)
    store.drop(["key", "never there"])

    assert not store.holds("key")
    assert store.holds("other")
