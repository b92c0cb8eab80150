"""A fitted regression laid open: coefficients, what stands for a missing value, and how its linear predictor becomes a risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from cohort.types import FloatArray
from models.contributions import Contributions, Scale
from models.cox import risk_from_hazard

#: Keeps exp() finite under separation.
_FARTHEST = 50.0


@dataclass(frozen=True, eq=False)
class Baseline:
    """Cumulative hazard (m,) from ``times_months`` (m,) on, of a patient whose linear predictor is 0."""

    times_months: FloatArray
    cumulative_hazard: FloatArray

    def survival_at(self, horizon_months: float) -> float:
        return 1.0 - float(risk_from_hazard(np.zeros(1), self.times_months, self.cumulative_hazard, horizon_months)[0])


@dataclass(frozen=True, eq=False)
class Regression:
    """``linear predictor = constant + x @ coefficients``, over encoded ``columns`` (p,).

    It is a log hazard over the ``baseline``, or without one the logit of the risk. ``fill`` (p,) stands in for a missing value;
    ``centre`` (p,) are the means of the patients fitted.
    """

    columns: tuple[str, ...]
    coefficients: FloatArray
    constant: float
    fill: FloatArray
    centre: FloatArray
    baseline: Baseline | None = None

    def values(self, x: pd.DataFrame) -> FloatArray:
        """(n, p) what the coefficients multiply, missing values filled."""
        found = x[list(self.columns)].to_numpy(dtype=np.float64)
        return np.where(np.isfinite(found), found, self.fill)

    def linear_predictor(self, x: pd.DataFrame) -> FloatArray:
        """(n,)"""
        return np.asarray(self.constant + self.values(x) @ self.coefficients, dtype=np.float64)

    def risk(self, linear_predictor: FloatArray, horizon_months: float) -> FloatArray:
        """(n,) risk by the horizon; without a baseline that is the one horizon trained for."""
        if self.baseline is None:
            return np.asarray(1 / (1 + np.exp(-np.clip(linear_predictor, -_FARTHEST, _FARTHEST))), dtype=np.float64)
        return risk_from_hazard(linear_predictor, self.baseline.times_months, self.baseline.cumulative_hazard, horizon_months)

    def contributions(self, x: pd.DataFrame) -> Contributions:
        """Of each column of ``x``: how far its value moves the linear predictor from that at the mean."""
        values = np.zeros(x.shape)
        values[:, self._places(list(map(str, x.columns)))] = (self.values(x) - self.centre) * self.coefficients
        base = float(self.constant + self.centre @ self.coefficients)
        scale: Scale = "logit" if self.baseline is None else "log hazard"
        return Contributions(values, base, self.linear_predictor(x), scale)

    def _places(self, names: Sequence[str]) -> list[int]:
        return [names.index(column) for column in self.columns]


@runtime_checkable
class IsRegression(Protocol):
    """A risk model that is one regression."""

    @property
    def regression(self) -> Regression: ...
