"""Resample fits in chunks: stored, resumed, and evaluated from the store alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, IntArray, Outcome
from evaluation.estimate import bootstrap_weights
from evaluation.optimism import NO_INFORMATION, correct
from evaluation.refits import gather, refit
from evaluation.stability import selection, stability
from evaluation.tables import Cell
from features.feature_set import Predictors
from flows import work
from flows.cell_store import CellStore
from flows.cell_work import CellWork
from flows.config import BenchmarkConfig
from flows.plan import Fit, make_plan
from flows.refit_work import chunk_key, chunks, run_refits, run_resampled
from flows.resampled import RESAMPLED, corrected_metrics, gather_resampled, write_resampled
from flows.work import predictors_of, procedure_of, run_fit
from models.procedure import FittedProcedure, Procedure

COHORT = simulate_cohort(70, seed=6).cohort
LOGISTIC = Fit("overall", "relapse_12m", "baseline", "paper_logistic")
CELL = Cell("overall", "relapse_12m", "baseline", "paper_logistic")


def _config(n_refits: int = 7, **changes: Any) -> BenchmarkConfig:
    settings: dict[str, Any] = {"models": ("paper_logistic",), "endpoints": ("relapse_12m",)}
    return BenchmarkConfig(preset="smoke", n_refits=n_refits, **(settings | changes))


@pytest.fixture(autouse=True)
def _a_worker_with_a_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_cohort", COHORT)


class InThisProcess:
    """Does what the pool would do, here, and counts it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def submit(self, function: Callable[..., Any], *arguments: Any) -> SimpleNamespace:
        self.done.append(function.__name__)
        return SimpleNamespace(result=lambda: function(*arguments))


def _new_work(folder: Path, config: BenchmarkConfig, fresh: bool = False) -> CellWork:
    return CellWork(config, COHORT, make_plan(config, COHORT), folder / "cells", CellStore(folder / "fits"), fresh)


def _done(cells: CellWork) -> list[str]:
    pool = InThisProcess()
    for cell in cells.plan.cells:
        cells.do(cell, pool)
    return pool.done


def test_chunks_cover_every_resample_once() -> None:
    assert chunks(LOGISTIC, _config(12)) == [range(5), range(5, 10), range(10, 12)]
    assert chunks(LOGISTIC, _config(0)) == []


def test_the_first_resamples_do_not_depend_on_how_many_are_drawn() -> None:
    np.testing.assert_array_equal(bootstrap_weights(70, 5, 1), bootstrap_weights(70, 200, 1)[:5])


def test_models_that_are_not_asked_for_are_not_learned_again() -> None:
    cox = Fit("overall", "dfs", "baseline", "paper_cox")

    assert not chunks(cox, _config(5, refit_models=("paper_logistic",)))
    assert chunks(cox, _config(5, refit_models=None)) == [range(5)]


def test_a_chunk_is_the_same_whatever_the_number_of_resamples_and_folds_but_not_the_tuning(tmp_path: Path) -> None:
    def key(config: BenchmarkConfig) -> str:
        return chunk_key(CellStore(tmp_path), LOGISTIC, config, "cohort", range(5))

    assert key(_config(7)) == key(_config(200, n_folds=4, n_repeats=3))
    assert len({key(_config(7)), key(_config(7, seed=1)), key(_config(7, n_trials=9)), key(_config(7, n_inner_folds=4))}) == 4
    assert key(_config(7)) != chunk_key(CellStore(tmp_path), LOGISTIC, _config(7), "cohort", range(5, 7))


@pytest.mark.parametrize(("setting", "value"), [("missing", "multiple"), ("n_imputations", 5), ("recalibration", "platt")])
def test_a_chunk_is_another_under_another_way_of_learning(tmp_path: Path, setting: str, value: Any) -> None:
    keys = {chunk_key(CellStore(tmp_path), LOGISTIC, _config(7, **c), "cohort", range(5)) for c in ({}, {setting: value})}
    assert len(keys) == 2


def test_tables_are_those_of_refits_that_were_never_stored(tmp_path: Path) -> None:
    config, store, endpoint = _config(7), CellStore(tmp_path / "fits"), ENDPOINTS["relapse_12m"]
    run_fit(LOGISTIC, config, store, "fit")
    keys = [run_refits(LOGISTIC, config, store, f"chunk{n.start}", n) for n in chunks(LOGISTIC, config)]
    folder = run_resampled(CELL, LOGISTIC, store, "fit", keys, config, tmp_path / "cells" / CELL.name / RESAMPLED)

    outcome, predictors = COHORT.outcome("dfs"), predictors_of(COHORT, LOGISTIC)
    procedure = procedure_of(LOGISTIC, config, outcome)
    original = procedure.fit(predictors, outcome, config.seed)
    drawn = bootstrap_weights(70, 7, config.seed)
    refits = [refit(procedure, predictors, outcome, row, config.seed + number) for number, row in enumerate(drawn)]
    risk = original.risk_at(predictors.frame, 12.0)[None]
    direct = gather(outcome, 12.0, (12.0,), risk, original.selected, predictors.names, drawn, refits)

    expected = pd.DataFrame([asdict(row) for row in correct(direct, endpoint)])
    pd.testing.assert_frame_equal(pd.read_csv(folder / "optimism.csv"), expected, check_dtype=False)
    assert pd.read_csv(folder / "stability.csv")["mape_mean"].iloc[0] == pytest.approx(stability(direct, 12.0).mape_mean)
    pd.testing.assert_frame_equal(pd.read_csv(folder / "selection.csv"), selection(direct), check_dtype=False)
    assert {path.name for path in folder.glob("*.png")} == {"stability.png", "selection.png"}


def test_no_file_of_a_cell_names_a_patient(tmp_path: Path) -> None:
    cells = _new_work(tmp_path, _config())
    _done(cells)
    texts = [path.read_text() for path in (tmp_path / "cells" / CELL.name / RESAMPLED).glob("*.csv")]

    assert len(texts) == 3
    assert not [text for text in texts for patient in COHORT.patient_ids if patient in text]


def test_only_missing_chunks_are_fitted_and_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    first = _new_work(tmp_path, _config())
    assert _done(first) == ["run_fit", "run_evaluation", "run_refits", "run_refits", "run_resampled"]
    assert _done(_new_work(tmp_path, _config())) == []

    # As if killed between the second chunk and the evaluation.
    again = _new_work(tmp_path / "again", _config())
    again.store = first.store
    again.store.drop([list(first.chunks[LOGISTIC].values())[1]])
    assert _done(again) == ["run_evaluation", "run_refits", "run_resampled"]


def test_more_resamples_reuse_the_whole_chunks_of_fewer(tmp_path: Path) -> None:
    _done(_new_work(tmp_path, _config(7)))
    later = _new_work(tmp_path, _config(15))

    assert sum(map(later.store.holds, later.chunks[LOGISTIC].values())) == 1
    assert LOGISTIC not in later.held


def test_fresh_work_forgets_its_resamples(tmp_path: Path) -> None:
    _done(_new_work(tmp_path, _config()))
    fresh = _new_work(tmp_path, _config(), fresh=True)

    assert not any(map(fresh.store.holds, fresh.chunks[LOGISTIC].values()))


def test_the_costs_of_all_cells_add_up_with_resamples_too(tmp_path: Path) -> None:
    cells = _new_work(tmp_path, _config())

    assert sum(map(cells.cost, cells.plan.cells)) == pytest.approx(cells.total_cost)
    assert cells.total_cost > _new_work(tmp_path, _config(0)).total_cost


def test_resamples_that_fail_are_counted_with_their_first_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, store = _config(10), CellStore(tmp_path / "fits")
    run_fit(LOGISTIC, config, store, "fit")
    fit, count = Procedure.fit, iter(range(100))

    def sometimes(
        self: Procedure, predictors: Predictors, outcome: Outcome, seed: int, patients: IntArray | None = None
    ) -> FittedProcedure:
        if (number := next(count)) in (3, 6):
            raise ValueError(f"singular {number}")
        return fit(self, predictors, outcome, seed, patients)

    monkeypatch.setattr(Procedure, "fit", sometimes)
    keys = [run_refits(LOGISTIC, config, store, f"chunk{n.start}", n) for n in chunks(LOGISTIC, config)]
    folder = run_resampled(CELL, LOGISTIC, store, "fit", keys, config, tmp_path / RESAMPLED)
    table = pd.read_csv(folder / "optimism.csv").set_index("metric")

    assert table.loc["auc", "n_failed"] == 2
    assert "2 of 10 resamples failed (2 not fitted): ValueError: singular 3" in table.loc["auc", "note"]
    assert np.isfinite(table.loc["auc", "corrected"])


# ---- gathered for the run


def test_tables_of_all_cells_carry_the_cells_names_and_mlflow_their_corrected_metrics(tmp_path: Path) -> None:
    cells = _new_work(tmp_path, _config())
    _done(cells)
    gathered = gather_resampled(cells.plan.cells, tmp_path / "cells")
    values = corrected_metrics(tmp_path / "cells" / CELL.name)

    assert set(gathered.optimism["model"]) == {"paper_logistic"}
    assert list(gathered.optimism["metric"]) == list(NO_INFORMATION)
    assert list(gathered.stability_figures) == [("overall", "relapse_12m", "baseline", "paper_logistic")]
    auc = gathered.optimism.set_index("metric").loc["auc"]
    assert values["corrected/auc/12_months"] == pytest.approx(auc["corrected"])
    assert values["plus_632/auc/12_months"] == pytest.approx(auc["estimate_632_plus"])
    assert values["stability/mape_mean"] == pytest.approx(gathered.stability["mape_mean"].iloc[0])
    assert np.isnan(values["interval/corrected_auc_12_months_low"]), "left out of MLflow, as all that is not finite"
    assert [path.name for path in write_resampled(gathered, tmp_path)] == ["optimism.csv", "stability.csv", "selection.csv"]


def test_without_resamples_nothing_is_gathered_nor_written(tmp_path: Path) -> None:
    gathered = gather_resampled([CELL], tmp_path)

    assert gathered.optimism.empty
    assert write_resampled(gathered, tmp_path) == ()
    assert corrected_metrics(tmp_path) == {}
