"""The two tables: one row a cell, ranked within its population and endpoint, and a reason for every gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cohort.types import ENDPOINTS
from evaluation.estimate import Estimate
from evaluation.metrics.registry import METRICS
from evaluation.tables import METRIC_COLUMNS, Cell, CellResult, leaderboard, leaderboard_columns, metrics_table


def _estimate(metric: str, value: float, horizon: float = 12.0, note: str = "") -> Estimate:
    return Estimate(metric, horizon, value, value - 0.05, value + 0.05, 268, 144, note)


def _done(model: str, auc: float, endpoint: str = "relapse_12m", population: str = "overall", **fields: object) -> CellResult:
    horizons = ENDPOINTS[endpoint].horizons_months
    estimates = tuple(_estimate(m, auc if m == "auc" else 0.2, h) for h in horizons for m in METRICS)
    return CellResult(Cell(population, endpoint, "baseline", model), "completed", estimates, seconds=1.5, **fields)


def _skipped(model: str = "paper_logistic", endpoint: str = "os") -> CellResult:
    return CellResult(Cell("overall", endpoint, "baseline", model), "skipped", note="answers one horizon only")


def _row(board: pd.DataFrame, model: str) -> pd.Series:
    (row,) = (r for _, r in board.iterrows() if r["model"] == model)
    return row


def test_the_leaderboard_has_one_row_a_cell_at_its_primary_horizon() -> None:
    board = leaderboard([_done("paper_cox", 0.6, "dfs"), _done("paper_logistic", 0.62), _skipped()])

    assert len(board) == 3
    assert list(board.columns) == leaderboard_columns()
    cox = _row(board, "paper_cox")
    assert (cox["horizon_months"], cox["n"], cox["n_events"], cox["seconds"]) == (12.0, 268, 144, 1.5)
    assert (cox["auc"], cox["auc_ci_low"], cox["auc_ci_high"]) == (0.6, 0.6 - 0.05, 0.6 + 0.05)


def test_every_metric_has_its_columns() -> None:
    for name in METRICS:
        assert {name, f"{name}_ci_low", f"{name}_ci_high"} <= set(leaderboard_columns())


def test_the_primary_horizon_is_the_last_whatever_the_order_of_estimates() -> None:
    cell = Cell("overall", "dfs", "baseline", "paper_cox")
    board = leaderboard([CellResult(cell, "completed", (_estimate("auc", 0.6, 12.0), _estimate("auc", 0.7, 6.0)))])

    assert board["auc"].tolist() == [0.6]


def test_ranks_follow_the_auc_within_a_population_and_endpoint_and_ties_share_the_better() -> None:
    results = [_done("a", 0.55), _done("b", 0.65), _done("c", 0.65), _done("d", 0.60)]
    others = [_done("e", 0.51, "relapse_6m"), _done("f", 0.52, population="primary_resected")]
    board = leaderboard([*results, *others])

    assert dict(zip(board["model"], board["rank"], strict=True)) == {"b": 1, "c": 1, "d": 3, "a": 4, "e": 1, "f": 1}


def test_rows_stand_by_population_then_endpoint_then_rank_with_the_unranked_last() -> None:
    board = leaderboard(
        [
            _done("late", 0.7, "dfs"),
            CellResult(Cell("overall", "relapse_6m", "baseline", "broken"), "failed", note="no fit"),
            _done("second", 0.6, "relapse_6m"),
            _done("first", 0.7, "relapse_6m"),
            _done("other", 0.7, population="primary_resected"),
        ]
    )

    assert board["model"].tolist() == ["first", "second", "broken", "late", "other"]


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_a_cell_without_a_result_keeps_its_row_without_a_rank_and_with_its_reason(status: str) -> None:
    cell = Cell("overall", "relapse_12m", "baseline", "broken")
    board = leaderboard([_done("paper_cox", 0.6), CellResult(cell, status, note="3 of 25 fits failed")])

    row = _row(board, "broken")
    assert (row["status"], row["note"]) == (status, "3 of 25 fits failed")
    assert pd.isna(row["rank"])
    assert np.isnan(row["auc"])


def test_a_leaderboard_of_skipped_cells_alone_has_no_rank() -> None:
    board = leaderboard([_skipped("a"), _skipped("b")])

    assert board["rank"].isna().all()
    assert len(board) == 2


def test_a_leaderboard_of_nothing_keeps_its_columns() -> None:
    assert list(leaderboard([]).columns) == leaderboard_columns()


@pytest.mark.parametrize(("auc", "flagged"), [(0.7501, True), (0.75, False), (0.60, False), (float("nan"), False)])
def test_an_auc_above_the_fields_best_is_flagged_as_a_leak(auc: float, flagged: bool) -> None:
    note = leaderboard([_done("paper_cox", auc)])["note"].iloc[0]

    assert ("AUC above 0.75" in note and "leak" in note) == flagged


def test_reasons_of_metrics_and_notes_of_the_fit_stand_in_the_note() -> None:
    refused = Estimate("calibration_slope", 12.0, np.nan, np.nan, np.nan, 268, 144, "all patients of a fold have one risk")
    cell = Cell("overall", "relapse_12m", "none", "null_model")
    board = leaderboard([CellResult(cell, "completed", (refused,), "first", notes=("last",))])

    assert board["note"].iloc[0] == "first; calibration_slope: all patients of a fold have one risk; last"


def test_a_reason_that_metrics_share_is_told_once() -> None:
    refused = tuple(
        Estimate(name, 12.0, np.nan, np.nan, np.nan, 268, 144, reason)
        for name, reason in (("calibration_slope", "one risk"), ("ppv_at_50", "nobody"), ("npv_at_50", "one risk"))
    )
    board = leaderboard([CellResult(Cell("overall", "relapse_12m", "none", "null_model"), "completed", refused)])

    assert board["note"].iloc[0] == "calibration_slope, npv_at_50: one risk; ppv_at_50: nobody"


def test_the_metrics_table_has_a_row_a_cell_metric_and_horizon_and_none_for_a_skipped_cell() -> None:
    table = metrics_table([_done("paper_cox", 0.6, "dfs"), _done("paper_logistic", 0.62), _skipped()])

    assert list(table.columns) == METRIC_COLUMNS
    assert len(table) == len(METRICS) * (2 + 1)
    assert not table.duplicated(["population", "endpoint", "feature_set", "model", "metric", "horizon_months"]).any()
    assert list(metrics_table([]).columns) == METRIC_COLUMNS


def test_a_cell_is_named_by_its_four_parts() -> None:
    assert Cell("overall", "dfs", "paper", "paper_cox").name == "overall/dfs/paper/paper_cox"
