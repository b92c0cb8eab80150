"""What the cells of a benchmark and of an external validation share: stored fits, what is left to do, questions compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from evaluation.tables import Cell
from flows.cell_store import CellStore
from flows.cell_tasks import Evaluated
from flows.compute import ComputePool
from flows.plan import Fit, Plan
from models.registry import MODELS


class StoredCells:
    """Cells whose fits are kept in the store under ``keys``.

    ``evaluation_cost``: of evaluating a cell, in the unit of :attr:`models.risk_model.ModelSpec.relative_cost`.
    """

    evaluation_cost: float

    def __init__(self, plan: Plan, store: CellStore, keys: Mapping[Fit, str], fresh: bool) -> None:
        self.plan, self.store, self.keys = plan, store, dict(keys)
        store.sweep()
        if fresh:
            store.drop(key for fit in plan.fits for key in self._all_keys(fit))
        #: Fits that an earlier run, or an earlier process of this one, had finished, with all that belongs to them.
        self.held = frozenset(fit for fit in plan.fits if all(map(store.holds, self._all_keys(fit))))

    def _all_keys(self, fit: Fit) -> tuple[str, ...]:
        """Of all that is stored of a fit."""
        return (self.keys[fit],)

    def _fit_cost(self, fit: Fit) -> float:
        return MODELS[fit.model].relative_cost

    @property
    def total_cost(self) -> float:
        return sum(map(self._fit_cost, self.plan.fits)) + self.evaluation_cost * len(self.plan.cells)

    @property
    def cost_held(self) -> float:
        return sum(map(self._fit_cost, self.held))

    def cost(self, cell: Cell) -> float:
        """Of a cell when it is done: its evaluation, and the fit where this cell was the first to need it."""
        fit = self.plan.cells[cell]
        newly_fitted = fit not in self.held and cell == self.plan.cells_of(fit)[0]
        return self.evaluation_cost + (self._fit_cost(fit) if newly_fitted else 0.0)

    def _by_question(
        self, done: Mapping[Cell, Evaluated], pool: ComputePool, compare: Callable[..., pd.DataFrame], *more: object
    ) -> list[pd.DataFrame]:
        """``compare`` (cells with the keys of their fits, store, more), one question a process, of completed cells only."""
        questions: dict[tuple[str, str], list[tuple[Cell, str]]] = {}
        for cell, fit in self.plan.cells.items():
            if done[cell].result.status == "completed":
                questions.setdefault((cell.population, cell.endpoint), []).append((cell, self.keys[fit]))
        compared = [pool.submit(compare, cells, self.store, *more) for cells in questions.values()]
        return [table for future in compared if not (table := future.result()).empty]
