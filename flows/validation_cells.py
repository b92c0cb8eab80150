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
from flows.plan import Plan
from flows.stored_cells import StoredCells
from flows.validation_config import ValidationConfig
from flows.validation_work import (
    ValidatedCell,
    finished_validation,
    run_external_comparison,
    run_validation,
    run_validation_fit,
    validation_key,
)


class ValidationCells(StoredCells):
    """Does cells in the worker processes. A finished fit is taken from the store, a finished cell from the run's folder."""

    evaluation_cost = 5.0  # a cell is judged thrice, and its one fit has no folds

    def __init__(
        self, config: ValidationConfig, train: Cohort, test: Cohort, plan: Plan, folder: Path, store: CellStore, fresh: bool
    ) -> None:
        self._config, self._train, self._folder = config, train, folder
        super().__init__(plan, store, {fit: validation_key(store, fit, config, train, test) for fit in plan.fits}, fresh)

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
        tables = self._by_question(done, pool, run_external_comparison, self._config)
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=EXTERNAL_COMPARISON_COLUMNS)

    def items(self, done: ValidatedCell) -> Iterator[Item]:
        """What MLflow keeps of a cell."""
        fit = self.plan.cells[done.result.cell]
        key = self.keys[fit]
        return validation_cell_items(done.results, done.folder, fit, self.store.summary(key), self._train, self.store.model(key))
