"""The paper's Tables 2, 3, S1 and S2 on any cohort: odds ratios at 6 and 12 months, hazard ratios for DFS and OS.

Univariable: every covariate of the ``paper`` feature set alone, on the patients in whom it is known. Multivariable: all that
entered
by the two-stage rule together, on complete cases. Wald intervals and P values, as R's ``glm`` and ``coxph`` (Efron ties) print
them. A level without events, or with nothing else, is estimated by Firth's penalised likelihood, and the row says so.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cohort.errors import CohortError
from cohort.intervals import Z_95
from cohort.types import ENDPOINTS, BoolArray, Cohort, Endpoint, FloatArray, Outcome
from evaluation.multiplicity import adjust
from evaluation.proportional_hazards import zph
from features.encode import PredictorEncoder
from features.feature_set import build_predictors
from features.paper import PAPER, PAPER_FEATURES, printed_covariate
from models.cox import fit_cox
from models.firth import fit_firth_cox, fit_firth_logistic, is_separated
from models.logistic import fit_logistic
from models.two_stage import complete, enters, factors, wald_p

UNIVARIATE, MULTIVARIABLE = "univariate", "multivariable"

EFFECT_COLUMNS = [
    "population", "outcome", "analysis", "variable", "form", "level", "reference", "term", "n_used", "n_events", "n_level",
    "n_reference", "estimate", "ci_low", "ci_high", "p_value", "p_holm", "p_bh", "method", "ph_p_value", "note",
]  # fmt: skip

#: Note of a covariate that the others of its regression determine: vanished lesions beside those at baseline and before surgery.
ALIASED = "determined by the covariates before it, so it has no effect of its own"

#: Note of a column that is the same in all patients of its regression.
CONSTANT = "does not vary among the patients complete in this regression"

_FIRTH = "Firth's penalised likelihood"
EMPTY_CELL = "a level has no event, or nothing else"
BESIDE_EMPTY_CELL = "another covariate of this model has a level without events (or with nothing else)"
DIVERGES = "the estimates diverge"
NOT_CONVERGED = "the regression did not converge, so there are no numbers"

#: Score per patient and standard deviation of a covariate above which a logistic fit has not reached its maximum; one that has
#: is below 1e-9.
_SCORE_AT_MAXIMUM = 1e-6

#: P at and below which the second stage speaks of an independent association (Moretto et al. 2024, Statistical analyses).
INDEPENDENT_P = 0.05


def paper_effects(cohort: Cohort, population: str) -> pd.DataFrame:
    """Both stages at every endpoint: one row a covariate, columns :data:`EFFECT_COLUMNS`.

    ``p_holm`` and ``p_bh`` adjust for all rows of one outcome and analysis; ``ph_p_value`` tests proportional hazards (Cox
    only). A
    row that cannot be estimated has a ``note`` instead of numbers. Raises ``CohortError`` where the cohort holds no covariate,
    or none that varies in the population.
    """
    predictors = build_predictors(cohort, population, PAPER)
    x = PredictorEncoder(predictors.skewed, impute=False).fit_transform(predictors.frame)
    patients = cohort.population(population)
    if not len(x.columns):
        raise CohortError(
            f"no covariate of the paper varies among the {len(patients)} patient(s) of the population {population} of cohort"
            f" {cohort.name}, so there is nothing to compare; give a file with more patients or more of the paper's covariates"
        )
    tables = []
    for endpoint in ENDPOINTS.values():
        known, outcome = _known(x, patients.outcome(endpoint.source), endpoint)
        binary = endpoint.kind == "binary"
        groups = factors(list(x.columns)).values()
        alone = [(columns, _effects(known[columns], outcome, binary=binary)) for columns in groups]
        entered = [c for columns, rows in alone if _enters(rows) for c in columns]
        together = _effects(known[entered], outcome, binary=binary) if entered else []
        tables.append(_table(population, endpoint, UNIVARIATE, (row for _, rows in alone for row in rows)))
        tables.append(_table(population, endpoint, MULTIVARIABLE, together))
    return pd.concat([t for t in tables if len(t)], ignore_index=True)[EFFECT_COLUMNS]


def left_out_covariates(cohort: Cohort, population: str) -> list[tuple[str, str]]:
    """(covariate, reason) for every covariate of the paper that this cohort does not give, though the population uses it."""
    frame = cohort.population(population).frame
    withheld = cohort.withheld(population)
    found: list[tuple[str, str]] = []
    for feature in PAPER_FEATURES:
        absent = [name for name in feature.inputs if name not in frame]
        if absent:
            found.append((feature.name, f"the cohort does not record {', '.join(absent)}"))
        elif withheld & set(feature.inputs):
            continue  # by the paper's rule, not for want of data
        elif not frame[list(feature.inputs)].notna().any().all():
            found.append((feature.name, "known in no patient"))
        else:
            values = frame[feature.name] if feature.compute is None else feature.compute(frame)
            if values.nunique(dropna=True) < 2:
                found.append((feature.name, "the same in all patients"))
    return found


def selected_terms(effects: pd.DataFrame) -> pd.DataFrame:
    """What the two-stage procedure chose: per population and outcome the variables that ``entered``, and the ``independent``
    ones.
    """
    rows = []
    for (population, outcome), group in effects.groupby(["population", "outcome"], sort=False):
        second = group[group["analysis"] == MULTIVARIABLE]
        independent = second[second["p_value"] <= INDEPENDENT_P]
        rows.append(
            {
                "population": population,
                "outcome": outcome,
                "entered": ", ".join(dict.fromkeys(map(row_name, second["variable"], second["level"]))),
                "independent": ", ".join(dict.fromkeys(independent["variable"])),
            }
        )
    return pd.DataFrame(rows, columns=["population", "outcome", "entered", "independent"])


def row_name(variable: str, level: str) -> str:
    """``variable`` or, for a category, ``variable (level)``."""
    return f"{variable} ({level})" if level else variable


def _known(x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> tuple[pd.DataFrame, Outcome]:
    """Patients whose outcome is known; of a binary endpoint the event is the status at its horizon."""
    if endpoint.kind == "time":
        return x, outcome
    status = outcome.status_at(endpoint.primary_horizon_months)
    known = ~np.isnan(status)
    return x.loc[known], Outcome(outcome.time_months[known], status[known] == 1)


def _enters(rows: list[dict[str, object]]) -> bool:
    p_values = np.array([row.get("p_value", np.nan) for row in rows], dtype=np.float64)
    return enters(p_values[~np.isnan(p_values)])


def _table(population: str, endpoint: Endpoint, analysis: str, rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows)).reindex(columns=EFFECT_COLUMNS)
    if table.empty:
        return table
    table["population"], table["outcome"], table["analysis"] = population, endpoint.name, analysis
    printed = [printed_covariate(term) for term in table["term"]]
    for name in ("variable", "form", "level", "reference"):
        table[name] = [getattr(covariate, name) for covariate in printed]
    table["p_holm"], table["p_bh"] = adjust(table["p_value"].to_numpy(dtype=np.float64))
    return table


def _effects(x: pd.DataFrame, outcome: Outcome, *, binary: bool) -> list[dict[str, object]]:
    """One regression on all columns of ``x``: a factor alone, or the second stage."""
    values, cases = complete(x, outcome)
    rows = [
        {
            "term": str(term),
            "n_used": len(cases),
            "n_events": int(cases.event.sum()),
            **_sizes(values[:, j]),
            "method": "",
            "note": "",
        }
        for j, term in enumerate(x.columns)
    ]
    if not cases.event.any() or (binary and cases.event.all()):
        return [{**row, "note": "all patients have the same status"} for row in rows]
    fitted = varies = np.asarray(np.ptp(values, axis=0) > 0, dtype=np.bool_)
    if varies.any():
        if len(cases) <= varies.sum() + 1:
            return [{**row, "note": f"{varies.sum()} covariates for {len(cases)} complete patients"} for row in rows]
        fitted = varies.copy()
        fitted[varies] = _independent(values[:, varies])
    numbers = iter(_regression(x.columns[fitted], values[:, fitted], cases, binary=binary) if varies.any() else ())
    notes = np.where(varies, ALIASED, CONSTANT)
    return [
        {**row, **(next(numbers) if fit else {"note": str(note)})} for row, fit, note in zip(rows, fitted, notes, strict=True)
    ]


def _independent(values: FloatArray) -> BoolArray:
    """(p,) which columns to fit: not those that the columns before them, and the intercept, already give (``NA`` in R)."""
    design = np.column_stack([np.ones(len(values)), (values - values.mean(axis=0)) / values.std(axis=0)])
    kept = [0]
    for j in range(1, design.shape[1]):
        if np.linalg.matrix_rank(design[:, [*kept, j]], tol=1e-8 * np.sqrt(len(values))) > len(kept):
            kept.append(j)
    free = np.zeros(values.shape[1], dtype=np.bool_)
    free[np.array(kept[1:], dtype=np.intp) - 1] = True
    return free


def _sizes(values: FloatArray) -> dict[str, object]:
    """Patients at the level and at the reference; a continuous covariate has no reference."""
    if not np.isin(values, (0.0, 1.0)).all():
        return {"n_level": len(values), "n_reference": np.nan}
    return {"n_level": int((values == 1).sum()), "n_reference": int((values == 0).sum())}


def _regression(terms: pd.Index, values: FloatArray, cases: Outcome, *, binary: bool) -> list[dict[str, object]]:
    """Wald's numbers of every term, or Firth's of all where one of them is separated; a note alone where neither converged."""
    ph = np.full(len(terms), np.nan)
    cox = None if binary else fit_cox(values, cases)
    if cox is None:
        coefficients, errors, intercept = fit_logistic(values, cases)
        converged = _at_maximum(values, cases, coefficients, intercept)
    else:
        coefficients, errors, converged = cox.coefficients, cox.standard_errors, cox.converged
    scale = values.std(axis=0)
    empty, diverges = _empty_cell(values, cases, binary=binary), is_separated(coefficients * scale, errors * scale)
    if (empty | diverges).any():
        return _firth(values, cases, _firth_reasons(empty, diverges), binary=binary)
    if not converged:
        return [{"note": NOT_CONVERGED} for _ in terms]
    if cox is not None:
        ph = zph(pd.DataFrame(values, columns=terms), cases, cox)["p_value"].to_numpy()[:-1]
    table = zip(coefficients, errors, wald_p(coefficients, errors), ph, strict=True)
    return [_numbers(b, b - Z_95 * se, b + Z_95 * se, p, h, "wald", "") for b, se, p, h in table]


def _at_maximum(values: FloatArray, cases: Outcome, coefficients: FloatArray, intercept: float) -> bool:
    """Whether a logistic fit converged: at the maximum the score of every covariate, and of the intercept, is 0."""
    with np.errstate(all="ignore"):
        risk = 1 / (1 + np.exp(-(intercept + values @ coefficients)))
        design = np.column_stack([np.ones(len(values)), (values - values.mean(axis=0)) / values.std(axis=0)])
        score = design.T @ (cases.event - risk) / len(values)
    return bool(np.abs(score).max() < _SCORE_AT_MAXIMUM)  # False where it is not finite


def _firth_reasons(empty: BoolArray, diverges: BoolArray) -> list[str]:
    """Why each term is not Wald's: by its own empty cell, its own divergence, or that of another."""
    beside = BESIDE_EMPTY_CELL if empty.any() else DIVERGES
    return [EMPTY_CELL if cell else DIVERGES if runs_off else beside for cell, runs_off in zip(empty, diverges, strict=True)]


def _firth(values: FloatArray, cases: Outcome, reasons: list[str], *, binary: bool) -> list[dict[str, object]]:
    fit = fit_firth_logistic(values, cases) if binary else fit_firth_cox(values, cases)
    if not fit.converged:
        return [{"note": f"{reason}; {_FIRTH} did not converge either, so there are no numbers"} for reason in reasons]
    table = zip(fit.coefficients, fit.ci_low, fit.ci_high, fit.p_values, reasons, strict=True)
    return [_numbers(b, low, high, p, np.nan, "firth", f"{reason}: {_FIRTH}") for b, low, high, p, reason in table]


def _empty_cell(values: FloatArray, cases: Outcome, *, binary: bool) -> BoolArray:
    """(p,) whether a 0/1 column has a level in which nobody had the event or, of a binary outcome, everybody."""
    found = np.zeros(values.shape[1], dtype=np.bool_)
    for j, column in enumerate(values.T):
        if np.isin(column, (0.0, 1.0)).all():
            events = [cases.event[column == level] for level in (0.0, 1.0)]
            found[j] = any(not e.any() or (binary and e.all()) for e in events)
    return found


def _numbers(b: float, low: float, high: float, p: float, ph: float, method: str, note: str) -> dict[str, object]:
    with np.errstate(over="ignore"):
        ratios = dict(zip(("estimate", "ci_low", "ci_high"), np.exp([b, low, high]), strict=True))
    return {**ratios, "p_value": p, "ph_p_value": ph, "method": method, "note": note}
