"""Out-of-fold predictions: the one table from which everything else is computed.

Schema, one row a patient, repeat and horizon (``predictions.parquet``):

================ ======= ==========================================================================
population       str     ``overall``, ``primary_resected``
trained_on       str     endpoint that was trained on: ``relapse_6m``, ``relapse_12m``, ``dfs``, ``os``
feature_set      str     ``baseline``, ``pre_surgery``, ``paper``; ``none`` for the null model
model            str     name in the model registry
repeat, fold     int16   the split in which the patient was a test patient
patient_id       str
horizon_months   float64 when the prediction is for
risk             float64 probability of the event by the horizon, in [0, 1]
time_months      float64 follow-up of the endpoint's source (DFS or OS)
event            bool    True where the event was seen
================ ======= ==========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohort.types import FloatArray, Outcome

COLUMNS: dict[str, str] = {
    "population": "str",
    "trained_on": "str",
    "feature_set": "str",
    "model": "str",
    "repeat": "int16",
    "fold": "int16",
    "patient_id": "str",
    "horizon_months": "float64",
    "risk": "float64",
    "time_months": "float64",
    "event": "bool",
}

#: Feature set of a model that uses no predictors.
NO_FEATURES = "none"


@dataclass(frozen=True, eq=False)
class HorizonPredictions:
    """Out-of-fold risks of n patients in R repeats at one horizon, and what happened to them.

    ``risk`` and ``fold`` are (n, R); ranks are only compared inside one fold of one repeat, where they come from one fit.
    """

    horizon_months: float
    tau_months: float
    outcome: Outcome
    risk: FloatArray
    fold: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        if self.risk.shape != self.fold.shape or self.risk.ndim != 2 or len(self.risk) != len(self.outcome):
            raise ValueError(f"risk {self.risk.shape} and fold {self.fold.shape} are (n, R) with n = {len(self.outcome)}")
        if not ((self.risk >= 0) & (self.risk <= 1)).all():
            raise ValueError("every risk lies in [0, 1]")

    @property
    def varies(self) -> bool:
        """Whether risks differ between patients of one fold."""
        return any(np.ptp(self.risk[rows, repeat]) > 1e-12 for repeat, rows in self.folds())

    def folds(self) -> list[tuple[int, npt.NDArray[np.intp]]]:
        """(repeat, rows) of every test fold."""
        return [
            (repeat, np.flatnonzero(self.fold[:, repeat] == fold))
            for repeat in range(self.risk.shape[1])
            for fold in np.unique(self.fold[:, repeat])
        ]


def at_horizon(predictions: pd.DataFrame, horizon_months: float, tau_months: float) -> HorizonPredictions:
    """One cell's predictions (schema above) at one horizon, as arrays; patients in order of their id.

    Raises ``ValueError`` if a patient lacks a prediction in a repeat: no metric is taken over fewer patients in silence.
    """
    rows = predictions[predictions["horizon_months"] == horizon_months]
    if rows.empty:
        raise ValueError(f"no predictions at {horizon_months:g} months")
    risk = rows.pivot(index="patient_id", columns="repeat", values="risk")
    fold = rows.pivot(index="patient_id", columns="repeat", values="fold")
    if risk.isna().any(axis=None):
        raise ValueError(f"{int(risk.isna().any(axis=1).sum())} patients lack a prediction in some repeat")
    patients = rows.drop_duplicates("patient_id").set_index("patient_id").loc[risk.index]
    outcome = Outcome(patients["time_months"].to_numpy(dtype=np.float64), patients["event"].to_numpy(dtype=np.bool_))
    return HorizonPredictions(horizon_months, tau_months, outcome, risk.to_numpy(dtype=np.float64), fold.to_numpy(dtype=np.int16))
