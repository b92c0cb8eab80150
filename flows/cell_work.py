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
        #: By fit: its chunks of resamples with the key of each.
        self.chunks: dict[Fit, dict[range, str]] = {
            fit: {numbers: chunk_key(store, fit, config, identity, numbers) for numbers in chunks(fit, config)}
            for fit in plan.fits
        }
        store.sweep()
        if fresh:
            store.drop(self.keys.values())
            store.drop(key for of_fit in self.chunks.values() for key in of_fit.values())
        #: Fits that an earlier run, or an earlier process of this one, had finished, in all their resamples too.
        self.held = frozenset(fit for fit in plan.fits if all(map(store.holds, (self.keys[fit], *self.chunks[fit].values()))))

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
        return sum(map(self._fit_cost, self.plan.fits)) + _EVALUATION_COST * len(self.plan.cells)

    @property
    def cost_held(self) -> float:
        return sum(map(self._fit_cost, self.held))

    def cost(self, cell: Cell) -> float:
        """Of a cell when it is done: its evaluation, and the fit where this cell was the first to need it."""
        fit = self.plan.cells[cell]
        newly_fitted = fit not in self.held and cell == self.plan.cells_of(fit)[0]
        return _EVALUATION_COST + (self._fit_cost(fit) if newly_fitted else 0.0)

    def _fit_cost(self, fit: Fit) -> float:
        """Of a fit with its folds, and as much again for as many resamples."""
        n_resamples = sum(map(len, self.chunks[fit]))
        return MODELS[fit.model].relative_cost * (1 + n_resamples / (self._config.n_folds * self._config.n_repeats + 1))
