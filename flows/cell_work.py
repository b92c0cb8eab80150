"""The cells of one run: which are finished, what the others need, what is logged of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from cohort.types import Cohort
from evaluation.comparison import COMPARISON_COLUMNS
from evaluation.tables import Cell
from flows.cell_store import CellStore
from flows.compute import ComputePool
from flows.config import BenchmarkConfig
from flows.log_items import Item, cell_items
from flows.plan import Fit, Plan
from flows.work import EvaluatedCell, finished_evaluation, fit_key, run_comparison, run_evaluation, run_fit
from models.registry import MODELS

#: Cost of evaluating a cell, in the unit of :attr:`models.risk_model.ModelSpec.relative_cost`.
_EVALUATION_COST = 0.5


class CellWork:
    """Does cells in the worker processes. A finished fit is taken from the store, a finished evaluation from the run's folder."""

    def __init__(self, config: BenchmarkConfig, cohort: Cohort, plan: Plan, folder: Path, store: CellStore, fresh: bool) -> None:
        self.plan, self.store = plan, store
        self._config, self._cohort, self._folder = config, cohort, folder
        identity = cohort.identity
        self.keys: dict[Fit, str] = {fit: fit_key(store, fit, config, identity) for fit in plan.fits}
        store.sweep()
        if fresh:
            store.drop(self.keys.values())
        #: Fits that an earlier run, or an earlier process of this one, had finished.
        self.held = frozenset(fit for fit in plan.fits if store.holds(self.keys[fit]))

    def do(self, cell: Cell, pool: ComputePool) -> tuple[EvaluatedCell, bool]:
        """Fit and evaluate a cell as far as that is still to do; and whether the fit was there before."""
        fit, folder = self.plan.cells[cell], self._folder / cell.name
        if not self.store.holds(self.keys[fit]):  # first: an evaluated cell whose fit was damaged needs it too
            pool.submit(run_fit, fit, self._config, self.store, self.keys[fit]).result()
        finished = finished_evaluation(folder)
        if finished is not None:
            return finished, True
        return pool.submit(run_evaluation, cell, self.store, self.keys[fit], self._config, folder).result(), fit in self.held

    def compare(self, evaluated: Mapping[Cell, EvaluatedCell], pool: ComputePool) -> pd.DataFrame:
        """The paired comparisons of all questions, one question a process, completed cells only."""
        by_question: dict[tuple[str, str], list[tuple[Cell, str]]] = {}
        for cell, fit in self.plan.cells.items():
            if evaluated[cell].result.status == "completed":
                by_question.setdefault((cell.population, cell.endpoint), []).append((cell, self.keys[fit]))
        compared = [pool.submit(run_comparison, cells, self.store, self._config) for cells in by_question.values()]
        tables = [table for future in compared if not (table := future.result()).empty]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COMPARISON_COLUMNS)

    def items(self, evaluated: EvaluatedCell) -> Iterator[Item]:
        """What MLflow keeps of a cell."""
        fit = self.plan.cells[evaluated.result.cell]
        key = self.keys[fit]
        return cell_items(
            evaluated, fit, self.store.summary(key), self.store.predictions(key), self._cohort, self.store.model(key)
        )

    @property
    def total_cost(self) -> float:
        return sum(MODELS[fit.model].relative_cost for fit in self.plan.fits) + _EVALUATION_COST * len(self.plan.cells)

    @property
    def cost_held(self) -> float:
        return sum(MODELS[fit.model].relative_cost for fit in self.held)

    def cost(self, cell: Cell) -> float:
        """Of a cell when it is done: its evaluation, and the fit where this cell was the first to need it."""
        fit = self.plan.cells[cell]
        newly_fitted = fit not in self.held and cell == self.plan.cells_of(fit)[0]
        return _EVALUATION_COST + (MODELS[fit.model].relative_cost if newly_fitted else 0.0)
