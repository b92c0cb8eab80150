"""Tests of a variable measured twice in the same patients, as R gives them, and of two models in the same folds."""

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


def corrected_resampled_t(differences: FloatArray, test_to_train: float) -> float:
    """Two-sided P of Nadeau and Bengio's corrected resampled t test (Mach Learn 2003;52:239).

    differences : (J,) of two models, one for each test fold of each repeat. test_to_train : patients tested for one trained on.

    Training sets of different folds share most of their patients, so the differences lean on one another, and their variance
    over J would be too small a variance of the mean: 1 / J is replaced by 1 / J + test / train, on J - 1 degrees of freedom (for
    repeated cross-validation: Bouckaert and Frank 2004). Assumed is that the differences are roughly normal and that any two
    correlate by test / (test + train), which is a rule of thumb and no theorem; few folds give little power.

    1 where all differences are 0; 0, the limit, where all are one other number; NaN with one missing or fewer than two.
    """
    n = len(differences)
    if n < 2 or not np.isfinite(differences).all():
        return float("nan")
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread <= 1e-12:
        return 1.0 if abs(mean) <= 1e-12 else 0.0
    t = mean / (spread * np.sqrt(1 / n + test_to_train))
    return float(2 * stats.t.sf(abs(t), n - 1))


def _same_length(first: FloatArray | BoolArray, second: FloatArray | BoolArray) -> None:
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"paired values are vectors of one length; got {first.shape} and {second.shape}")
