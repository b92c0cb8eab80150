"""The section on what models look at: says when intervals hold 0, that importance is no cause, and shows each table's numbers."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from evaluation.explanation.cell import CellExplanation
from evaluation.explanation.importance import IMPORTANCE_COLUMNS
from evaluation.report import render_report
from evaluation.report_explanation import explanation_view

from .report_cases import cell_row, report_data, text_of

KEY = ("overall", "dfs", "baseline", "paper_cox")
BOARD = pd.DataFrame([cell_row("baseline", "paper_cox", (0.6, 0.52, 0.68))])


def _explanation(*intervals: tuple[str, float, float, float], notes: tuple[str, ...] = ()) -> CellExplanation:
    rows = [
        {"predictor": name, "metric": metric, "horizon_months": 12.0, "importance": value, "ci_low": low, "ci_high": high}
        | {"rank": place, "rank_low": 1, "rank_high": 4, "n_folds": 10, "note": ""}
        for metric in ("auc", "brier")
        for place, (name, value, low, high) in enumerate(intervals, 1)
    ]
    table = pd.DataFrame(rows, columns=IMPORTANCE_COLUMNS)
    return CellExplanation({"importance": table}, {"importance": b"png"}, ("L = 1",), notes)


def _sentences(explanation: CellExplanation, board: pd.DataFrame = BOARD) -> str:
    view = explanation_view(board, {KEY: explanation})
    assert view is not None
    return " ".join(view.questions[0][1][0].sentences)


def test_without_an_explanation_there_is_no_section() -> None:
    assert explanation_view(BOARD, {}) is None
    assert "What the models look at" not in text_of(render_report(report_data()))


def test_intervals_that_hold_0_are_told_plainly() -> None:
    text = _sentences(_explanation(("age", 0.01, -0.02, 0.04), ("sex", 0.0, -0.01, 0.01)))

    assert text.startswith("No predictor is shown to matter: every interval of the fall in AUC includes 0")
    assert "of 2 such intervals, up to 0.1 on average would lie above 0 by chance" in text


def test_predictors_above_0_are_named_beside_how_many_chance_would_give() -> None:
    text = _sentences(_explanation(("baseline_cea", 0.05, 0.01, 0.09), ("sex", 0.0, -0.01, 0.01)))

    assert "interval above 0 for 1 of 2 predictors: Baseline CEA" in text
    assert "For all others it includes 0" in text


def test_predictors_that_no_fold_uses_are_no_chance_of_a_false_finding() -> None:
    assert "of 1 such intervals" in _sentences(_explanation(("age", 0.01, -0.02, 0.04), ("sex", 0.0, 0.0, 0.0)))
    assert _sentences(_explanation(("sex", 0.0, 0.0, 0.0))).startswith("No fold's model leans on a predictor")


def test_a_model_that_does_not_discriminate_is_said_to_have_little_to_explain() -> None:
    board = pd.DataFrame([cell_row("baseline", "paper_cox", (0.55, 0.49, 0.61))])

    assert _sentences(_explanation(("age", 0.1, 0.05, 0.2)), board).startswith("The model is not shown to discriminate")


def test_report_shows_numbers_figures_formula_reasons_and_that_importance_is_not_causation() -> None:
    explanation = _explanation(("age", 0.0123, -0.02, 0.04), notes=("no SHAP values",))
    data = replace(report_data(), leaderboard=BOARD, metrics=report_data().metrics.iloc[:0], explanations={KEY: explanation})
    page = render_report(data)
    text = text_of(page)

    assert "it is not causation" in text
    assert "0.012 (−0.020 to 0.040)" in text
    assert "L = 1" in text
    assert "no SHAP values." in text
    assert '<a href="#explanation">' in page
    assert "data:image/png;base64,cG5n" in page
