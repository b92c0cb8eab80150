"""P values adjusted for how many were looked at."""

from __future__ import annotations

import numpy as np
from statsmodels.stats.multitest import multipletests

from cohort.types import FloatArray


def adjust(p_values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Holm's (family-wise error) and Benjamini and Hochberg's (false discovery rate) of (m,) P values; NaN stays NaN and
    does not count.
    """
    known = ~np.isnan(p_values)
    holm, discovery = np.full(len(p_values), np.nan), np.full(len(p_values), np.nan)
    if known.any():
        holm[known] = multipletests(p_values[known], method="holm")[1]
        discovery[known] = multipletests(p_values[known], method="fdr_bh")[1]
    return holm, discovery
