"""P values adjusted for how many were looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from cohort.types import FloatArray


def adjust(p_values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Holm's (family-wise error) and Benjamini and Hochberg's (false discovery rate) of (m,) P values; NaN stays NaN and
    does not count.
    """
    known = ~np.isnan(p_values)
    holm, discovery = np.full(len(p_values), np.nan), np.full(len(p_values), np.nan)
    if known.any():
        holm[known] = _holm(p_values[known])
        discovery[known] = stats.false_discovery_control(p_values[known])
    return holm, discovery


def holm_within(table: pd.DataFrame, families: list[str]) -> FloatArray:
    """(m,) Holm's correction of a table's ``p_value``, within each combination of the columns ``families``."""
    p_value, corrected = table["p_value"].to_numpy(dtype=np.float64), np.full(len(table), np.nan)
    for rows in table.groupby(families).indices.values():
        corrected[rows] = adjust(p_value[rows])[0]
    return corrected


def _holm(p_values: FloatArray) -> FloatArray:
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1)))
    return adjusted
