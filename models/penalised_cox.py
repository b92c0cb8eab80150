"""Elastic-net Cox regression (Simon et al. 2011) by scikit-survival's coordinate descent, on standardised features."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxnetSurvivalAnalysis

from cohort.types import Endpoint, FloatArray, Outcome
from models.contributions import Contributions
from models.cox import baseline_hazard, risk_from_hazard
from models.risk_model import ModelSpec, Params
from models.structured_outcome import structured

if TYPE_CHECKING:
    import optuna

#: Steps from the penalty that keeps nothing down to the one asked for; each starts where the last ended, so none diverges.
_PATH_STEPS = 30


class PenalisedCox:
    """``penalty`` in (0, 1) is the share of the smallest penalty under which every coefficient is 0, and ``l1_ratio`` in (0, 1].

    A share, because the penalty itself means something else in every cohort and for every ``l1_ratio``. The path ends early where
    a smaller penalty hardly changes the likelihood any more, as glmnet's does. The baseline hazard is
    this package's (Efron), as for boosted trees: its risk is bounded where exp(linear predictor) would overflow.
    """

    def __init__(self, params: Params, seed: int) -> None:
        self.params = params
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        if not outcome.event.any():
            raise ValueError("no event was seen, so no hazard can be estimated")
        self._scaler = StandardScaler().fit(x.to_numpy(dtype=np.float64))
        regression = CoxnetSurvivalAnalysis(
            n_alphas=_PATH_STEPS, alpha_min_ratio=self.params["penalty"], l1_ratio=self.params["l1_ratio"]
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "all coefficients are zero")  # said in the notes
            regression.fit(self._scaled(x), structured(outcome))
        self._coefficients = np.asarray(regression.coef_[:, -1], dtype=np.float64)
        self._times_months, self._hazard = baseline_hazard(self._eta(x), outcome)
        kept = int(np.count_nonzero(self._coefficients))
        self.notes = (f"{kept} of {x.shape[1]} coefficients are not 0",)
        return self

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        return risk_from_hazard(self._eta(x), self._times_months, self._hazard, horizon_months)

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions:
        return Contributions(self._scaled(x) * self._coefficients, 0.0, self._eta(x), "log hazard")

    def _scaled(self, x: pd.DataFrame) -> FloatArray:
        return np.asarray(self._scaler.transform(x.to_numpy(dtype=np.float64)), dtype=np.float64)

    def _eta(self, x: pd.DataFrame) -> FloatArray:
        """(n,) log hazard relative to the training mean."""
        return np.asarray(self._scaled(x) @ self._coefficients, dtype=np.float64)


def _search(trial: optuna.Trial) -> Params:
    return {
        "penalty": trial.suggest_float("penalty", 0.01, 0.99, log=True),
        "l1_ratio": trial.suggest_float("l1_ratio", 0.05, 1.0),
    }


PENALISED_COX = ModelSpec(
    name="penalised_cox",
    label="Elastic-net Cox",
    role="challenger",
    answers="any_time",
    build=PenalisedCox,
    search=_search,
    defaults={"penalty": 0.3, "l1_ratio": 0.5},
    relative_cost=1.0,
)
