"""What the summary of a question must say, and of what it must warn."""

from __future__ import annotations

import pandas as pd
import pytest

from evaluation.report_summary import CellKey, summarise

from .report_cases import NAN, NULL, board_of, cell_row, decision_curve_of, metrics_of


def _sentences(
    *cells: dict[str, object], metrics: pd.DataFrame | None = None, curves: dict[CellKey, pd.DataFrame] | None = None
) -> str:
    summary = summarise(board_of(*cells), metrics_of() if metrics is None else metrics, curves or {})
    return " ".join((*summary.sentences, *summary.flags))


def test_best_model_is_named_with_its_interval_and_called_optimistic() -> None:
    text = _sentences(
        NULL, cell_row("baseline", "paper_cox", (0.6, 0.52, 0.68)), cell_row("paper", "paper_cox", (0.64, 0.5, 0.7))
    )

    assert "Two-stage Cox (paper), the paper's covariates, as the paper coded them: AUC 0.64 (95% CI 0.50 to 0.70)" in text
    assert "the highest of 2 and for that an optimistic estimate" in text


def test_models_whose_interval_lies_above_one_half_are_counted_without_the_null_model() -> None:
    text = _sentences(
        NULL, cell_row("baseline", "paper_cox", (0.6, 0.52, 0.68)), cell_row("paper", "paper_cox", (0.64, 0.5, 0.7))
    )

    assert "1 of 2 models has an AUC interval that lies above 0.5." in text
    assert "No model is shown to discriminate" not in text


@pytest.mark.parametrize(
    "auc",
    [(0.55, 0.45, 0.65), (0.55, 0.5, 0.6), (0.4, 0.3, 0.45), (0.6, NAN, NAN), (NAN, NAN, NAN)],
    ids=["spans", "touches", "lies below", "no interval", "no estimate"],
)
def test_no_model_is_shown_to_discriminate_when_no_interval_lies_above_one_half(auc: tuple[float, float, float]) -> None:
    assert "No model is shown to discriminate" in _sentences(NULL, cell_row("baseline", "paper_cox", auc))


def test_interval_below_one_half_is_named() -> None:
    assert "ranks running the wrong way: 1 of 1" in _sentences(NULL, cell_row("baseline", "paper_cox", (0.4, 0.3, 0.45)))


@pytest.mark.parametrize(
    ("brier", "said"),
    [
        (0.2, "1 of 1 models beats the null model's Brier score (0.240)"),
        (0.25, "No model beats the null model's Brier score (0.240)"),
    ],
)
def test_brier_score_is_held_against_the_null_model(brier: float, said: str) -> None:
    assert said in _sentences(NULL, cell_row("baseline", "paper_cox", (0.6, 0.5, 0.7), brier))


def test_missing_null_model_is_said() -> None:
    assert "cannot be compared" in _sentences(cell_row("baseline", "paper_cox", (0.6, 0.5, 0.7)))


def test_auc_above_the_field_is_flagged_as_a_leak_until_shown_otherwise() -> None:
    text = _sentences(NULL, cell_row("baseline", "paper_cox", (0.76, 0.7, 0.8)), cell_row("paper", "paper_cox", (0.75, 0.7, 0.8)))

    assert text.count("above what the field has reached: treat as a leak until shown otherwise") == 1
    assert "AUC 0.76 at 12 months" in text


def test_auc_above_the_field_is_flagged_at_every_horizon_once() -> None:
    rows = [("baseline", "paper_cox", "auc", h, a, 0.7, 0.9, "") for h, a in ((6.0, 0.8), (12.0, 0.77))]
    text = _sentences(NULL, cell_row("baseline", "paper_cox", (0.77, 0.7, 0.9)), metrics=metrics_of(*rows))

    assert text.count("treat as a leak") == 2
    assert "AUC 0.80 at 6 months" in text


def test_failed_and_skipped_cells_are_counted() -> None:
    text = _sentences(NULL, cell_row("baseline", "paper_cox", (NAN, NAN, NAN), NAN, status="failed"))

    assert "Of 2 cells 1 failed." in text


COX, TREES = ("overall", "dfs", "baseline", "paper_cox"), ("overall", "dfs", "baseline", "xgboost_survival")
BOTH = (NULL, cell_row("baseline", "paper_cox", (0.6, 0.5, 0.7)), cell_row("baseline", "xgboost_survival", (0.6, 0.5, 0.7)))


def test_models_better_than_both_defaults_are_counted_and_named_with_their_thresholds() -> None:
    text = _sentences(*BOTH, curves={COX: decision_curve_of(-0.01, 0.02, 0.01), TREES: decision_curve_of(-0.01, 0.0, NAN)})

    assert "1 of 2 models is better than treating all and treating nobody at some threshold" in text
    assert "Each of 3 thresholds is judged alone, so some pass by chance." in text
    assert (
        "Two-stage Cox (paper), known at diagnosis of the metastases: better than both defaults at thresholds of 20% to 30%."
        in text
    )
    assert "XGBoost" not in text.split("Net benefit")[1]


def test_no_model_is_shown_to_be_of_use_when_no_lower_bound_lies_above_0() -> None:
    text = _sentences(*BOTH, curves={COX: decision_curve_of(-0.01, 0.0, NAN), TREES: decision_curve_of(NAN, NAN, NAN)})

    assert "of 2 models none is shown to be better than treating all and treating nobody." in text


def test_the_null_model_is_not_counted_among_models_of_use() -> None:
    null = ("overall", "dfs", "none", "null_model")

    assert "of 1 models none" in _sentences(*BOTH, curves={null: decision_curve_of(1, 1, 1), COX: decision_curve_of(0, 0, 0)})


def test_without_decision_curves_nothing_is_said_of_net_benefit() -> None:
    assert "Net benefit" not in _sentences(*BOTH)
