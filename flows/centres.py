"""Leave-one-centre-out in the benchmark: the fits, kept in the store like all others, and one table of what they come to."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pandas as pd

from cohort.errors import CohortError
from cohort.types import ENDPOINTS, Cohort
from evaluation.cross_validation import cross_validate
from evaluation.internal_external import INTERNAL_EXTERNAL_COLUMNS, centre_estimates, centre_splits, centre_table, pool_centres
from evaluation.tables import Cell
from flows.cell_store import CellStore, FitSummary
from flows.compute import ComputePool
from flows.config import BenchmarkConfig
from flows.plan import Fit, Plan
from flows.work import PROCEDURE_SETTINGS, label, predictors_of, procedure_of, workers_cohort

INTERNAL_EXTERNAL = "internal_external.csv"


def leave_centres_out(
    config: BenchmarkConfig, cohort: Cohort, plan: Plan, completed: Iterable[Cell], store: CellStore, pool: ComputePool
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Columns :data:`evaluation.internal_external.INTERNAL_EXTERNAL_COLUMNS`, of completed cells; and why there are none."""
    empty = pd.DataFrame(columns=INTERNAL_EXTERNAL_COLUMNS)
    if not config.internal_external:
        return empty, ()
    reasons = {population: _why_not(cohort, population) for population in dict.fromkeys(f.population for f in plan.fits)}
    chosen = config.internal_external_models
    cells = [c for c in completed if not reasons[c.population] and (chosen is None or c.model in chosen)]
    keys = {fit: centre_key(store, fit, config, cohort.identity) for fit in dict.fromkeys(plan.cells[c] for c in cells)}
    running = [pool.submit(run_centre_fit, fit, config, store, key) for fit, key in keys.items() if not store.holds(key)]
    for future in running:
        future.result()
    judged = [pool.submit(run_centres, cell, store, keys[plan.cells[cell]], config) for cell in cells]
    tables = [future.result() for future in judged]
    left_out = tuple(f"leave-one-centre-out, {p}: {reason}" for p, reason in reasons.items() if reason)
    return (pd.concat(tables, ignore_index=True) if tables else empty), left_out


def centre_key(store: CellStore, fit: Fit, config: BenchmarkConfig, cohort_identity: str) -> str:
    """All that decides the predictions of a fit with one centre left out after the other."""
    protocol = {k: getattr(config, k) for k in PROCEDURE_SETTINGS}
    return store.key({"left_out": "centre", **fit.__dict__, **protocol, "cohort": cohort_identity})


def run_centre_fit(fit: Fit, config: BenchmarkConfig, store: CellStore, key: str) -> str:
    """Learn from all centres but one, predict that one, for each of them, and store it. Returns the key."""
    started = time.perf_counter()
    cohort = workers_cohort()
    patients = cohort.population(fit.population)
    outcome = patients.outcome(ENDPOINTS[fit.trained_on].source)
    splits, _ = centre_splits(list(patients.frame["centre"]))
    predictors = predictors_of(cohort, fit)
    validated = cross_validate(procedure_of(fit, config, outcome), predictors, outcome, splits, config.seed)
    summary = FitSummary(
        name=f"{fit.name} by centre",
        seconds=round(time.perf_counter() - started, 3),
        params={},
        notes=tuple(dict.fromkeys(validated.notes)),
        failures=tuple(map(str, validated.failures)),
        n_predictors=len(predictors.names),
    )
    store.write(key, label(validated.predictions, fit, patients, outcome), None, summary)
    return key


def run_centres(cell: Cell, store: CellStore, key: str, config: BenchmarkConfig) -> pd.DataFrame:
    """A cell's centres, then the centres pooled, from the stored predictions alone."""
    _, names = centre_splits(list(workers_cohort().population(cell.population).frame["centre"]))
    failures = store.summary(key).failures
    told = {number: f for number in range(len(names)) for f in failures if f.startswith(f"repeat 0 fold {number}: ")}
    centres = centre_estimates(store.predictions(key), names, ENDPOINTS[cell.endpoint], config.n_bootstraps, config.seed, told)
    return centre_table(centres, pool_centres(centres)).assign(**cell.__dict__)[INTERNAL_EXTERNAL_COLUMNS]


def _why_not(cohort: Cohort, population: str) -> str:
    """Why no centre can be left out, or an empty text."""
    patients = cohort.population(population)
    if "centre" not in patients.frame:
        return f"cohort {cohort.name} does not record the centre"
    try:
        centre_splits(list(patients.frame["centre"]))
    except CohortError as error:
        return str(error)
    return ""
