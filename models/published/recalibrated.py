"""A score's points, recalibrated: their risk is learned in the training fold, their weights are not.

By a Cox regression on the points, one coefficient. It answers every horizon and both time endpoints from one fit, keeps the
published order of patients, and spends one parameter; Kaplan-Meier by group would rest on the handful of patients in a score's
highest group and could give it the lower risk.
"""

from __future__ import annotations

from collections import Counter
from typing import Self

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.cox import CoxFit, fit_cox
from models.published.inputs import read_inputs
from models.published.score import Score
from models.risk_model import ModelSpec


class CompleteInputs:
    """A score's inputs; one that is missing in a patient becomes the training patients' median, or their more frequent answer.

    So points stay what the score defines, and nobody is left out for a missing CEA. Raises ``ValueError`` where an input is known
    in no training patient.
    """

    def __init__(self, score: Score, predictors: pd.DataFrame) -> None:
        self._score = score
        inputs = read_inputs(predictors, score.inputs)
        self._medians = inputs.median()
        unknown = ", ".join(map(str, self._medians.index[self._medians.isna()]))
        if unknown:
            raise ValueError(f"{unknown} is not known in any training patient")
        self.n_filled = int(inputs.isna().any(axis=1).sum())

    def __call__(self, predictors: pd.DataFrame) -> pd.DataFrame:
        """(n, inputs) without a missing value."""
        return read_inputs(predictors, self._score.inputs).fillna(self._medians)

    def notes(self, predictors: pd.DataFrame) -> tuple[str, ...]:
        """What the points take for granted, and how many patients' were completed."""
        reading = self._score.reading(tuple(map(str, predictors.columns)))
        if self._score.stand_ins:
            inputs = self(predictors)
            points, (low, high) = self._score.points(inputs), self._score.bounds(inputs)
            n_higher, n_lower = int((high > points).sum()), int((low < points).sum())
            reading += (f"the true points could be higher in {n_higher} and lower in {n_lower} of {len(inputs)} patients",)
        filled = (f"a missing input was filled in {self.n_filled} of {len(predictors)} patients",) if self.n_filled else ()
        return ("; ".join((*reading, *filled)),) if reading or filled else ()


class RecalibratedScore:
    def __init__(self, score: Score) -> None:
        self._score = score
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._complete = CompleteInputs(self._score, x)
        points = self._score.points(self._complete(x))
        self._fit: CoxFit = fit_cox(self._scaled(points), outcome)
        counts = Counter(self._score.group(points))
        sizes = "; ".join(f"{counts[label]} of {label}" for label, *_ in self._score.groups)
        self.notes = (*self._complete.notes(x), f"patients by group: {sizes}")
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return self._fit.risk_at(self._scaled(self._score.points(self._complete(x))), horizon_months)

    def _scaled(self, points: FloatArray) -> FloatArray:
        """(n, 1)"""
        return (np.log1p(points) if self._score.skewed else points)[:, None]


def recalibrated(score: Score) -> ModelSpec:
    """The benchmark's model of a score."""
    return ModelSpec(
        name=score.name,
        label=f"{score.label} (published)",
        role="published",
        answers="any_time",
        build=lambda params, seed: RecalibratedScore(score),
        feature_sets=("baseline", "pre_surgery"),
        unusable=score.not_computable,
        raw=True,
        relative_cost=0.3,
    )
