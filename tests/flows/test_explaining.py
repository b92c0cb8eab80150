"""A fit is explained where the run asks for it, and a cell's explanation is found again as it was written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from evaluation.tables import Cell
from flows import work
from flows.cell_store import CellStore
from flows.config import BenchmarkConfig
from flows.explaining import explainer_of, read_explanation
from flows.plan import Fit
from flows.work import predictors_of, run_evaluation, run_fit

COHORT = simulate_cohort(90, signal=2.0, seed=6, missing_cea=0.2).cohort
CONFIG = BenchmarkConfig(preset="smoke", n_folds=3, n_repeats=1, explain=True)
COX = Fit("overall", "dfs", "baseline", "paper_cox")


@pytest.fixture(autouse=True)
def _a_worker_with_a_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_cohort", COHORT)


def _horizons(fit: Fit, config: BenchmarkConfig = CONFIG) -> tuple[float, ...] | None:
    patients = COHORT.population(fit.population)
    explainer = explainer_of(fit, config, predictors_of(COHORT, fit), patients.outcome("os" if fit.trained_on == "os" else "dfs"))
    return None if explainer is None else explainer.horizons_months


def test_a_fit_is_explained_at_the_last_horizon_of_every_endpoint_that_reads_it() -> None:
    assert _horizons(COX) == (6.0, 12.0)
    assert _horizons(Fit("overall", "relapse_6m", "baseline", "paper_logistic")) == (6.0,)
    assert _horizons(Fit("overall", "os", "baseline", "paper_cox")) == (60.0,)


def test_nothing_is_explained_without_predictors_or_where_the_run_does_not_ask() -> None:
    assert _horizons(Fit("overall", "dfs", "none", "null_model")) is None
    assert _horizons(COX, CONFIG.model_copy(update={"explain": False})) is None
    assert _horizons(COX, CONFIG.model_copy(update={"explain_models": ("xgboost_survival",)})) is None


def test_smoke_does_not_explain_the_others_do() -> None:
    assert [BenchmarkConfig(preset=preset).explain for preset in ("smoke", "default", "full")] == [False, True, True]


def test_full_explains_every_model_and_default_a_few() -> None:
    forests = [BenchmarkConfig(preset=preset).explains("random_survival_forest") for preset in ("default", "full")]
    assert forests == [False, True]
    assert BenchmarkConfig().explains("paper_cox")


def test_cell_has_its_explanation_in_its_folder_and_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    store = CellStore(tmp_path / "fits")
    run_fit(COX, CONFIG, store, "key")
    evaluated = run_evaluation(Cell("overall", "relapse_6m", "baseline", "paper_cox"), store, "key", CONFIG, tmp_path / "cell")
    explanation = evaluated.explanation

    assert store.holds("key"), "the tables' digests are among the entry's"
    assert explanation is not None
    assert set(explanation.importance["horizon_months"]) == {6.0}
    assert {p.stem for p in (tmp_path / "cell").glob("*.png")} >= {"importance", "shap", "nomogram"}
    assert set(explanation.images) == set(explanation.tables)
    assert explanation.formula == tuple(store.explained("key")["formula"]["line"])
    kept = store.explained("key")["nomogram"]
    read = explanation.tables["nomogram"]
    pd.testing.assert_frame_equal(read[["axis", "mark", "points"]], kept[["axis", "mark", "points"]], check_dtype=False)


def test_cell_of_a_run_that_does_not_explain_has_none(tmp_path: Path) -> None:
    store, config = CellStore(tmp_path / "fits"), CONFIG.model_copy(update={"explain": False})
    run_fit(COX, config, store, "key")
    evaluated = run_evaluation(Cell("overall", "dfs", "baseline", "paper_cox"), store, "key", config, tmp_path / "cell")

    assert store.explained("key") == {}
    assert evaluated.explanation is None
    assert read_explanation(tmp_path / "cell") is None
