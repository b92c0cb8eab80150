"""The report's result tables: every number with its interval, or a footnote that says why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.figures import feature_set_label, interval_text, model_label, signed
from evaluation.metrics.classification import AT_50, AT_OBSERVED
from evaluation.metrics.metric import Metric
from evaluation.metrics.registry import METRICS
from evaluation.predictions import NO_FEATURES

#: What stands in the open: as many columns as a page holds.
HEADLINE = ("auc", "c_harrell", "c_uno", "brier", "calibration_intercept", "calibration_slope", "o_e")
_AT_OBSERVED, _AT_50 = (tuple(metric.name for metric in metrics) for metrics in (AT_OBSERVED, AT_50))
_FURTHER = tuple(name for name in METRICS if name not in (*HEADLINE, *_AT_OBSERVED, *_AT_50))
#: The tables of all other metrics: what they are called, and their columns.
_OTHER_TABLES = (
    ("further metrics", _FURTHER),
    ("called high from the observed risk on", _AT_OBSERVED),
    ("called high from 50% on", _AT_50),
)
#: Rival models differ in the third decimal of these.
_THREE_DECIMALS = ("brier", "log_loss", "ici", "e50", "e90")

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
class TableGroup:
    """Tables that are folded away under one title."""

    title: str
    tables: tuple[ResultTable, ...]


@dataclass(frozen=True)
class _Number:
    estimate: float
    ci_low: float
    ci_high: float
    note: str


#: A cell's number of a metric.
_Lookup = Callable[[pd.Series, str], _Number]


class Footnotes:
    """Reasons, each numbered once in the order met."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def mark(self, reason: str) -> str:
        return self._marks.setdefault(reason, str(len(self._marks) + 1))

    def items(self) -> tuple[tuple[str, str], ...]:
        return tuple((mark, reason) for reason, mark in self._marks.items())


def result_tables(board: pd.DataFrame, metrics: pd.DataFrame) -> tuple[ResultTable, tuple[TableGroup, ...]]:
    """The leaderboard at the primary horizon; then its other metrics, and all metrics at every other horizon."""
    numbers, primary = _numbers(metrics), _primary_horizon(board)
    at_primary = _at_primary(numbers, primary)
    when = f"At {primary:g} months" if np.isfinite(primary) else "No horizon was evaluated"
    groups = [TableGroup(f"{when}: all other metrics", _other_tables(when, board, at_primary, ranked=True))]
    for horizon in sorted({key[3] for key in numbers} - {primary}):
        missing = _Number(float("nan"), float("nan"), float("nan"), "")
        completed = board[board["status"] == "completed"]

        def at_other(cell: pd.Series, metric: str, horizon: float = horizon, missing: _Number = missing) -> _Number:
            return numbers.get((cell["feature_set"], cell["model"], metric, horizon), missing)

        then = f"At {horizon:g} months"
        tables = (
            _result_table(then, HEADLINE, completed, at_other, ranked=False),
            *_other_tables(then, completed, at_other, ranked=False),
        )
        groups.append(TableGroup(f"{then}: all metrics", tables))
    return _result_table(when, HEADLINE, board, at_primary, ranked=True), tuple(groups)


def table_at_primary(what: str, names: tuple[str, ...], board: pd.DataFrame, metrics: pd.DataFrame) -> ResultTable:
    """Some metrics at the primary horizon; ``what`` is said in front of it."""
    primary = _primary_horizon(board)
    when = f"{what}, at {primary:g} months" if np.isfinite(primary) else f"{what}: no horizon was evaluated"
    return _result_table(when, names, board, _at_primary(_numbers(metrics), primary), ranked=False)


def _numbers(metrics: pd.DataFrame) -> dict[tuple[str, str, str, float], _Number]:
    """By feature set, model, metric and horizon."""
    return {
        (row["feature_set"], row["model"], row["metric"], float(row["horizon_months"])): _Number(
            float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"]), note_text(row["note"])
        )
        for _, row in metrics.iterrows()
    }


def _primary_horizon(board: pd.DataFrame) -> float:
    horizons = board["horizon_months"].dropna()
    return float(horizons.iloc[0]) if len(horizons) else float("nan")


def _at_primary(numbers: Mapping[tuple[str, str, str, float], _Number], primary: float) -> _Lookup:
    def number(cell: pd.Series, metric: str) -> _Number:
        known = numbers.get((cell["feature_set"], cell["model"], metric, primary))
        estimate, low, high = (float(cell[f"{metric}{suffix}"]) for suffix in ("", "_ci_low", "_ci_high"))
        return _Number(estimate, low, high, known.note if known else "")

    return number


def _other_tables(when: str, board: pd.DataFrame, number: _Lookup, *, ranked: bool) -> tuple[ResultTable, ...]:
    return tuple(_result_table(f"{when}, {what}", names, board, number, ranked=ranked) for what, names in _OTHER_TABLES)


def _result_table(caption: str, names: tuple[str, ...], board: pd.DataFrame, number: _Lookup, *, ranked: bool) -> ResultTable:
    footnotes = Footnotes()
    rows = tuple(_row(cell, names, number, footnotes) for _, cell in by_rank(board).iterrows())
    heads = tuple((METRICS[name].label, _what_is_good(METRICS[name])) for name in names)
    return ResultTable(f"{caption}: estimate (95% CI)", heads, rows, footnotes.items(), ranked)


def _what_is_good(metric: Metric) -> str:
    return f"right: {metric.reference:g}" if metric.better == "target" else f"{metric.better} is better"


def _row(cell: pd.Series, names: tuple[str, ...], number: _Lookup, footnotes: Footnotes) -> Row:
    completed = cell["status"] == "completed"
    is_null = cell["feature_set"] == NO_FEATURES
    reason = note_text(cell["note"]) or _NO_REASON
    return Row(
        rank="" if pd.isna(cell["rank"]) else f"{int(cell['rank'])}",
        model=model_label(cell["model"]),
        features=feature_set_label(cell["feature_set"]),
        is_null=is_null,
        numbers=tuple(_shown(number(cell, m), _decimals(m), footnotes) for m in names) if completed else (),
        message="" if completed else f"{cell['status']}: {reason}",
    )


def _decimals(metric: str) -> int:
    return 3 if metric in _THREE_DECIMALS else 2


def _shown(number: _Number, decimals: int, footnotes: Footnotes) -> Shown:
    if not np.isfinite(number.estimate):
        return Shown("not estimable", mark=footnotes.mark(f"not estimable: {number.note or _NO_REASON}"))
    value = signed(number.estimate, decimals)
    interval = interval_text(number.ci_low, number.ci_high, decimals)
    if not interval:
        return Shown(value, "no interval", footnotes.mark(f"no interval: {number.note or NO_INTERVAL}"))
    return Shown(value, interval, footnotes.mark(number.note) if number.note else "")


def note_text(value: object) -> str:
    """A note as read from a table, where an absent one is NaN."""
    return value if isinstance(value, str) else ""


def by_rank(board: pd.DataFrame) -> pd.DataFrame:
    """The best cell first, those without a rank last."""
    return board.sort_values("rank", na_position="last", kind="stable")
