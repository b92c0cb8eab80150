"""The whole learning procedure of one cell: encode, tune, fit. Everything in it sees training patients only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from features.encode import PredictorEncoder
from features.feature_set import Predictors
from models.risk_model import ModelSpec, RiskModel
from models.tuning import Tuning, tune


@dataclass(frozen=True, eq=False)
class FittedProcedure:
    """A model with the encoder fitted beside it: predictors in, risk out."""

    encoder: PredictorEncoder
    model: RiskModel
    params: Mapping[str, Any]
    horizons_months: tuple[float, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        return self.model.notes

    def risk_at(self, predictors: pd.DataFrame, horizon_months: float) -> FloatArray:
        """(n,) risk in [0, 1] by the horizon. Raises ``ValueError`` if the model answers anything else."""
        return self.risk_of_encoded(self.encoder.transform(predictors), horizon_months)

    def risk_of_encoded(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        """The same of (n, q) predictors that the encoder has encoded."""
        risk = np.asarray(self.model.risk_at(x, horizon_months), dtype=np.float64)
        if risk.shape != (len(x),) or not ((risk >= 0) & (risk <= 1)).all():
            raise ValueError(f"{type(self.model).__name__} gave something other than {len(x)} risks between 0 and 1")
        return risk


@dataclass(frozen=True)
class Procedure:
    """How a cell learns. ``horizons_months`` are those it will be asked at, and tuned for."""

    spec: ModelSpec
    endpoint: Endpoint
    horizons_months: tuple[float, ...]
    tuning: Tuning = field(default_factory=Tuning)

    def fit(self, predictors: Predictors, outcome: Outcome, seed: int) -> FittedProcedure:
        """Fit on (n, p) training ``predictors`` and their ``outcome``; the same seed gives the same fit."""
        if len(predictors.frame) != len(outcome):
            raise ValueError(f"{len(predictors.frame)} rows of predictors, {len(outcome)} outcomes")
        spec = self.spec
        params = dict(spec.defaults)
        if spec.search is not None and self.tuning.n_trials > 0:
            params |= tune(spec, predictors, outcome, self.endpoint, self.horizons_months, self.tuning, seed)
        encoder = PredictorEncoder(predictors.skewed, impute=spec.imputes).fit(predictors.frame)
        x = encoder.transform(predictors.frame)
        if spec.uses_predictors and x.shape[1] == 0:
            raise ValueError("no predictor varies among the training patients")
        model = spec.build(params, seed).fit(x, outcome, self.endpoint)
        return FittedProcedure(encoder, model, params, self.horizons_months)
