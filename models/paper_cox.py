"""The paper's two-stage Cox regression (Efron ties), one fit for every horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.contributions import Contributions
from models.cox import fit_cox
from models.regression import Baseline, Regression
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
        fit = fit_cox(values, cases)
        self.coefficients, self.standard_errors = fit.coefficients, fit.standard_errors
        fill = x[self.columns].median().to_numpy(dtype=np.float64)
        constant = -float(fit.centre @ fit.coefficients)
        baseline = Baseline(fit.times_months, fit.cumulative_hazard)
        self.regression = Regression(tuple(self.columns), fit.coefficients, constant, fill, fit.centre, baseline)
        self.selected = predictors_in(self.columns)
        self.notes = selection_note(self.columns, len(values), len(x))
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return self.regression.risk(self.regression.linear_predictor(x), horizon_months)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        return self.regression.contributions(x)


PAPER_COX = ModelSpec(
    name="paper_cox",
    label="Two-stage Cox (paper)",
    role="paper",
    answers="any_time",
    build=lambda params, seed: PaperCox(),
    imputes=False,
    relative_cost=2.0,
)
