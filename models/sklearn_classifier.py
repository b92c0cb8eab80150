"""What the scikit-learn classifiers share: one estimator with ``predict_proba``, fitted to the status at one horizon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome
from models.at_horizon import known_status, require_horizon
from models.risk_model import Params


class SklearnClassifier:
    """``make`` (params, seed) -> an unfitted scikit-learn classifier, or a pipeline that ends in one."""

    def __init__(self, make: Callable[[Params, int], Any], params: Params, seed: int) -> None:
        self._classifier = make(params, seed)
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        self._horizon_months = endpoint.primary_horizon_months
        known, status = known_status(outcome, self._horizon_months)
        self._classifier.fit(x.to_numpy(dtype=np.float64)[known], status)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        require_horizon(self._horizon_months, horizon_months)
        return np.asarray(self._classifier.predict_proba(x.to_numpy(dtype=np.float64))[:, 1], dtype=np.float64)
