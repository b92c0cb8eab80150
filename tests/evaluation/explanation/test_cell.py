"""A cell's explanation: tables at its horizon, a figure for each, and reasons."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.explanation import cell, figures
from evaluation.explanation.cell import CellExplanation, explain_cell, regression_tables

from .cases import PREDICTORS, fitted, kept


def _explain(name: str) -> CellExplanation:
    return explain_cell(kept(name), "Title", 12.0, n_folds=3, n_repeats=2)


def test_regression_has_all_four_tables_each_with_its_figure_and_a_formula() -> None:
    explanation = _explain("paper_cox")

    assert set(explanation.tables) == {"importance", "shap", "partial_dependence", "nomogram"}
    assert set(explanation.images) == set(explanation.tables)
    assert all(image.startswith(b"\x89PNG") for image in explanation.images.values())
    assert explanation.formula[0].startswith("L = ")
    assert explanation.notes == ()


def test_trees_have_no_nomogram_and_no_formula() -> None:
    explanation = _explain("random_survival_forest")

    assert set(explanation.tables) == {"importance", "shap", "partial_dependence"}
    assert explanation.formula == ()
    assert set(explanation.shap["scale"]) == {"risk"}


def test_reasons_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "png", lambda _: b"png")
    tables = kept("paper_cox")
    failures = tables["not_explained"]
    failures.loc[0], failures.loc[1] = [0, 0, "singular"], [0, 1, "singular"]
    explanation = explain_cell(tables, "Title", 12.0, 3, 2)

    assert explanation.notes == ("singular (2 of 6 folds)",)


def test_what_the_simulation_made_matter_leads() -> None:
    """Lesions have the largest effect of the simulation (0.5 a standard deviation, twice that at this signal)."""
    table = _explain("random_survival_forest").importance
    leading = table[table["metric"] == "auc"].head(5)

    assert leading["predictor"].isin(["baseline_lesions", "presurgery_lesions"]).any()
    assert not leading["predictor"].isin(["age", "sex", "adjuvant_chemotherapy"]).any(), "these have no effect"


def test_only_a_regression_has_regression_tables() -> None:
    grid = kept("paper_cox")["grid"]

    assert regression_tables(fitted("random_survival_forest"), PREDICTORS, grid) == {}
    assert set(regression_tables(fitted("paper_cox"), PREDICTORS, grid)) == {"formula", "nomogram"}


def test_importance_figure_draws_the_tables_intervals() -> None:
    table = _explain("paper_cox").importance
    axes = figures.importance_figure("t", table).axes
    top = table[table["metric"] == "auc"].head(figures.MOST_SHOWN)
    points = next(line for line in axes[0].lines if line.get_marker() == "o")
    segments = axes[0].collections[0].get_segments()

    np.testing.assert_allclose(points.get_xdata(), top["importance"])
    np.testing.assert_allclose([[s[0][0], s[1][0]] for s in segments], top[["ci_low", "ci_high"]])


def test_shap_figure_draws_no_group_that_is_too_small_and_no_patient() -> None:
    table = _explain("paper_cox").shap
    axes = figures.shap_figure("t", table).axes[0]
    shown = table[table["predictor"].isin(table["predictor"].drop_duplicates().head(8))]

    assert len([line for line in axes.lines if line.get_marker() == "|"]) == len(shown), "a median a group"
    assert not any(len(line.get_xdata()) > 2 for line in axes.lines)


def test_dependence_figure_has_a_panel_for_each_predictor() -> None:
    table = _explain("paper_cox").dependence

    assert len(figures.dependence_figure("t", table, 12.0).axes) == table["predictor"].nunique()
