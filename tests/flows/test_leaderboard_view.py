"""The leaderboard as text: intervals, ranks, and one honest sentence."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from evaluation.estimate import Estimate
from evaluation.metrics.registry import METRICS
from evaluation.tables import Cell, CellResult, leaderboard
from evaluation.verdict import Verdict
from flows.leaderboard_view import artifact_rows, print_leaderboard, print_verdicts, summary, with_interval

NAN = float("nan")


def _result(
    model: str, auc: tuple[float, float, float], population: str = "overall", endpoint: str = "dfs", feature_set: str = "paper"
) -> CellResult:
    """A completed cell at 12 months: this AUC, all other metrics 0.2 (0.1 to 0.3)."""
    estimates = tuple(Estimate(m, 12.0, *(auc if m == "auc" else (0.2, 0.1, 0.3)), n=90, n_events=40) for m in METRICS)
    return CellResult(Cell(population, endpoint, feature_set, model), "completed", estimates, seconds=1.0, n_events_total=70)


def _undone(status: str, model: str = "paper_cox", population: str = "overall") -> CellResult:
    return CellResult(Cell(population, "os", "paper", model), status, note="because")


NULL = _result("null_model", (0.5, 0.5, 0.5), feature_set="none")
COX, TREES = _result("paper_cox", (0.6, 0.52, 0.68)), _result("xgboost_survival", (0.64, 0.48, 0.7))


def _printed(*results: CellResult) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_leaderboard(leaderboard(results), console)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("metric", "numbers", "text"),
    [
        ("auc", (0.614, 0.55, 0.6749), "0.61 (0.55, 0.67)"),
        ("brier", (0.2304, 0.2, 0.25), "0.230 (0.200, 0.250)"),
        ("auc", (0.614, NAN, NAN), "0.61"),
        ("auc", (NAN, NAN, NAN), "–"),
    ],
    ids=["two digits", "Brier has three", "no interval", "no estimate"],
)
def test_estimate_is_shown_with_its_interval(metric: str, numbers: tuple[float, float, float], text: str) -> None:
    row = pd.Series(dict(zip((metric, f"{metric}_ci_low", f"{metric}_ci_high"), numbers, strict=True)))

    assert with_interval(row, metric) == text


def test_artifact_has_one_row_a_cell_in_words() -> None:
    rows = artifact_rows(leaderboard([NULL, COX, TREES, _undone("failed"), _undone("skipped", "xgboost_survival")]))

    assert len(rows) == 5
    assert rows[0] == {
        "population": "overall",
        "endpoint": "dfs",
        "rank": "1",
        "model": "XGBoost survival (Cox)",
        "feature set": "paper",
        "events / patients": "40 / 90",
        "AUC": "0.64 (0.48, 0.70)",
        "Uno's C": "0.20 (0.10, 0.30)",
        "Brier": "0.200 (0.100, 0.300)",
        "Slope": "0.20 (0.10, 0.30)",
        "O/E": "0.20 (0.10, 0.30)",
        "status": "completed",
    }


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_artifact_row_of_an_undone_cell_has_no_number(status: str) -> None:
    [row] = artifact_rows(leaderboard([_undone(status)]))

    assert (row["status"], row["rank"], row["events / patients"]) == (status, "", "")
    assert {row[c] for c in ("AUC", "Uno's C", "Brier", "Slope", "O/E")} == {"–"}


def test_artifact_is_text_only_so_that_it_is_json() -> None:
    rows = artifact_rows(leaderboard([NULL, COX, _undone("failed")]))

    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_summary_names_the_highest_auc_and_counts_intervals_above_one_half_without_the_null_model() -> None:
    text = summary(leaderboard([NULL, COX, TREES]))

    assert text == "highest AUC 0.64 (0.48, 0.70), XGBoost survival (Cox) on paper; 1 of 2 intervals lie above 0.5"


def test_interval_that_touches_one_half_does_not_lie_above_it() -> None:
    assert "0 of 1 intervals" in summary(leaderboard([_result("paper_cox", (0.6, 0.5, 0.7))]))


def test_model_without_an_interval_is_not_counted_as_above() -> None:
    text = summary(leaderboard([_result("paper_cox", (0.6, NAN, NAN)), _result("xgboost_survival", (NAN, NAN, NAN))]))

    assert text.startswith("highest AUC 0.60,")
    assert text.endswith("0 of 2 intervals lie above 0.5")


def test_null_model_alone_is_said_to_be_alone() -> None:
    assert summary(leaderboard([NULL])) == "the null model only"


def test_first_population_is_printed_in_full_and_the_others_in_a_line() -> None:
    text = _printed(NULL, COX, TREES, _result("paper_cox", (0.55, 0.4, 0.7), population="primary_resected"))

    assert "Disease-free survival · All patients" in text
    assert "40 events by 12 months (70 in all)" in text
    assert "90 patients" in text
    assert text.index("XGBoost survival (Cox)") < text.index("Two-stage Cox (paper)"), "the best first"
    assert "Primary tumour resected at baseline: highest AUC 0.55 (0.40, 0.70)" in text
    assert text.count("Slope") == 1


def test_question_without_a_completed_cell_says_how_its_cells_ended() -> None:
    text = _printed(_undone("failed"), _undone("skipped", "xgboost_survival"))

    assert "Overall survival · All patients: nothing completed" in text
    assert "1 failed, 1 skipped: because" in text


def test_failed_cell_is_no_row_of_the_table() -> None:
    failed = CellResult(Cell("overall", "dfs", "baseline", "gradient_boosted_survival"), "failed", note="broken")
    text = _printed(NULL, COX, failed)

    assert "nan" not in text.lower()
    assert "baseline" not in text


def test_question_without_any_auc_names_no_best_model() -> None:
    board = leaderboard([NULL, _result("paper_cox", (float("nan"),) * 3)])

    assert summary(board) == "no AUC could be estimated"


def test_each_verdict_is_printed_on_its_line_as_it_is_worded() -> None:
    console = Console(file=io.StringIO(), width=140)
    print_verdicts(
        [Verdict("overall", e, "not_judged", "real", f"Could not be judged: [fold 1] {e}.") for e in ("dfs", "os")], console
    )

    assert console.file.getvalue().splitlines()[-2:] == [
        "Disease-free survival – all patients: Could not be judged: [fold 1] dfs.",
        "Overall survival – all patients: Could not be judged: [fold 1] os.",
    ]
