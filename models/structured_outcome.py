"""The structured outcome that the scikit-survival models take."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sksurv.util import Surv

from cohort.types import Outcome


def structured(outcome: Outcome) -> npt.NDArray[np.void]:
    return np.asarray(Surv.from_arrays(outcome.event, outcome.time_months))
