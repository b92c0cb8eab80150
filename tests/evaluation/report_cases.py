"""Leaderboards, metrics and whole reports that the tests of the report share."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd

from cohort.describe import describe
from cohort.simulate import simulate_cohort
from evaluation.comparison import COMPARISON_COLUMNS
from evaluation.metrics.registry import METRICS
from evaluation.report import ReportData
from evaluation.tables import METRIC_COLUMNS, leaderboard_columns

NAN = float("nan")
SETTINGS = {"n_folds": 5, "n_repeats": 2, "n_trials": 4, "n_inner_folds": 3, "n_bootstraps": 500, "seed": 7}
COHORT = simulate_cohort(60).cohort


def cell_row(
    feature_set: str, model: str, auc: tuple[float, float, float], brier: float = 0.2, **changes: object
) -> dict[str, object]:
    """A leaderboard row of DFS in all patients; metrics besides AUC and Brier are 1 (0.9 to 1.1)."""
    row: dict[str, object] = {"population": "overall", "endpoint": "dfs", "feature_set": feature_set, "model": model}
    row |= {"status": "completed", "rank": 1, "n": 60, "n_events": 30, "horizon_months": 12.0, "seconds": 0.5, "note": ""}
    for metric in METRICS:
        estimate, low, high = {"auc": auc, "brier": (brier, brier - 0.01, brier + 0.01)}.get(metric, (1.0, 0.9, 1.1))
        row |= {metric: estimate, f"{metric}_ci_low": low, f"{metric}_ci_high": high}
    return row | changes


NULL = cell_row("none", "null_model", (0.5, 0.5, 0.5), 0.24, calibration_slope=NAN, rank=2)


def board_of(*cells: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=leaderboard_columns())


def metrics_of(*rows: tuple[str, str, str, float, float, float, float, str]) -> pd.DataFrame:
    """feature_set, model, metric, horizon, estimate, low, high, note."""
    return pd.DataFrame(
        [
            ("overall", "dfs", feature_set, model, metric, horizon, estimate, low, high, 60, 30, note)
            for feature_set, model, metric, horizon, estimate, low, high, note in rows
        ],
        columns=METRIC_COLUMNS,
    )


def decision_curve_of(*lower_bounds: float) -> pd.DataFrame:
    """A decision curve at thresholds 10 %, 20 %, …, with these lower bounds of the difference to the better default."""
    low = pd.Series(lower_bounds, dtype=float)
    return pd.DataFrame(
        {
            "threshold": [(number + 1) / 10 for number in range(len(low))],
            "share_treated": 0.5,
            "net_benefit": low + 0.2,
            "ci_low": low + 0.1,
            "ci_high": low + 0.3,
            "treat_all": 0.1,
            "treat_none": 0.0,
            "difference": low + 0.1,
            "difference_ci_low": low,
            "difference_ci_high": low + 0.2,
            "note": "",
        }
    )


def compared_row(
    metric: str, comparison: str, model: str = "paper_cox", feature_set: str = "baseline", **changes: object
) -> dict[str, object]:
    """A comparison of DFS in all patients: 0.10 (0.03 to 0.17), P 0.01, corrected 0.02."""
    row: dict[str, object] = {"population": "overall", "endpoint": "dfs", "horizon_months": 12.0, "comparison": comparison}
    row |= {"metric": metric, "feature_set": feature_set, "model": model}
    row |= {"reference_feature_set": "none", "reference_model": "null_model", "difference": 0.1, "ci_low": 0.03, "ci_high": 0.17}
    row |= {"p_value": 0.01, "p_holm": 0.02, "probability_of_practical_gain": 0.9, "n": 60, "n_events": 30, "note": ""}
    return row | changes


def compared_of(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


SLOPE_NOTE = ("none", "null_model", "calibration_slope", 12.0, NAN, NAN, NAN, "all patients of a fold have one risk")


def report_data(*cells: dict[str, object], **changes: object) -> ReportData:
    data = ReportData(
        cohort_title="A cohort",
        cohort_name="a_cohort",
        evidence="simulated",
        citation="Somebody 2024",
        digest="0123456789abcdef",
        description=describe(COHORT),
        leaderboard=board_of(*(cells or (NULL, cell_row("baseline", "paper_cox", (0.6, 0.52, 0.68))))),
        metrics=metrics_of(SLOPE_NOTE),
        settings=SETTINGS,
        provenance={"Code version": "0.1.0"},
    )
    return replace(data, **changes)


class _Text(HTMLParser):
    """What a reader sees: the text outside <style>."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", " ".join(_Text(html).parts))
