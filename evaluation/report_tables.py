"""The report's result tables: every number with its interval, or a footnote that says why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.figures import feature_set_label, model_label, signed
from evaluation.metrics.metric import Metric
from evaluation.metrics.registry import METRICS
from evaluation.predictions import NO_FEATURES

NO_INTERVAL = "no interval was computed"
_NO_REASON = "no reason was recorded"


@dataclass(frozen=True)
class Shown:
    """A number as printed: ``value``, under it ``interval``, and ``mark`` of the footnote that says what is wrong."""

    value: str
    interval: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a result table: all its numbers, or the ``message`` that stands for them."""

    rank: str
    model: str
    features: str
    is_null: bool
    numbers: tuple[Shown, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class ResultTable:
    caption: str
    metrics: tuple[tuple[str, str], ...]
    """label, and what is good"""
    rows: tuple[Row, ...]
    footnotes: tuple[tuple[str, str], ...]
    ranked: bool


@dataclass(frozen=True)
class _Number:
    estimate: float
    ci_low: float
    ci_high: float
    note: str


class Footnotes:
    """Reasons, each numbered once in the order met."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def mark(self, reason: str) -> str:
        return self._marks.setdefault(reason, str(len(self._marks) + 1))

    def items(self) -> tuple[tuple[str, str], ...]:
        return tuple((mark, reason) for reason, mark in self._marks.items())


def result_tables(board: pd.DataFrame, metrics: pd.DataFrame) -> Iterator[ResultTable]:
    """The leaderboard at the primary horizon, then a table for every other horizon there are metrics for."""
    numbers = {
        (row["feature_set"], row["model"], row["metric"], float(row["horizon_months"])): _Number(
            float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"]), note_text(row["note"])
        )
        for _, row in metrics.iterrows()
    }
    horizons = board["horizon_months"].dropna()
    primary = float(horizons.iloc[0]) if len(horizons) else float("nan")

    def at_primary(cell: pd.Series, metric: str) -> _Number:
        known = numbers.get((cell["feature_set"], cell["model"], metric, primary))
        estimate, low, high = (float(cell[f"{metric}{suffix}"]) for suffix in ("", "_ci_low", "_ci_high"))
        return _Number(estimate, low, high, known.note if known else "")

    when = f"At {primary:g} months" if np.isfinite(primary) else "No horizon was evaluated"
    yield _result_table(when, board, at_primary, ranked=True)
    for horizon in sorted({key[3] for key in numbers} - {primary}):
        missing = _Number(float("nan"), float("nan"), float("nan"), "")
        completed = board[board["status"] == "completed"]

        def at_other(cell: pd.Series, metric: str, horizon: float = horizon, missing: _Number = missing) -> _Number:
            return numbers.get((cell["feature_set"], cell["model"], metric, horizon), missing)

        yield _result_table(f"At {horizon:g} months", completed, at_other, ranked=False)


def _result_table(caption: str, board: pd.DataFrame, number: Callable[[pd.Series, str], _Number], *, ranked: bool) -> ResultTable:
    footnotes = Footnotes()
    rows = tuple(_row(cell, number, footnotes) for _, cell in by_rank(board).iterrows())
    heads = tuple((metric.label, _what_is_good(metric)) for metric in METRICS.values())
    return ResultTable(f"{caption}: estimate (95% CI)", heads, rows, footnotes.items(), ranked)


def _what_is_good(metric: Metric) -> str:
    return f"right: {metric.reference:g}" if metric.better == "target" else f"{metric.better} is better"


def _row(cell: pd.Series, number: Callable[[pd.Series, str], _Number], footnotes: Footnotes) -> Row:
    completed = cell["status"] == "completed"
    is_null = cell["feature_set"] == NO_FEATURES
    reason = note_text(cell["note"]) or _NO_REASON
    return Row(
        rank="" if pd.isna(cell["rank"]) else f"{int(cell['rank'])}",
        model=model_label(cell["model"]),
        features=feature_set_label(cell["feature_set"]),
        is_null=is_null,
        numbers=tuple(_shown(number(cell, m), _decimals(m), footnotes) for m in METRICS) if completed else (),
        message="" if completed else f"{cell['status']}: {reason}",
    )


def _decimals(metric: str) -> int:
    return 3 if metric == "brier" else 2  # Brier scores of rival models differ in the third


def _shown(number: _Number, decimals: int, footnotes: Footnotes) -> Shown:
    if not np.isfinite(number.estimate):
        return Shown("not estimable", mark=footnotes.mark(f"not estimable: {number.note or _NO_REASON}"))
    value = signed(number.estimate, decimals)
    if not (np.isfinite(number.ci_low) and np.isfinite(number.ci_high)):
        return Shown(value, "no interval", footnotes.mark(f"no interval: {number.note or NO_INTERVAL}"))
    interval = f"{signed(number.ci_low, decimals)} to {signed(number.ci_high, decimals)}"
    return Shown(value, interval, footnotes.mark(number.note) if number.note else "")


def note_text(value: object) -> str:
    """A note as read from a table, where an absent one is NaN."""
    return value if isinstance(value, str) else ""


def by_rank(board: pd.DataFrame) -> pd.DataFrame:
    """The best cell first, those without a rank last."""
    return board.sort_values("rank", na_position="last", kind="stable")
