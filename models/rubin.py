"""Rubin's rules: one estimate, its error and its degrees of freedom from several imputed data sets.

Agrees with R's ``mice::pool`` (tests/reference/missing/). Sources: Rubin 1987, chapter 3; degrees of freedom by Barnard
and Rubin 1999.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from cohort.types import FloatArray

#: Below this share of variance due to missing values mice calculates with it, so that degrees of freedom stay finite.
_SMALLEST_SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class Pooled:
    """k pooled estimates, each array (k,). ``fmi`` is the fraction of missing information."""

    estimate: FloatArray
    standard_error: FloatArray
    degrees_of_freedom: FloatArray
    fmi: FloatArray

    @property
    def p_value(self) -> FloatArray:
        """Two-sided, that the estimate is 0; 1 where it has no error, as it could not be estimated."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(self.standard_error > 0, self.estimate / self.standard_error, 0.0)
        return np.asarray(2 * stats.t.sf(np.abs(t), self.degrees_of_freedom), dtype=np.float64)

    def interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        reach = stats.t.isf((1 - level) / 2, self.degrees_of_freedom) * self.standard_error
        return self.estimate - reach, self.estimate + reach


def pool(estimates: FloatArray, standard_errors: FloatArray, complete_freedom: float = np.inf) -> Pooled:
    """Pool (m, k) ``estimates`` and their ``standard_errors`` of m imputed data sets.

    ``complete_freedom`` : residual degrees of freedom had nothing been missing; infinite for a normal test. With m = 1
    nothing was missing, and there is no variance between. Raises ``ValueError`` for shapes that do not agree.
    """
    estimates, standard_errors = np.asarray(estimates, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    if estimates.ndim != 2 or estimates.shape != standard_errors.shape or not len(estimates):
        raise ValueError(f"estimates and errors are (m, k) with m of 1 or more; got {estimates.shape}, {standard_errors.shape}")
    m = len(estimates)
    within = (standard_errors**2).mean(axis=0)
    between = estimates.var(axis=0, ddof=1) if m > 1 else np.zeros(estimates.shape[1])
    due_to_missing = (1 + 1 / m) * between
    total = within + due_to_missing
    share = np.divide(due_to_missing, total, out=np.zeros_like(total), where=total > 0)
    freedom = _barnard_rubin(np.maximum(share, _SMALLEST_SHARE), max(m, 2), complete_freedom)
    increase = np.divide(due_to_missing, within, out=np.zeros_like(total), where=within > 0)
    fmi = (increase + 2 / (freedom + 3)) / (increase + 1)
    return Pooled(estimates.mean(axis=0), np.sqrt(total), freedom, fmi)


def _barnard_rubin(share: FloatArray, m: int, complete_freedom: float) -> FloatArray:
    large_sample = (m - 1) / share**2
    if np.isinf(complete_freedom):
        return np.asarray(large_sample)
    observed = (complete_freedom + 1) / (complete_freedom + 3) * complete_freedom * (1 - share)
    return np.asarray(large_sample * observed / (large_sample + observed))
