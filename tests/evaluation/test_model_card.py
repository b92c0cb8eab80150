"""A model card says what the run knows, marks what it cannot know, and never hides that a cohort is no evidence."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from evaluation.metrics.registry import METRICS
from evaluation.model_card import PERFORMANCE, CardData, model_card
from evaluation.verdict import Verdict

from .report_cases import SETTINGS, cell_row

DATA = CardData(
    model="paper_cox",
    feature_set="baseline",
    trained_on="dfs",
    population="overall",
    cohort_title="A cohort",
    cohort_name="a",
    evidence="reconstructed",
    citation="Someone 2024",
    digest="abc123",
    n_patients=60,
    predictors=(("age", "baseline"), ("presurgery_cea", "pre_surgery"), ("sex", "baseline")),
    params={"rate": 0.123456},
    notes=("entered: age",),
    board=pd.DataFrame([cell_row("baseline", "paper_cox", (0.61, 0.52, 0.68))]),
    verdicts=(
        Verdict(
            "overall",
            "dfs",
            "none",
            "reconstructed",
            "No useful model",
            numbers={"feature_set": "baseline", "model": "paper_cox"},
        ),
    ),
    settings=SETTINGS,
    provenance={"code": "0123abcd", "version": "0.1.0"},
)


def test_card_has_every_part_in_order() -> None:
    heads = [line.removeprefix("## ") for line in model_card(DATA).splitlines() if line.startswith("## ")]

    assert heads == [
        *("Intended use", "Patients", "Predictors", "Training", "Performance (internal validation)", "Verdict", "Limits"),
        *("Version", "Contact"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        "# Two-stage Cox (paper): disease-free survival, all patients",
        "**Evidence: reconstructed from published aggregate numbers: no patient's data, no clinical evidence.**",
        "by 6, 12 months",
        "60 patients. Source: Someone 2024",
        "digest abc123",
        "- baseline: Age at diagnosis of the metastases; Sex",
        "- pre surgery: Pre-surgery CEA",
        "5-fold cross-validation repeated 2 times",
        "rate = 0.1235",
        "The fit says: entered: age.",
        "| AUC | 0.610 (0.520 to 0.680) |",
        "| patients, events | 60, 30 |",
        "No useful model This is the model that it names.",
        "must not be used",
        "- code: 0123abcd",
        "whom to ask: *to be filled in by the site*",
        "Not a medical device",
    ],
)
def test_card_says(said: str) -> None:
    assert said in model_card(DATA)


def test_real_patients_are_no_reason_to_forbid_the_use_in_research() -> None:
    text = model_card(replace(DATA, evidence="real"))

    assert "must not be used" not in text
    assert "**Evidence: real patients.**" in text
    assert "Validated inside one cohort only" in text


def test_discrimination_accuracy_and_calibration_each_have_a_line_with_its_interval() -> None:
    text = model_card(DATA)

    assert {"auc", "brier", "calibration_slope", "o_e"} <= set(PERFORMANCE) <= set(METRICS)
    assert all(f"| {METRICS[name].label} |" in text for name in PERFORMANCE)


def test_a_failed_cell_says_why_and_has_no_numbers() -> None:
    board = DATA.board.assign(status="failed", note="1 of 11 fits failed")

    assert "Disease-free survival: failed, 1 of 11 fits failed" in model_card(replace(DATA, board=board))


def test_what_cannot_be_estimated_is_said() -> None:
    board = DATA.board.assign(calibration_slope=float("nan"), o_e_ci_low=float("nan"))
    text = model_card(replace(DATA, board=board))

    assert "| Calibration slope | not estimable |" in text
    assert "1.000 (no interval)" in text


def test_null_model_has_no_predictors() -> None:
    assert "None: everybody has the same risk." in model_card(replace(DATA, predictors=()))
