"""The paper's two-stage logistic regression, one horizon a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from cohort.types import BoolArray, Endpoint, FloatArray, Outcome
from models.at_horizon import known_status, require_horizon
from models.contributions import Contributions
from models.logistic import fit_logistic
from models.regression import Regression
from models.risk_model import ModelSpec
from models.two_stage import complete, predictors_in, screen, screen_imputed, selection_note


def _known_at(outcome: Outcome, horizon_months: float) -> tuple[BoolArray, Outcome]:
    """Whose status at the horizon is known, and that status as the event."""
    known, status = known_status(outcome, horizon_months)
    return known, Outcome(outcome.time_months[known], status == 1)


def _wald(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    coefficients, standard_errors, _ = fit_logistic(x, outcome)
    return coefficients, standard_errors


class PaperLogistic:
    """Patients censored before the horizon have no status and are left out of training.

    ``columns`` are those that enter stage two; None until they are screened, in ``fit`` or before it.
    """

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()
        self.columns: list[str] | None = None
        self.selected: tuple[str, ...] = ()

    def select_over(self, imputed: Sequence[pd.DataFrame], outcome: Outcome, endpoint: Endpoint) -> list[str]:
        known, at_horizon = _known_at(outcome, endpoint.primary_horizon_months)
        return screen_imputed([x.loc[known] for x in imputed], at_horizon, _wald)

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._horizon_months = endpoint.primary_horizon_months
        known, at_horizon = _known_at(outcome, self._horizon_months)
        x = x.loc[known]
        self.columns = screen(x, at_horizon, _wald) if self.columns is None else self.columns
        values, cases = complete(x[self.columns], at_horizon)
        if self.columns and (cases.event.all() or not cases.event.any()):
            raise ValueError(f"all {len(values)} patients complete in {', '.join(self.columns)} have the same status")
        self.coefficients, self.standard_errors, intercept = fit_logistic(values, cases)
        fill = x[self.columns].median().to_numpy(dtype=np.float64)
        self.regression = Regression(tuple(self.columns), self.coefficients, intercept, fill, values.mean(axis=0))
        self.selected = predictors_in(self.columns)
        self.notes = selection_note(self.columns, len(values), len(x))
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        require_horizon(self._horizon_months, horizon_months)
        return self.regression.risk(self.regression.linear_predictor(x), horizon_months)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        return self.regression.contributions(x)


PAPER_LOGISTIC = ModelSpec(
    name="paper_logistic",
    label="Two-stage logistic (paper)",
    role="paper",
    answers="horizon",
    build=lambda params, seed: PaperLogistic(),
    imputes=False,
)
