from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from cohort.dictionary import KnownAt, Variable
from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from evaluation.comparison import COMPARISON_COLUMNS
from evaluation.tables import Cell, CellResult
from flows import cell_work, work
from flows.cell_store import CellStore
from flows.cell_work import CellWork
from flows.config import BenchmarkConfig
from flows.plan import Fit, make_plan
from flows.work import EvaluatedCell, fit_key

COHORT = simulate_cohort(90, seed=3).cohort
CONFIG = BenchmarkConfig(preset="smoke", models=("null_model",), endpoints=("relapse_6m", "dfs"), n_bootstraps=100)


class InThisProcess:
    """Does what the pool would do, here, and counts it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def submit(self, function: Callable[..., Any], *arguments: Any) -> SimpleNamespace:
        self.done.append(function.__name__)
        return SimpleNamespace(result=lambda: function(*arguments))


@pytest.fixture(autouse=True)
def _cohort_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_cohort", COHORT)


def new_work(folder: Path, fresh: bool = False) -> CellWork:
    return CellWork(CONFIG, COHORT, make_plan(CONFIG, COHORT), folder / "cells", CellStore(folder / "fits"), fresh)


def do_all(cells: CellWork) -> list[str]:
    pool = InThisProcess()
    for cell in cells.plan.cells:
        cells.do(cell, pool)
    return pool.done


def test_cells_that_share_a_fit_are_fitted_once(tmp_path: Path):
    assert do_all(new_work(tmp_path)) == ["run_fit", "run_evaluation", "run_evaluation"]


def test_what_is_finished_is_not_done_again(tmp_path: Path):
    do_all(new_work(tmp_path))
    again = new_work(tmp_path)
    assert do_all(again) == []
    assert again.held == frozenset(again.plan.fits)
    assert again.cost_held > 0


def test_fresh_work_forgets_its_fits(tmp_path: Path):
    do_all(new_work(tmp_path))
    assert new_work(tmp_path, fresh=True).held == frozenset()


def test_a_damaged_fit_of_an_evaluated_cell_is_fitted_again(tmp_path: Path):
    do_all(new_work(tmp_path))
    first = new_work(tmp_path)
    (first.store.folder / next(iter(first.keys.values())) / "predictions.parquet").write_bytes(b"")
    cells = new_work(tmp_path)
    assert do_all(cells) == ["run_fit"]
    evaluated, _ = cells.do(next(iter(cells.plan.cells)), InThisProcess())
    assert list(cells.items(evaluated)), "what MLflow keeps can be read again"


def test_completed_cells_of_a_question_are_compared_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cells, pool, asked = new_work(tmp_path), InThisProcess(), []

    def compare(cells_: list[tuple[Cell, str]], store: CellStore, config: BenchmarkConfig) -> pd.DataFrame:
        asked.append([(cell.endpoint, cell.model, key) for cell, key in cells_])
        return pd.DataFrame([[cells_[0][0].endpoint]], columns=["endpoint"])

    monkeypatch.setattr(cell_work, "run_comparison", compare)
    status = {"relapse_6m": "completed", "dfs": "failed"}
    evaluated = {c: EvaluatedCell(CellResult(c, status[c.endpoint]), tmp_path) for c in cells.plan.cells}
    key = next(iter(cells.keys.values()))

    assert cells.compare(evaluated, pool)["endpoint"].tolist() == ["relapse_6m"]
    assert asked == [[("relapse_6m", "null_model", key)]]


def test_without_a_completed_cell_there_is_no_comparison_but_its_columns(tmp_path: Path):
    cells = new_work(tmp_path)
    evaluated = {c: EvaluatedCell(CellResult(c, "failed"), tmp_path) for c in cells.plan.cells}

    assert list(cells.compare(evaluated, InThisProcess())) == COMPARISON_COLUMNS


def test_the_costs_of_all_cells_add_up_to_the_total(tmp_path: Path):
    cells = new_work(tmp_path)
    assert sum(cells.cost(cell) for cell in cells.plan.cells) == pytest.approx(cells.total_cost)


def declaring(skewed: bool) -> Cohort:
    variable = Variable("texture", "CT texture", "continuous", KnownAt.BASELINE, low=0.0, skewed=skewed)
    return replace(COHORT, frame=COHORT.frame.assign(texture=1.0), variables={**COHORT.variables, "texture": variable})


def test_a_fits_key_changes_with_what_the_cohorts_own_variables_mean():
    fit, store = Fit("overall", "dfs", "baseline", "paper_cox"), CellStore(Path())
    plain, skewed = declaring(skewed=False), declaring(skewed=True)
    assert plain.digest == skewed.digest, "the values are the same"
    assert fit_key(store, fit, CONFIG, plain.identity) != fit_key(store, fit, CONFIG, skewed.identity)


def test_a_cohort_without_own_variables_is_identified_by_its_values():
    assert COHORT.identity == COHORT.digest
