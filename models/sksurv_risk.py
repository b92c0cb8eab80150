"""What the scikit-survival models share: the structured outcome, and risk read off a survival curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sksurv.util import Surv

from cohort.types import FloatArray, Outcome


def structured(outcome: Outcome) -> npt.NDArray[np.void]:
    return np.asarray(Surv.from_arrays(outcome.event, outcome.time_months))


def risk_from_curves(model: Any, x: pd.DataFrame, horizon_months: float) -> FloatArray:
    """(n,) 1 - S(horizon). Before the first training time S is 1, where scikit-survival repeats its first value."""
    survival = model.predict_survival_function(x.to_numpy(), return_array=True)
    steps = int(np.searchsorted(model.unique_times_, horizon_months, side="right"))
    if steps == 0:
        return np.zeros(len(x))
    return np.asarray(np.clip(1.0 - survival[:, steps - 1], 0.0, 1.0), dtype=np.float64)
