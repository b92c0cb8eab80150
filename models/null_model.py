"""The null model: everybody's risk is the Kaplan-Meier risk of the training patients. What any model has to beat."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.kaplan_meier import StepSurvival, kaplan_meier
from models.risk_model import ModelSpec


class NullModel:
    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._curve: StepSurvival = kaplan_meier(outcome)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return np.full(len(x), 1.0 - self._curve.at([horizon_months])[0, 0])


NULL_MODEL = ModelSpec(
    name="null_model",
    label="Null model (Kaplan-Meier)",
    role="reference",
    answers="any_time",
    build=lambda params, seed: NullModel(),
    uses_predictors=False,
    relative_cost=0.1,
)
