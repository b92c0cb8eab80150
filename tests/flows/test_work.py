"""What a worker does, in this process: a fit with its failures, an evaluation of stored predictions alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Outcome
from evaluation.comparison import COMPARISON_COLUMNS, compare_models
from evaluation.decision_curve import decision_curve
from evaluation.predictions import COLUMNS, at_horizon
from evaluation.tables import Cell
from features.feature_set import Predictors
from flows import work
from flows.cell_store import CellStore
from flows.config import BenchmarkConfig
from flows.plan import Fit
from flows.work import finished_evaluation, run_comparison, run_evaluation, run_fit
from models.procedure import FittedProcedure, Procedure

COHORT = simulate_cohort(80, seed=6).cohort
CONFIG = BenchmarkConfig(preset="smoke", n_folds=3, n_repeats=2)
COX = Fit("primary_resected", "dfs", "baseline", "paper_cox")
NULL = Fit("overall", "os", "none", "null_model")


@pytest.fixture(autouse=True)
def _a_worker_with_a_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_cohort", COHORT)


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path / "fits")


def _break(monkeypatch: pytest.MonkeyPatch, calls: range) -> None:
    """Let some fits, counted from 0, raise."""
    fit, count = Procedure.fit, iter(range(100))

    def sometimes(self: Procedure, predictors: Predictors, outcome: Outcome, seed: int) -> FittedProcedure:
        if next(count) in calls:
            raise ValueError("singular")
        return fit(self, predictors, outcome, seed)

    monkeypatch.setattr(Procedure, "fit", sometimes)


def _evaluate(store: CellStore, folder: Path, fit: Fit = COX, endpoint: str = "dfs") -> Any:
    cell = Cell(fit.population, endpoint, fit.feature_set, fit.model)
    return run_evaluation(cell, store, run_fit(fit, CONFIG, store, "key"), CONFIG, folder)


def test_a_worker_without_a_cohort_says_so(store: CellStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_cohort", None)

    with pytest.raises(RuntimeError, match="call initialise first"):
        run_fit(NULL, CONFIG, store, "key")


@pytest.mark.parametrize(("fit", "horizons"), [(COX, {6.0, 12.0}), (NULL, {36.0, 60.0})], ids=["dfs", "os"])
def test_every_patient_of_the_population_is_predicted_once_a_repeat_and_horizon(
    fit: Fit, horizons: set[float], store: CellStore
) -> None:
    run_fit(fit, CONFIG, store, "key")
    predictions, patients = store.predictions("key"), COHORT.population(fit.population)
    index = pd.MultiIndex.from_product([sorted(patients.patient_ids), [0, 1], sorted(horizons)])

    assert predictions.dtypes.astype(str).to_dict() == COLUMNS
    assert sorted(predictions[["patient_id", "repeat", "horizon_months"]].itertuples(index=False, name=None)) == list(index)
    assert set(predictions["fold"]) == {0, 1, 2}


def test_predictions_carry_what_happened_to_their_patient(store: CellStore) -> None:
    run_fit(COX, CONFIG, store, "key")
    predictions = store.predictions("key").merge(COHORT.frame, on="patient_id", validate="many_to_one")

    assert (predictions["time_months"] == predictions["dfs_months"]).all()
    assert (predictions["event"] == predictions["dfs_event"]).all()


def test_the_same_fit_gives_the_same_predictions(store: CellStore) -> None:
    for key in ("a", "b"):
        run_fit(COX, CONFIG, store, key)

    pd.testing.assert_frame_equal(store.predictions("a"), store.predictions("b"))


def test_failed_fold_makes_a_failed_cell_with_its_reason_and_no_estimate(
    store: CellStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(monkeypatch, range(1, 2))
    evaluated = _evaluate(store, tmp_path / "cell")

    assert evaluated.result.status == "failed"
    assert evaluated.result.note == "1 of 7 fits failed; repeat 0 fold 1: ValueError: singular"
    assert evaluated.result.estimates == ()
    assert evaluated.figure_png is None
    assert evaluated.decision_png is None
    assert evaluated.decision_curve is None
    assert len(store.predictions("key")) > 0, "the other folds' predictions are kept"


def test_failed_final_fit_leaves_no_model_and_is_told(store: CellStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, range(6, 7))
    evaluated = _evaluate(store, tmp_path / "cell")

    assert evaluated.result.note == "1 of 7 fits failed; fit on all patients: ValueError: singular"
    assert store.model("key") is None


def test_fit_of_which_every_fold_failed_has_an_empty_table_of_the_schema(
    store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(monkeypatch, range(100))
    run_fit(COX, CONFIG, store, "key")

    assert store.predictions("key").dtypes.astype(str).to_dict() == COLUMNS
    assert len(store.predictions("key")) == 0
    assert len(store.summary("key").failures) == 7


def test_evaluation_is_found_again_as_it_was(store: CellStore, tmp_path: Path) -> None:
    evaluated = _evaluate(store, tmp_path / "cell")
    again = finished_evaluation(tmp_path / "cell")

    assert evaluated.result.status == "completed"
    assert repr(again) == repr(evaluated)  # NaN is not equal to itself
    assert again.figure_png.startswith(b"\x89PNG")
    curves = {"roc.csv", "calibration.csv", "risk_groups.csv", "decision_curve.csv"}
    assert {p.name for p in (tmp_path / "cell").glob("*.csv")} == curves


def test_decision_curve_is_that_of_the_stored_predictions_with_the_resamples_of_the_configuration(
    store: CellStore, tmp_path: Path
) -> None:
    evaluated = _evaluate(store, tmp_path / "cell")
    at = at_horizon(store.predictions("key"), 12.0, ENDPOINTS["dfs"].tau_months)
    expected = decision_curve(at, CONFIG.n_bootstraps, CONFIG.seed)

    pd.testing.assert_frame_equal(evaluated.decision_curve.drop(columns="note"), expected.drop(columns="note"))
    assert evaluated.decision_png.startswith(b"\x89PNG")


def test_unfinished_evaluation_is_not_found(tmp_path: Path) -> None:
    assert finished_evaluation(tmp_path / "nowhere") is None


def test_result_file_is_plain_json_of_the_cell(store: CellStore, tmp_path: Path) -> None:
    evaluated = _evaluate(store, tmp_path / "cell", NULL, "os")
    content = json.loads((tmp_path / "cell" / "result.json").read_text(encoding="utf-8"))

    assert content["cell"] == {"population": "overall", "endpoint": "os", "feature_set": "none", "model": "null_model"}
    assert content["n_events_total"] == int(COHORT.frame["os_event"].sum()) == evaluated.result.n_events_total


def test_procedure_is_tuned_as_the_configuration_says() -> None:
    procedure = work.procedure_of(COX, CONFIG.model_copy(update={"n_trials": 7}), COHORT.outcome("dfs"))

    assert (procedure.tuning.n_trials, procedure.horizons_months) == (7, (6.0, 12.0))


def test_procedure_meets_missing_values_as_the_configuration_says() -> None:
    config = CONFIG.model_copy(update={"missing": "multiple", "n_imputations": 4})
    procedure = work.procedure_of(COX, config, COHORT.outcome("dfs"))

    assert (procedure.missing.method, procedure.missing.n_imputations) == ("multiple", 4)


# ---- comparisons


def test_comparison_is_of_the_stored_predictions_at_the_primary_horizon(store: CellStore) -> None:
    null, cox = Fit("overall", "dfs", "none", "null_model"), Fit("overall", "dfs", "baseline", "paper_cox")
    cells = [(Cell("overall", "dfs", f.feature_set, f.model), run_fit(f, CONFIG, store, f.model)) for f in (null, cox)]
    models = {(c.feature_set, c.model): at_horizon(store.predictions(key), 12.0, 60.0) for c, key in cells}
    table = run_comparison(cells, store, CONFIG)

    pd.testing.assert_frame_equal(table, compare_models(models, ENDPOINTS["dfs"], "overall", CONFIG.n_bootstraps, CONFIG.seed))
    assert table["metric"].tolist() == ["c_uno", "auc", "brier_skill"]
    assert (table["horizon_months"] == 12.0).all()
    assert not set(COHORT.patient_ids) & set(table.astype(str).to_numpy().ravel())


def test_cells_that_are_not_predicted_at_the_primary_horizon_are_not_compared(store: CellStore) -> None:
    key = run_fit(NULL, CONFIG, store, "key")
    table = run_comparison([(Cell("overall", "dfs", "none", "null_model"), key)], store, CONFIG)

    assert table.empty
    assert list(table) == COMPARISON_COLUMNS
