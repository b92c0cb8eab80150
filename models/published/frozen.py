"""A published logistic risk, frozen: coefficients and intercept as printed, nothing learned but what fills a missing input.

The coefficients are PLATO's (2026; 709 operations). Its event is recurrence alone, and patients censored before the horizon
counted as event-free; ours is relapse or death, so a frozen risk is expected to lie low.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import expit

from cohort.types import Endpoint, FloatArray, Outcome
from models.at_horizon import require_horizon
from models.published.recalibrated import CompleteInputs, recalibrated
from models.published.score import Score
from models.risk_model import ModelSpec

PLATO = "PLATO 2026, 709 operations; recurrence without death, censored patients counted as event-free"


class FrozenScore:
    def __init__(self, score: Score) -> None:
        self._score = score
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        """Takes up the endpoint's horizon and the medians of ``x``. Raises ``ValueError`` where none was published for it."""
        self._horizon_months = endpoint.primary_horizon_months
        published = {risk.horizon_months: risk for risk in self._score.frozen}
        if self._horizon_months not in published:
            raise ValueError(f"{self._score.label} has no published risk at {self._horizon_months:g} months")
        self._risk = published[self._horizon_months]
        self._complete = CompleteInputs(self._score, x)
        self.notes = self._complete.notes(x)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        require_horizon(self._horizon_months, horizon_months)
        inputs = self._complete(x)
        terms = sum(coefficient * question.yes(inputs) for question, coefficient in self._risk.coefficients.items())
        return np.asarray(expit(self._risk.intercept + terms), dtype=np.float64)


def frozen(score: Score) -> ModelSpec:
    """The benchmark's model of a score's published risks."""
    return replace(
        recalibrated(score),
        name=f"{score.name}_frozen",
        label=f"{score.label}, frozen risk (published)",
        answers="horizon",
        build=lambda params, seed: FrozenScore(score),
        relative_cost=0.1,
    )
