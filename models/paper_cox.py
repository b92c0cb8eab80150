"""The paper's two-stage Cox regression (Efron ties), one fit for every horizon."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.cox import CoxFit, fit_cox
from models.risk_model import ModelSpec
from models.two_stage import complete, predictors_in, screen, selection_note


def _wald(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    fit = fit_cox(x, outcome)
    return fit.coefficients, fit.standard_errors


class PaperCox:
    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()
        self.selected: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._columns = screen(x, outcome, _wald)
        values, cases = complete(x[self._columns], outcome)
        self._fit: CoxFit = fit_cox(values, cases)
        self._fill = x[self._columns].median().to_numpy(dtype=np.float64)
        self.selected = predictors_in(self._columns)
        self.notes = selection_note(self._columns, len(values), len(x))
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        values = x[self._columns].to_numpy(dtype=np.float64)
        return self._fit.risk_at(np.where(np.isfinite(values), values, self._fill), horizon_months)


PAPER_COX = ModelSpec(
    name="paper_cox",
    label="Two-stage Cox (paper)",
    role="paper",
    answers="any_time",
    build=lambda params, seed: PaperCox(),
    imputes=False,
    relative_cost=2.0,
)
