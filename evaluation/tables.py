"""The two result tables: ``metrics.csv`` (tidy) and ``leaderboard.csv`` (one row a cell)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

import pandas as pd

from cohort.types import ENDPOINTS, POPULATIONS
from evaluation.estimate import Estimate
from evaluation.leak_audit import FIELD_BEST_AUC
from evaluation.metrics.registry import METRICS

CELL_COLUMNS = ["population", "endpoint", "feature_set", "model"]
METRIC_COLUMNS = [*CELL_COLUMNS, "metric", "horizon_months", "estimate", "ci_low", "ci_high", "n", "n_events", "note"]
#: What the leaderboard is ordered by, within an endpoint and population.
RANKED_BY = "auc"


@dataclass(frozen=True)
class Cell:
    """One question to one model: population, endpoint, feature set, model."""

    population: str
    endpoint: str
    feature_set: str
    model: str

    @property
    def name(self) -> str:
        return f"{self.population}/{self.endpoint}/{self.feature_set}/{self.model}"


@dataclass(frozen=True)
class CellResult:
    """What became of a cell. ``n_events_total`` are the endpoint's events in the whole follow-up, not by a horizon."""

    cell: Cell
    status: Literal["completed", "failed", "skipped"]
    estimates: tuple[Estimate, ...] = ()
    note: str = ""
    seconds: float = float("nan")
    notes: tuple[str, ...] = ()
    n_events_total: int | None = None


def metrics_table(results: Iterable[CellResult]) -> pd.DataFrame:
    """All estimates, one row a cell, metric and horizon."""
    rows = [{**asdict(r.cell), **asdict(e)} for r in results for e in r.estimates]
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def leaderboard(results: Iterable[CellResult]) -> pd.DataFrame:
    """One row a cell, at its endpoint's primary horizon; the best AUC first within each population and endpoint."""
    board = pd.DataFrame([_leaderboard_row(r) for r in results], columns=leaderboard_columns())
    by = ["population", "endpoint"]
    board["rank"] = board.groupby(by)[RANKED_BY].rank(ascending=False, method="min").astype("Int64")
    order = {name: i for i, name in enumerate(ENDPOINTS)}
    board["_endpoint"] = board["endpoint"].map(order)
    board = board.sort_values(["population", "_endpoint", "rank", "feature_set", "model"], na_position="last", kind="stable")
    return board.drop(columns="_endpoint").reset_index(drop=True)


def questions(leaderboard: pd.DataFrame) -> list[tuple[str, str]]:
    """(endpoint, population) in the registries' order, unknown names last."""
    pairs = leaderboard[["endpoint", "population"]].drop_duplicates().itertuples(index=False, name=None)
    endpoints, populations = list(ENDPOINTS), list(POPULATIONS)

    def place(names: list[str], name: str) -> int:
        return names.index(name) if name in names else len(names)

    return sorted(pairs, key=lambda pair: (place(endpoints, pair[0]), place(populations, pair[1]), pair))


def of_question(table: pd.DataFrame, endpoint: str, population: str) -> pd.DataFrame:
    """The rows of one question."""
    return table[(table["endpoint"] == endpoint) & (table["population"] == population)]


def leaderboard_columns() -> list[str]:
    metrics = [f"{name}{suffix}" for name in METRICS for suffix in ("", "_ci_low", "_ci_high")]
    return [*CELL_COLUMNS, "status", "rank", "n", "n_events", "horizon_months", "n_events_total", *metrics, "seconds", "note"]


def _leaderboard_row(result: CellResult) -> dict[str, object]:
    row: dict[str, object] = {
        **asdict(result.cell),
        "status": result.status,
        "seconds": result.seconds,
        "n_events_total": result.n_events_total,
    }
    notes = [result.note] if result.note else []
    by_reason: dict[str, list[str]] = {}
    primary = ENDPOINTS[result.cell.endpoint].primary_horizon_months
    for estimate in result.estimates:
        if estimate.horizon_months != primary:
            continue
        row |= {"horizon_months": primary, "n": estimate.n, "n_events": estimate.n_events}
        row |= {
            estimate.metric: estimate.estimate,
            f"{estimate.metric}_ci_low": estimate.ci_low,
            f"{estimate.metric}_ci_high": estimate.ci_high,
        }
        if estimate.note:
            by_reason.setdefault(estimate.note, []).append(estimate.metric)
        if estimate.metric == "auc" and estimate.estimate > FIELD_BEST_AUC:
            notes.append(f"AUC above {FIELD_BEST_AUC}: more than the field has reached, a leak until shown otherwise")
    reasons = [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    return {**row, "note": "; ".join([*notes, *reasons, *result.notes])}
