"""Fit a procedure in every training fold and predict its test fold. A fold that raises becomes a row, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from cohort.types import Outcome
from evaluation.resampling import Split
from features.feature_set import Predictors
from models.procedure import FittedProcedure, Procedure

#: Sees each fold's fit while it is at hand; it is kept no longer. What it raises is no failure of the fold, so it raises nothing.
Observer = Callable[[FittedProcedure, Split], None]


@dataclass(frozen=True)
class FoldFailure:
    """A fold that could not be fitted or predicted, and why."""

    repeat: int
    fold: int
    error: str

    def __str__(self) -> str:
        return f"repeat {self.repeat} fold {self.fold}: {self.error}"


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """``predictions``: repeat, fold, row, horizon_months, risk. ``notes``: what each fit said of itself, uncounted."""

    predictions: pd.DataFrame
    failures: tuple[FoldFailure, ...]
    notes: tuple[str, ...]


def cross_validate(
    procedure: Procedure,
    predictors: Predictors,
    outcome: Outcome,
    splits: Sequence[Split],
    seed: int,
    observe: Observer | None = None,
) -> CrossValidated:
    """Out-of-fold risks of a procedure at its horizons, for all splits. ``observe`` is shown the fit of every fold predicted."""
    parts: list[pd.DataFrame] = []
    failures: list[FoldFailure] = []
    notes: list[str] = []
    for number, split in enumerate(splits):
        try:
            fitted = procedure.fit(predictors.take(split.train), outcome.subset(split.train), seed + number)
            parts += _predict(fitted, predictors, split)
        except Exception as error:  # noqa: BLE001 - any failure of a library is this fold's result
            failures.append(FoldFailure(split.repeat, split.fold, f"{type(error).__name__}: {error}"))
        else:
            notes += fitted.notes
            if observe is not None:
                observe(fitted, split)
    columns = ["repeat", "fold", "row", "horizon_months", "risk"]
    predictions = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return CrossValidated(predictions, tuple(failures), tuple(notes))


def _predict(fitted: FittedProcedure, predictors: Predictors, split: Split) -> list[pd.DataFrame]:
    test = predictors.frame.iloc[split.test]
    return [
        pd.DataFrame(
            {
                "repeat": split.repeat,
                "fold": split.fold,
                "row": split.test,
                "horizon_months": horizon,
                "risk": fitted.risk_at(test, horizon),
            }
        )
        for horizon in fitted.horizons_months
    ]
