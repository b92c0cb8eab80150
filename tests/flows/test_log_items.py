"""What is logged of a cell and of a benchmark, as plain values, before any store is asked."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Endpoint
from evaluation.estimate import Estimate
from evaluation.metrics.registry import METRICS
from evaluation.tables import Cell, CellResult
from evaluation.verdict import Verdict
from flows.cell_store import FitSummary
from flows.log_items import Files, FittedModel, Item, ModelCard, Tags, benchmark_items, cell_items, metric_values
from flows.plan import Fit
from flows.work import EvaluatedCell

NAN = float("nan")
COHORT = simulate_cohort(20).cohort
COX = Fit("overall", "dfs", "paper", "paper_cox")
CELL = Cell("overall", "dfs", "paper", "paper_cox")


def _items(status: str = "completed", note: str = "", model: object = "a fitted procedure") -> list[Item]:
    summary = FitSummary(COX.name, 1.5, {"rate": 0.1}, ("entered: age",), (), 3)
    evaluated = EvaluatedCell(CellResult(CELL, status, note=note), Path("cell"))
    return list(cell_items(evaluated, COX, summary, pd.DataFrame(), COHORT, model))


def test_model_cards_and_folders_of_a_benchmark_are_logged(tmp_path: Path) -> None:
    board = pd.DataFrame([("overall", "dfs", 0.6, "completed")], columns=["population", "endpoint", "auc", "status"])
    (tmp_path / "model_cards").mkdir()
    items = list(benchmark_items(board, [], [tmp_path / "model_cards", tmp_path / "a.csv"], {COX.name: "# Card"}))

    assert items[:3] == [
        Files(tmp_path / "model_cards", "model_cards"),
        Files(tmp_path / "a.csv", ""),
        ModelCard(COX.name, "# Card"),
    ]


def test_status_comes_last_so_that_a_half_logged_cell_has_none() -> None:
    items = _items()

    assert items[-1] == Tags({"status": "completed"})
    assert not [i for i in items[:-1] if isinstance(i, Tags) and "status" in i.values]


def test_items_of_a_cell_are_plain_values_in_one_order() -> None:
    kinds = [type(i).__name__ for i in _items()]

    assert kinds == ["Tags", "Tags", "Params", "Metrics", "UsedCohort", "Files", "Table", "FittedModel", "Tags"]


def test_cell_whose_final_fit_failed_has_no_model_but_a_status_and_its_reason() -> None:
    items = _items("failed", "1 of 4 fits failed", model=None)

    assert not any(isinstance(i, FittedModel) for i in items)
    assert items[-1] == Tags({"status": "failed"})
    assert "1 of 4 fits failed" in items[0].values["mlflow.note.content"]


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda e: e.name)
def test_metric_names_are_valid_for_mlflow_and_say_what_when_and_which_bound(endpoint: Endpoint) -> None:
    estimates = tuple(Estimate(m, h, 0.5, 0.4, 0.6, 9, 3) for m in METRICS for h in endpoint.horizons_months)
    values = metric_values(CellResult(Cell("overall", endpoint.name, "paper", "paper_cox"), "completed", estimates))

    assert len(values) == 3 * len(estimates) + 3
    assert all(re.fullmatch(r"[\w\-. /]+", name, flags=re.ASCII) for name in values)
    horizon = f"{endpoint.primary_horizon_months:g}"
    assert values[f"auc/{horizon}_months"] == 0.5
    assert (values[f"interval/auc_{horizon}_months_low"], values[f"interval/auc_{horizon}_months_high"]) == (0.4, 0.6)


def test_benchmark_counts_cells_by_status_and_names_the_highest_auc_of_each_question() -> None:
    rows = [("overall", "dfs", 0.6, "completed"), ("overall", "dfs", 0.7, "completed"), ("overall", "os", NAN, "failed")]
    items = list(benchmark_items(pd.DataFrame(rows, columns=["population", "endpoint", "auc", "status"]), [], [Path("a")]))

    assert [type(i).__name__ for i in items] == ["Files", "Tags", "Metrics", "Metrics"]
    assert items[2].values == {"cells/completed": 2.0, "cells/failed": 1.0}
    assert items[3].values["highest_auc/overall_dfs"] == 0.7


def test_benchmark_is_tagged_with_the_verdict_of_each_question() -> None:
    verdicts = [Verdict("overall", e, "none", "real", f"No useful model: {e}.") for e in ("dfs", "os")]
    board = pd.DataFrame(columns=["population", "endpoint", "auc", "status"])
    [tags] = [item for item in benchmark_items(board, verdicts, []) if isinstance(item, Tags)]

    assert tags.values == {"verdict/overall_dfs": "No useful model: dfs.", "verdict/overall_os": "No useful model: os."}
