"""Finished fits on disk, by the digest of all that bears on them. What makes a killed run resume where it was.

An entry appears whole or not at all; its files' digests are checked before it is read, and a damaged entry is dropped and
fitted again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
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
_CODE_THAT_FITS = (
    "cohort/*.py", "features/*.py", "models/**/*.py", "evaluation/cross_validation.py", "evaluation/external_validation.py",
    "evaluation/internal_external.py", "evaluation/refits.py", "evaluation/resampling.py", "evaluation/split_table.py",
)  # fmt: skip
#: A change in these may change any number or picture of a run.
_CODE_OF_RESULTS = (
    "cohort/**/*.py", "features/*.py", "models/**/*.py", "evaluation/**/*.py", "evaluation/templates/*", "flows/reproduce.py",
    "flows/validat*.py",
)  # fmt: skip
#: A staging folder older than this was left by a writer that was killed.
_ABANDONED_SECONDS = 6 * 3600
#: A change in these may change what is kept of each fold's fit, where a run explains its models.
_EXPLAINS = ("observer", "importance", "attribution", "partial_dependence", "nomogram", "variants")
CODE_THAT_EXPLAINS = tuple(f"evaluation/explanation/{name}.py" for name in _EXPLAINS)
_LIBRARIES_THAT_FIT = ("numba", "numpy", "optuna", "pandas", "scikit-learn", "scikit-survival", "shap", "xgboost")
_PREDICTIONS, _MODEL, _SUMMARY = "predictions.parquet", "model.joblib", "fit.json"
_EXPLAINED = "explained_"


@dataclass(frozen=True)
class FitSummary:
    """What a fit says of itself. ``failures`` are folds that raised; ``params`` are of the fit on all patients.

    ``selected`` of a chunk of resamples: by the resample's number, the predictors that its model chose.
    """

    name: str
    seconds: float
    params: Mapping[str, Any]
    notes: tuple[str, ...]
    failures: tuple[str, ...]
    n_predictors: int
    selected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class CellStore:
    """A folder of finished fits."""

    folder: Path

    def key(self, parts: Mapping[str, Any]) -> str:
        """Digest of a fit's inputs, of the code that fits and of the libraries below it."""
        made_with = {"code": code_digest(_CODE_THAT_FITS), "libraries": library_versions()}
        text = json.dumps({**parts, **made_with}, sort_keys=True, default=str)
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

    def write(
        self,
        key: str,
        predictions: pd.DataFrame,
        model: FittedProcedure | None,
        summary: FitSummary,
        explained: Mapping[str, pd.DataFrame] | None = None,
    ) -> None:
        """Store a fit, and what explains it, by name. A second writer of the same key finds it there and leaves it."""
        with whole_folder(self.folder / key, private=True) as staging:
            predictions.to_parquet(staging / _PREDICTIONS, index=False)
            if model is not None:
                joblib.dump(model, staging / _MODEL, compress=3)
            for name, table in (explained or {}).items():
                table.to_parquet(staging / f"{_EXPLAINED}{name}.parquet", index=False)
            digests = {p.name: _digest_of(p.read_bytes()) for p in sorted(staging.iterdir())}
            content = json.dumps({**summary.__dict__, "digests": digests}, default=str)
            (staging / _SUMMARY).write_text(f"{content}\n{_digest_of(content.encode())}\n", encoding="utf-8")

    def predictions(self, key: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / key / _PREDICTIONS)

    def explained(self, key: str) -> dict[str, pd.DataFrame]:
        """By name what :meth:`evaluation.explanation.observer.FoldExplainer.tables` kept; empty where a run did not explain."""
        paths = sorted((self.folder / key).glob(f"{_EXPLAINED}*.parquet"))
        return {path.stem.removeprefix(_EXPLAINED): pd.read_parquet(path) for path in paths}

    def summary(self, key: str) -> FitSummary:
        content = _read_summary(self.folder / key)
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
            with suppress(OSError):  # a living writer may just have moved it into place
                if leftover.is_dir() and time.time() - leftover.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(leftover, ignore_errors=True)


def _is_whole(entry: Path) -> bool:
    try:
        digests = _read_summary(entry)["digests"]
        return all(_digest_of((entry / name).read_bytes()) == digest for name, digest in digests.items())
    except (OSError, ValueError):
        return False


def _read_summary(entry: Path) -> dict[str, Any]:
    """Raises ``ValueError`` where the content and its own digest do not agree."""
    content, _, digest = (entry / _SUMMARY).read_text(encoding="utf-8").partition("\n")
    if _digest_of(content.encode()) != digest.strip():
        raise ValueError(f"{entry.name} is damaged")
    return dict(json.loads(content))


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def code_digest(patterns: tuple[str, ...] = _CODE_OF_RESULTS) -> str:
    """Digest of source files, 16 hexadecimal digits; of all that bears on results: the code version in MLflow's tags."""
    digest = hashlib.sha256()
    for path in sorted({p for pattern in patterns for p in _ROOT.glob(pattern)}):
        digest.update(path.relative_to(_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run_fingerprint(made_from: Mapping[str, Any]) -> str:
    """What an unfinished run is known by: one of other inputs, code or libraries is not continued."""
    content = json.dumps({**made_from, "code": code_digest(), "libraries": library_versions()}, sort_keys=True)
    return _digest_of(content.encode())[:24]


@cache
def library_versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _LIBRARIES_THAT_FIT}
