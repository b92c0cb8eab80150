"""The whole learning procedure of one cell: encode, tune, fit. Everything in it sees training patients only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, IntArray, Outcome
from features.encode import PredictorEncoder, RawPredictors
from features.feature_set import Predictors
from models.missing import MissingData
from models.recalibration import Recalibration, RecalibrationMethod, learn_recalibration
from models.risk_model import ModelSpec, RiskModel, SelectsPredictors
from models.tuning import Tuning, inner_folds, make_encoder, tune


@dataclass(frozen=True, eq=False)
class FittedProcedure:
    """A model with the encoder fitted beside it: predictors in, risk out."""

    encoder: PredictorEncoder | RawPredictors
    model: RiskModel
    params: Mapping[str, Any]
    horizons_months: tuple[float, ...]
    training_notes: tuple[str, ...] = ()
    recalibrations: Mapping[float, Recalibration] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.model.notes, *self.training_notes)

    @property
    def selected(self) -> tuple[str, ...] | None:
        """The predictors that the model chose; None where it does not choose."""
        return self.model.selected if isinstance(self.model, SelectsPredictors) else None

    def risk_at(self, predictors: pd.DataFrame, horizon_months: float) -> FloatArray:
        """(n,) risk in [0, 1] by the horizon. Raises ``ValueError`` if the model answers anything else."""
        return self.risk_of_encoded(self.encoder.transform(predictors), horizon_months)

    def risk_of_encoded(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        """The same of (n, q) predictors that the encoder has encoded."""
        risk = np.asarray(self.model.risk_at(x, horizon_months), dtype=np.float64)
        if risk.shape != (len(x),) or not ((risk >= 0) & (risk <= 1)).all():
            raise ValueError(f"{type(self.model).__name__} gave something other than {len(x)} risks between 0 and 1")
        return self.recalibrations[horizon_months](risk) if self.recalibrations else risk


@dataclass(frozen=True)
class Procedure:
    """How a cell learns. ``horizons_months`` are those it will be asked at, and tuned for."""

    spec: ModelSpec
    endpoint: Endpoint
    horizons_months: tuple[float, ...]
    tuning: Tuning = field(default_factory=Tuning)
    missing: MissingData = field(default_factory=MissingData)
    recalibration: RecalibrationMethod = "none"

    def fit(self, predictors: Predictors, outcome: Outcome, seed: int, patients: IntArray | None = None) -> FittedProcedure:
        """Fit on (n, p) training ``predictors`` and their ``outcome``; the same seed gives the same fit.

        ``patients`` (n,) says whose row each is, where a bootstrap resample holds some patients more than once: copies then
        stay together in the inner folds. By default every row is another patient's.
        """
        if len(predictors.frame) != len(outcome):
            raise ValueError(f"{len(predictors.frame)} rows of predictors, {len(outcome)} outcomes")
        rows, notes = self.missing.training_rows(predictors)
        if not rows.all():
            predictors = predictors.take(rows)
            outcome, patients = outcome.subset(rows), None if patients is None else patients[rows]
        spec = self.spec
        params = dict(spec.defaults)
        if spec.search is not None and self.tuning.n_trials > 0:
            params |= tune(spec, predictors, outcome, self.endpoint, self.horizons_months, self.tuning, seed, patients)
        encoder = make_encoder(spec, predictors, self.missing.encoder_imputes(spec)).fit(predictors.frame)
        x = encoder.transform(predictors.frame)
        if spec.uses_predictors and x.shape[1] == 0:
            raise ValueError("no predictor varies among the training patients")
        model = self.missing.build(spec, params, seed).fit(x, outcome, self.endpoint)
        curves: dict[float, Recalibration] = {}
        if self.recalibration != "none" and spec.uses_predictors:
            curves = self._recalibrations(params, predictors, outcome, seed, patients)
        return FittedProcedure(encoder, model, params, self.horizons_months, notes, curves)

    def _recalibrations(
        self, params: Mapping[str, Any], predictors: Predictors, outcome: Outcome, seed: int, patients: IntArray | None
    ) -> dict[float, Recalibration]:
        """One a horizon, from the risks of inner test folds; tuned once, by all training patients."""
        as_tuned = replace(self.spec, defaults=params, search=None)
        inner = replace(self, spec=as_tuned, recalibration="none")
        risk = {horizon: np.zeros(len(outcome)) for horizon in self.horizons_months}
        for train, test in inner_folds(outcome, self.horizons_months, self.tuning.n_folds, seed, patients):
            fitted = inner.fit(predictors.take(train), outcome.subset(train), seed)
            for horizon, of_all in risk.items():
                of_all[test] = fitted.risk_at(predictors.frame.iloc[test], horizon)
        return {horizon: learn_recalibration(self.recalibration, r, outcome, horizon) for horizon, r in risk.items()}
