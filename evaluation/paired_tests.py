"""Tests of a variable measured twice in the same patients, as R gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as _mcnemar

from cohort.types import BoolArray, FloatArray

#: R's wilcox.test: exact below this many pairs, where neither ties nor zeros forbid it.
_EXACT_BELOW = 50


@dataclass(frozen=True)
class PairedTest:
    """``p_value`` is NaN where nothing changed in any pair; ``note`` then says so."""

    test: Literal["mcnemar", "wilcoxon"]
    n_pairs: int
    statistic: float
    p_value: float
    note: str = ""


def mcnemar(first: BoolArray, second: BoolArray) -> PairedTest:
    """McNemar's chi-squared with continuity correction, R's ``mcnemar.test``. ``first``, ``second``: (n,) flags of one
    patient each.
    """
    _same_length(first, second)
    table = np.array([[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]])
    if table[0, 1] + table[1, 0] == 0:
        return PairedTest("mcnemar", len(first), float("nan"), float("nan"), "no patient changed")
    result = _mcnemar(table, exact=False, correction=True)
    return PairedTest("mcnemar", len(first), float(result.statistic), float(result.pvalue))


def wilcoxon_signed_rank(first: FloatArray, second: FloatArray) -> PairedTest:
    """Wilcoxon's signed-rank test, R's ``wilcox.test(paired = TRUE)``; pairs with a missing value are left out.

    Unchanged pairs are dropped; exact for fewer than 50 untied pairs, else the normal approximation with continuity and
    tie correction. The statistic is R's V, the rank sum of the positive differences ``first - second``.
    """
    _same_length(first, second)
    known = ~(np.isnan(first) | np.isnan(second))
    difference = first[known] - second[known]
    changed = difference[difference != 0]
    if not changed.size:
        return PairedTest("wilcoxon", int(known.sum()), float("nan"), float("nan"), "no patient changed")
    ranks = stats.rankdata(np.abs(changed))
    tied = len(np.unique(ranks)) < len(ranks)
    exact = len(difference) < _EXACT_BELOW and not tied and len(changed) == len(difference)
    result = stats.wilcoxon(changed, correction=not exact, method="exact" if exact else "asymptotic")
    return PairedTest("wilcoxon", int(known.sum()), float(ranks[changed > 0].sum()), float(result.pvalue))


def _same_length(first: FloatArray | BoolArray, second: FloatArray | BoolArray) -> None:
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"paired values are vectors of one length; got {first.shape} and {second.shape}")
