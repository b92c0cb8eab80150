"""The paper's two-stage Cox regression (Efron ties), one fit for every horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.cox import CoxFit, fit_cox
from models.risk_model import ModelSpec
from models.two_stage import complete, predictors_in, screen, screen_imputed, selection_note


def _wald(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    fit = fit_cox(x, outcome)
    return fit.coefficients, fit.standard_errors


class PaperCox:
    """``columns`` are those that enter stage two; None until they are screened, in ``fit`` or before it."""

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()
        self.columns: list[str] | None = None
        self.selected: tuple[str, ...] = ()

    def select_over(self, imputed: Sequence[pd.DataFrame], outcome: Outcome, endpoint: Endpoint) -> list[str]:
        return screen_imputed(imputed, outcome, _wald)

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self.columns = screen(x, outcome, _wald) if self.columns is None else self.columns
        values, cases = complete(x[self.columns], outcome)
        self._fit: CoxFit = fit_cox(values, cases)
        self.coefficients, self.standard_errors = self._fit.coefficients, self._fit.standard_errors
        self._fill = x[self.columns].median().to_numpy(dtype=np.float64)
        self.selected = predictors_in(self.columns)
        self.notes = selection_note(self.columns, len(values), len(x))
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        values = x[self.columns].to_numpy(dtype=np.float64)
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
