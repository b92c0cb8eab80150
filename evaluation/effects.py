"""The paper's univariable effects on any cohort: odds ratios at 6 and 12 months, hazard ratios for DFS and OS.

Wald intervals and P values, as R's ``glm`` and ``coxph`` (Efron ties) print them; each variable on the patients in whom it is
known.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS, Cohort, Endpoint, FloatArray, Outcome
from features.encode import PredictorEncoder
from features.feature_set import build_predictors
from features.paper import PAPER
from models.cox import fit_cox
from models.logistic import fit_logistic
from models.two_stage import complete, factors, wald_p

_Z = 1.959963984540054  # two-sided 95 %

EFFECT_COLUMNS = ["population", "outcome", "term", "n_used", "n_events", "estimate", "ci_low", "ci_high", "p_value", "note"]


def univariable_effects(cohort: Cohort, population: str) -> pd.DataFrame:
    """One row an encoded covariate of the ``paper`` feature set and endpoint, columns :data:`EFFECT_COLUMNS`."""
    predictors = build_predictors(cohort, population, PAPER)
    x = PredictorEncoder(predictors.skewed, impute=False).fit_transform(predictors.frame)
    patients = cohort.population(population)
    rows = [
        {"population": population, "outcome": endpoint.name, **row}
        for endpoint in ENDPOINTS.values()
        for columns in factors(list(x.columns)).values()
        for row in _effect(x[columns], patients.outcome(endpoint.source), endpoint)
    ]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS)


def _effect(x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> list[dict[str, object]]:
    """One factor: all its levels in one regression."""
    if endpoint.kind == "binary":
        status = outcome.status_at(endpoint.primary_horizon_months)
        known = ~np.isnan(status)
        x, outcome = x.loc[known], Outcome(outcome.time_months[known], status[known] == 1)
    values, cases = complete(x, outcome)
    counts: dict[str, object] = {"n_used": len(cases), "n_events": int(cases.event.sum())}
    unusable = _unusable(values, cases, binary=endpoint.kind == "binary")
    if unusable:
        return [{"term": c, **counts, "note": unusable} for c in x.columns]
    fit = _logistic if endpoint.kind == "binary" else _cox
    coefficients, errors = fit(values, cases)
    table = zip(x.columns, coefficients, errors, wald_p(coefficients, errors), strict=True)
    with np.errstate(over="ignore"):
        return [
            {
                "term": term,
                **counts,
                "estimate": np.exp(b),
                "ci_low": np.exp(b - _Z * se),
                "ci_high": np.exp(b + _Z * se),
                "p_value": p,
                "note": "",
            }
            for term, b, se, p in table
        ]


def _unusable(values: FloatArray, cases: Outcome, *, binary: bool) -> str:
    if not cases.event.any() or (binary and cases.event.all()):
        return "all patients have the same status"
    if (np.ptp(values, axis=0) == 0).any():
        return "does not vary among the patients in whom it is known"
    return ""


def _logistic(values: FloatArray, cases: Outcome) -> tuple[FloatArray, FloatArray]:
    coefficients, errors, _ = fit_logistic(values, cases)
    return coefficients, errors


def _cox(values: FloatArray, cases: Outcome) -> tuple[FloatArray, FloatArray]:
    fit = fit_cox(values, cases)
    return fit.coefficients, fit.standard_errors
