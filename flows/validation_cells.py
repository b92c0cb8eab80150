"""The cells of one external validation: which are finished, what the others need, what is logged of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from cohort.types import Cohort
from evaluation.external_validation import EXTERNAL_COMPARISON_COLUMNS
from evaluation.tables import Cell
from flows.cell_store import CellStore
from flows.compute import ComputePool
from flows.log_items import Item, validation_cell_items
from flows.plan import Fit, Plan
from flows.validation_config import ValidationConfig
from flows.validation_work import (
    ValidatedCell,
    finished_validation,
    run_external_comparison,
    run_validation,
    run_validation_fit,
    validation_key,
)
from models.registry import MODELS

#: Cost of judging a cell thrice, in the unit of :attr:`models.risk_model.ModelSpec.relative_cost`; one fit, no folds.
_EVALUATION_COST = 5.0


class ValidationCells:
    """Does cells in the worker processes. A finished fit is taken from the store, a finished cell from the run's folder."""

    def __init__(
        self, config: ValidationConfig, train: Cohort, test: Cohort, plan: Plan, folder: Path, store: CellStore, fresh: bool
    ) -> None:
        self.plan, self.store = plan, store
        self._config, self._train, self._folder = config, train, folder
        self.keys: dict[Fit, str] = {fit: validation_key(store, fit, config, train, test) for fit in plan.fits}
        store.sweep()
        if fresh:
            store.drop(self.keys.values())
        #: Fits that an earlier run, or an earlier process of this one, had finished.
        self.held = frozenset(fit for fit in plan.fits if store.holds(self.keys[fit]))

    def do(self, cell: Cell, pool: ComputePool) -> tuple[ValidatedCell, bool]:
        """Fit and judge a cell as far as that is still to do; and whether the fit was there before."""
        fit, folder = self.plan.cells[cell], self._folder / cell.name
        key = self.keys[fit]
        if not self.store.holds(key):  # first: a judged cell whose fit was damaged needs it too
            pool.submit(run_validation_fit, fit, self._config, self.store, key).result()
        finished = finished_validation(folder)
        if finished is not None:
            return finished, True
        return pool.submit(run_validation, cell, self.store, key, self._config, folder).result(), fit in self.held

    def compare(self, done: Mapping[Cell, ValidatedCell], pool: ComputePool) -> pd.DataFrame:
        """All models against the null model, one question a process, completed cells only."""
        by_question: dict[tuple[str, str], list[tuple[Cell, str]]] = {}
        for cell, fit in self.plan.cells.items():
            if done[cell].result.status == "completed":
                by_question.setdefault((cell.population, cell.endpoint), []).append((cell, self.keys[fit]))
        compared = [pool.submit(run_external_comparison, cells, self.store, self._config) for cells in by_question.values()]
        tables = [table for future in compared if not (table := future.result()).empty]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=EXTERNAL_COMPARISON_COLUMNS)

    def items(self, done: ValidatedCell) -> Iterator[Item]:
        """What MLflow keeps of a cell."""
        fit = self.plan.cells[done.result.cell]
        key = self.keys[fit]
        return validation_cell_items(done.results, done.folder, fit, self.store.summary(key), self._train, self.store.model(key))

    @property
    def total_cost(self) -> float:
        return sum(MODELS[fit.model].relative_cost for fit in self.plan.fits) + _EVALUATION_COST * len(self.plan.cells)

    @property
    def cost_held(self) -> float:
        return sum(MODELS[fit.model].relative_cost for fit in self.held)

    def cost(self, cell: Cell) -> float:
        """Of a cell when it is done: judging it, and the fit where this cell was the first to need it."""
        fit = self.plan.cells[cell]
        newly_fitted = fit not in self.held and cell == self.plan.cells_of(fit)[0]
        return _EVALUATION_COST + (MODELS[fit.model].relative_cost if newly_fitted else 0.0)
