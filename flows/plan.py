"""From a configuration and a cohort to the work: which fits, which cells, and what is left out for which reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from cohort.errors import CohortError
from cohort.types import ENDPOINTS, Cohort, Outcome
from evaluation.estimate import unsupported
from evaluation.predictions import NO_FEATURES
from evaluation.tables import Cell, CellResult
from features.feature_set import KnownTooLate, build_predictors
from features.registry import FEATURE_SETS
from flows.config import BenchmarkConfig
from models.registry import MODELS


@dataclass(frozen=True)
class Fit:
    """One training job. A survival model trained on DFS serves the cells of relapse_6m, relapse_12m and dfs alike."""

    population: str
    trained_on: str
    feature_set: str
    model: str

    @property
    def name(self) -> str:
        return f"{self.population}/{self.trained_on}/{self.feature_set}/{self.model}"


@dataclass(frozen=True)
class Plan:
    """``fits`` stand longest first; ``cells`` names the fit each cell reads; ``skipped`` carries its reasons."""

    fits: tuple[Fit, ...]
    cells: dict[Cell, Fit]
    skipped: tuple[CellResult, ...]

    def cells_of(self, fit: Fit) -> tuple[Cell, ...]:
        return tuple(cell for cell, of in self.cells.items() if of == fit)


class Asked(Protocol):
    """What a configuration asks for: every combination of these."""

    @property
    def populations(self) -> tuple[str, ...]: ...
    @property
    def feature_sets(self) -> tuple[str, ...]: ...
    @property
    def endpoints(self) -> tuple[str, ...]: ...
    @property
    def models(self) -> tuple[str, ...]: ...


def make_plan(config: BenchmarkConfig, cohort: Cohort) -> Plan:
    """All cells of the configuration.

    Raises ``CohortError`` where none can be run at all, and ``KnownTooLate`` for a predictor known too late.
    """
    return plan_of(config, partial(why_not, cohort), f"cohort {cohort.name}")


def plan_of(config: Asked, reason_against: Callable[[str, str, str], tuple[str, tuple[str, ...]]], where: str) -> Plan:
    """The same for any question: ``reason_against`` (population, feature set, endpoint) is why it cannot be answered, whatever
    the model, or an empty text; and the names of the predictors.
    """
    cells: dict[Cell, Fit] = {}
    skipped: list[CellResult] = []
    for population in config.populations:
        for feature_set in config.feature_sets:
            for endpoint in config.endpoints:
                unanswerable, predictors = reason_against(population, feature_set, endpoint)
                for model in config.models:
                    cell, fit = _cell(population, endpoint, feature_set, model)
                    if fit is None or cell in cells:
                        continue
                    if reason := unanswerable or MODELS[model].unusable(feature_set, predictors):
                        skipped.append(CellResult(cell, "skipped", note=reason))
                    else:
                        cells[cell] = fit
    if not cells:
        notes = dict.fromkeys(note for s in skipped for note in s.note.split("; "))
        reasons = "; ".join(notes) or "no model answers these endpoints on these feature sets"
        raise CohortError(f"nothing can be run on {where}: {reasons}")
    fits = sorted(dict.fromkeys(cells.values()), key=lambda fit: -MODELS[fit.model].relative_cost)
    # The null model is met once for each feature set: its first reason stands, and none if it runs with another.
    first_reason = {s.cell: s for s in reversed(skipped)}
    left_out = tuple(s for s in skipped if s is first_reason[s.cell] and s.cell not in cells)
    return Plan(tuple(fits), cells, left_out)


def horizons_of(trained_on: str, outcome: Outcome) -> tuple[float, ...]:
    """The horizons a fit predicts: all those of the endpoints that read it, as far as the follow-up supports them."""
    source, own = ENDPOINTS[trained_on].source, ENDPOINTS[trained_on]
    readers = [own] if own.kind == "binary" else [e for e in ENDPOINTS.values() if e.source == source]
    horizons = sorted({h for endpoint in readers for h in endpoint.horizons_months})
    return tuple(h for h in horizons if not unsupported(outcome, h))


def _cell(population: str, endpoint: str, feature_set: str, model: str) -> tuple[Cell, Fit | None]:
    spec = MODELS[model]
    used = feature_set if spec.uses_predictors else NO_FEATURES
    trained_on = spec.trains_on(ENDPOINTS[endpoint])
    fit = None if trained_on is None or not spec.is_asked_on(feature_set) else Fit(population, trained_on, used, model)
    return Cell(population, endpoint, used, model), fit


def why_not(cohort: Cohort, population: str, feature_set: str, endpoint: str) -> tuple[str, tuple[str, ...]]:
    """Why the cohort cannot answer, whatever the model, or an empty text; and the names of its predictors."""
    try:
        patients = cohort.population(population)
        predictors = build_predictors(cohort, population, FEATURE_SETS[feature_set])
    except KnownTooLate:
        raise
    except CohortError as error:
        return str(error), ()
    outcome = patients.outcome(ENDPOINTS[endpoint].source)
    reasons = [unsupported(outcome, h) for h in ENDPOINTS[endpoint].horizons_months]
    return "; ".join(dict.fromkeys(reasons)) if all(reasons) else "", predictors.names
