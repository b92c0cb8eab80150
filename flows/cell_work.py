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
from flows.refit_work import chunk_key, chunks, run_refits, run_resampled
from flows.resampled import RESAMPLED
from flows.stored_cells import StoredCells
from flows.work import EvaluatedCell, finished_evaluation, fit_key, run_comparison, run_evaluation, run_fit


class CellWork(StoredCells):
    """Does cells in the worker processes. A finished fit is taken from the store, a finished evaluation from the run's folder."""

    evaluation_cost = 0.5

    def __init__(self, config: BenchmarkConfig, cohort: Cohort, plan: Plan, folder: Path, store: CellStore, fresh: bool) -> None:
        self._config, self._cohort, self._folder = config, cohort, folder
        identity = cohort.identity
        #: By fit: its chunks of resamples with the key of each.
        self.chunks: dict[Fit, dict[range, str]] = {
            fit: {numbers: chunk_key(store, fit, config, identity, numbers) for numbers in chunks(fit, config)}
            for fit in plan.fits
        }
        super().__init__(plan, store, {fit: fit_key(store, fit, config, identity) for fit in plan.fits}, fresh)

    def do(self, cell: Cell, pool: ComputePool) -> tuple[EvaluatedCell, bool]:
        """Fit and evaluate a cell as far as that is still to do; and whether the fit was there before."""
        fit, folder = self.plan.cells[cell], self._folder / cell.name
        if not self.store.holds(self.keys[fit]):  # first: an evaluated cell whose fit was damaged needs it too
            pool.submit(run_fit, fit, self._config, self.store, self.keys[fit]).result()
        finished = finished_evaluation(folder)
        evaluated = finished or pool.submit(run_evaluation, cell, self.store, self.keys[fit], self._config, folder).result()
        if evaluated.result.status == "completed" and self.chunks[fit] and not (folder / RESAMPLED).exists():
            self._resample(cell, fit, folder / RESAMPLED, pool)
        return evaluated, finished is not None or fit in self.held

    def _resample(self, cell: Cell, fit: Fit, folder: Path, pool: ComputePool) -> None:
        """Learn the cell's fit again in resamples as far as that is still to do; then what follows for the cell."""
        missing = {numbers: key for numbers, key in self.chunks[fit].items() if not self.store.holds(key)}
        running = [pool.submit(run_refits, fit, self._config, self.store, key, numbers) for numbers, key in missing.items()]
        for future in running:
            future.result()
        keys = tuple(self.chunks[fit].values())
        pool.submit(run_resampled, cell, fit, self.store, self.keys[fit], keys, self._config, folder).result()

    def compare(self, evaluated: Mapping[Cell, EvaluatedCell], pool: ComputePool) -> pd.DataFrame:
        """The paired comparisons of all questions, one question a process, completed cells only."""
        tables = self._by_question(evaluated, pool, run_comparison, self._config)
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COMPARISON_COLUMNS)

    def items(self, evaluated: EvaluatedCell) -> Iterator[Item]:
        """What MLflow keeps of a cell."""
        fit = self.plan.cells[evaluated.result.cell]
        key = self.keys[fit]
        return cell_items(
            evaluated, fit, self.store.summary(key), self.store.predictions(key), self._cohort, self.store.model(key)
        )

    def _all_keys(self, fit: Fit) -> tuple[str, ...]:
        return (self.keys[fit], *self.chunks[fit].values())

    def _fit_cost(self, fit: Fit) -> float:
        """Of a fit with its folds, and as much again for as many resamples."""
        n_resamples = sum(map(len, self.chunks[fit]))
        return super()._fit_cost(fit) * (1 + n_resamples / (self._config.n_folds * self._config.n_repeats + 1))
