"""Finished fits on disk, by the digest of all that bears on them. What makes a killed run resume where it was.

An entry appears whole or not at all; its files' digests are checked before it is read, and a damaged entry is dropped and
fitted again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from flows.folders import whole_folder
from models.procedure import FittedProcedure

_ROOT = Path(__file__).parent.parent
#: A change in these may change a fit; one in flows/, or in how results are shown, cannot.
_CODE_THAT_FITS = ("cohort/*.py", "features/*.py", "models/**/*.py", "evaluation/cross_validation.py", "evaluation/resampling.py")
_LIBRARIES_THAT_FIT = ("numpy", "optuna", "pandas", "scikit-learn", "scikit-survival", "statsmodels", "xgboost")
_PREDICTIONS, _MODEL, _SUMMARY = "predictions.parquet", "model.joblib", "fit.json"


@dataclass(frozen=True)
class FitSummary:
    """What a fit says of itself. ``failures`` are folds that raised; ``params`` are of the fit on all patients."""

    name: str
    seconds: float
    params: Mapping[str, Any]
    notes: tuple[str, ...]
    failures: tuple[str, ...]
    n_predictors: int


@dataclass(frozen=True)
class CellStore:
    """A folder of finished fits."""

    folder: Path

    def key(self, parts: Mapping[str, Any]) -> str:
        """Digest of a fit's inputs, of the code that fits and of the libraries below it."""
        text = json.dumps({**parts, "code": code_digest(), "libraries": library_versions()}, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def holds(self, key: str) -> bool:
        """Whether a whole entry is there; a damaged one is removed."""
        entry = self.folder / key
        if not entry.exists():
            return False
        if _is_whole(entry):
            return True
        shutil.rmtree(entry, ignore_errors=True)
        return False

    def write(self, key: str, predictions: pd.DataFrame, model: FittedProcedure | None, summary: FitSummary) -> None:
        """Store a fit. A second writer of the same key finds it there and leaves it."""
        with whole_folder(self.folder / key) as staging:
            predictions.to_parquet(staging / _PREDICTIONS, index=False)
            if model is not None:
                joblib.dump(model, staging / _MODEL, compress=3)
            digests = {p.name: _digest(p) for p in sorted(staging.iterdir())}
            content = {**summary.__dict__, "digests": digests}
            (staging / _SUMMARY).write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")

    def predictions(self, key: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / key / _PREDICTIONS)

    def summary(self, key: str) -> FitSummary:
        content = json.loads((self.folder / key / _SUMMARY).read_text(encoding="utf-8"))
        content.pop("digests")
        return FitSummary(**{**content, "notes": tuple(content["notes"]), "failures": tuple(content["failures"])})

    def model(self, key: str) -> FittedProcedure | None:
        path = self.folder / key / _MODEL
        return joblib.load(path) if path.exists() else None

    def drop(self, keys: Iterable[str]) -> None:
        """Forget fits, so that they are fitted anew."""
        for key in keys:
            shutil.rmtree(self.folder / key, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed writers left half-written."""
        for leftover in self.folder.glob(".*-*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)


def _is_whole(entry: Path) -> bool:
    try:
        digests = json.loads((entry / _SUMMARY).read_text(encoding="utf-8"))["digests"]
        return all(_digest(entry / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, KeyError):
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def code_digest() -> str:
    """Digest of the source that fits: the code version in the store's keys and in MLflow's tags."""
    digest = hashlib.sha256()
    for path in sorted({p for pattern in _CODE_THAT_FITS for p in _ROOT.glob(pattern)}):
        digest.update(path.relative_to(_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def library_versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _LIBRARIES_THAT_FIT}
