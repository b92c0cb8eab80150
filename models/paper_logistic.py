"""The paper's two-stage logistic regression, one horizon a fit."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.contributions import Contributions
from models.logistic import fit_logistic
from models.regression import Regression
from models.risk_model import ModelSpec
from models.two_stage import complete, screen, selection_note


class PaperLogistic:
    """Patients censored before the horizon have no status and are left out of training."""

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._horizon_months = endpoint.primary_horizon_months
        status = outcome.status_at(self._horizon_months)
        known = ~np.isnan(status)
        x = x.loc[known]
        at_horizon = Outcome(outcome.time_months[known], status[known] == 1)
        if at_horizon.event.all() or not at_horizon.event.any():
            raise ValueError(f"all training patients have the same status at {self._horizon_months:g} months")
        self._columns = screen(x, at_horizon, lambda values, out: fit_logistic(values, out)[:2])
        values, cases = complete(x[self._columns], at_horizon)
        if self._columns and (cases.event.all() or not cases.event.any()):
            raise ValueError(f"all {len(values)} patients complete in {', '.join(self._columns)} have the same status")
        coefficients, _, intercept = fit_logistic(values, cases)
        fill = x[self._columns].median().to_numpy(dtype=np.float64)
        self.regression = Regression(tuple(self._columns), coefficients, intercept, fill, values.mean(axis=0))
        self.notes = selection_note(self._columns, len(values), len(x))
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        if horizon_months != self._horizon_months:
            raise ValueError(f"trained for {self._horizon_months:g} months, asked at {horizon_months:g}")
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
