"""The paper's two-stage procedure, shared by its logistic and its Cox form.

Stage one fits every predictor alone, on the patients in whom it is known; a factor enters stage two when the Wald P of any of
its levels is at most 0.10, read at two decimals. Stage two is one regression on all that entered, on the patients complete in it.
Source: Moretto et al. 2024, Statistical analyses; complete cases as Tables 2 and 3 imply. So do the two decimals: chemotherapy
duration is in the multivariable model of DFS with a univariable P of 0.102.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from cohort.types import BoolArray, FloatArray, Outcome
from features.encode import factor_of
from models.rubin import pool

ENTRY_P = 0.10

#: (x, outcome) -> coefficients and standard errors of x's columns, without the intercept.
FitRegression = Callable[[FloatArray, Outcome], tuple[FloatArray, FloatArray]]


def factors(columns: list[str]) -> dict[str, list[str]]:
    """Encoded columns by the predictor they belong to, in order."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(factor_of(column), []).append(column)
    return groups


def wald_p(coefficients: FloatArray, standard_errors: FloatArray) -> FloatArray:
    """Two-sided Wald P values; 1 where a coefficient cannot be estimated."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(standard_errors > 0, coefficients / standard_errors, 0.0)
    return np.asarray(2 * stats.norm.sf(np.abs(z)), dtype=np.float64)


def reaches(p_values: FloatArray, entry_p: float = ENTRY_P) -> BoolArray:
    """Whether each P value, read at two decimals, is at most ``entry_p``."""
    return np.asarray(np.round(p_values, 2) <= entry_p, dtype=np.bool_)


def enters(p_values: FloatArray, entry_p: float = ENTRY_P) -> bool:
    """Whether a factor with these Wald P values of its levels goes on to stage two."""
    return bool(reaches(p_values, entry_p).any())


def complete(x: pd.DataFrame, outcome: Outcome) -> tuple[FloatArray, Outcome]:
    """The rows of ``x`` without a missing value, and their outcomes."""
    values = x.to_numpy(dtype=np.float64)
    rows = np.isfinite(values).all(axis=1)
    return values[rows], outcome.subset(rows)


def screen(x: pd.DataFrame, outcome: Outcome, fit: FitRegression, entry_p: float = ENTRY_P) -> list[str]:
    """Columns of the factors that enter stage two."""
    entered: list[str] = []
    for columns in factors(list(x.columns)).values():
        values, known = complete(x[columns], outcome)
        varying = np.ptp(values, axis=0) > 0 if len(values) else np.zeros(len(columns), dtype=bool)
        if not varying.any() or not known.event.any():
            continue
        if enters(wald_p(*fit(values[:, varying], known)), entry_p):
            entered += [c for c, v in zip(columns, varying, strict=True) if v]
    return entered


def screen_imputed(imputed: Sequence[pd.DataFrame], outcome: Outcome, fit: FitRegression, entry_p: float = ENTRY_P) -> list[str]:
    """The same over several imputations of the patients: P is that of the estimates pooled by Rubin's rules, so that the
    imputations agree on what enters (Wood, White and Royston, Stat Med 2008;27:3227).
    """
    entered: list[str] = []
    for columns in factors(list(imputed[0].columns)).values():
        values = [x[columns].to_numpy(dtype=np.float64) for x in imputed]
        varying = np.all([np.ptp(v, axis=0) > 0 for v in values], axis=0)
        if not varying.any() or not outcome.event.any():
            continue
        fits = [fit(v[:, varying], outcome) for v in values]
        if enters(pool(np.vstack([c for c, _ in fits]), np.vstack([e for _, e in fits])).p_value, entry_p):
            entered += [c for c, v in zip(columns, varying, strict=True) if v]
    return entered


def predictors_in(columns: list[str]) -> tuple[str, ...]:
    """The predictors that encoded columns belong to, each once, in order."""
    return tuple(factors(columns))


def selection_note(entered: list[str], n_complete: int, n: int) -> tuple[str, ...]:
    if not entered:
        return (f"no predictor reached P <= {ENTRY_P:.2f}: everybody has the mean risk",)
    names = ", ".join(predictors_in(entered))
    cases = "" if n_complete == n else f" ({n_complete} of {n} patients complete)"
    return (f"entered: {names}{cases}",)
