"""Figures of the explanation's tables: they compute nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation.explanation.attribution import MISSING
from evaluation.explanation.importance import METRIC_LABELS
from evaluation.explanation.nomogram import POINTS, RISK, TOTAL
from evaluation.figures import level_label, variable_label

_INK, _GREY, _LIGHT, _BLUE, _BAND = "#1a1a1a", "#767676", "#d4d4d4", "#0072b2", "#cfe4f1"
_SHADES = ("#86bfe0", "#0072b2", "#0b2c45")
_TEXT = 8.5
#: What fits on a page; the tables have all.
MOST_SHOWN = 12
_MOST_BANDS = 8
#: Marks nearer than this share of a nomogram's width to the last one named go without a text.
_BETWEEN_MARKS = 0.045
_LABELS_INCHES, _ROW_INCHES, _HEAD_INCHES, _FOOT_INCHES = 3.3, 0.25, 0.95, 0.55


def importance_figure(title: str, importance: pd.DataFrame) -> Figure:
    """What AUC and Brier score lose when a predictor is shuffled, with 95 % intervals, from
    :func:`evaluation.explanation.importance.importance_table`; in the order of the AUC's.
    """
    names = list(importance.loc[importance["metric"] == "auc"].head(MOST_SHOWN)["predictor"])
    width, height = 11.0, _HEAD_INCHES + _FOOT_INCHES + _ROW_INCHES * len(names)
    figure = _figure(title, width, height)
    for number, (metric, label) in enumerate(METRIC_LABELS.items()):
        box = (_LABELS_INCHES + 3.9 * number, 3.5)
        axes = _rows_axes(figure, box, (width, height), len(names))
        axes.set_title(f"{label} when shuffled (95% CI)", fontsize=9.5, loc="left", color=_INK)
        rows = importance[importance["metric"] == metric].set_index("predictor").loc[names]
        axes.axvline(0, color=_GREY, linewidth=1.1, zorder=1)
        axes.hlines(range(len(names)), rows["ci_low"], rows["ci_high"], color=_BLUE, linewidth=1.5, zorder=2)
        axes.plot(rows["importance"], range(len(names)), "o", color=_BLUE, markersize=5, zorder=3)
        if number == 0:
            _row_labels(axes, [variable_label(name) for name in names])
    return figure


def shap_figure(title: str, shap: pd.DataFrame) -> Figure:
    """SHAP values of out-of-fold patients by group of a predictor's value: median, middle half, and from the 5th to the 95th
    percentile, from :func:`evaluation.explanation.attribution.shap_table`.
    """
    names = list(shap["predictor"].drop_duplicates().head(_MOST_BANDS))
    rows = shap[shap["predictor"].isin(names)].reset_index(drop=True)
    width, height = 11.0, _HEAD_INCHES + _FOOT_INCHES + _ROW_INCHES * 0.8 * len(rows)
    figure = _figure(title, width, height)
    axes = _rows_axes(figure, (_LABELS_INCHES + 2.4, 5.0), (width, height), len(rows))
    axes.set_title(f"SHAP value on the scale of the {shap['scale'].iloc[0]}", fontsize=9.5, loc="left", color=_INK)
    axes.axvline(0, color=_GREY, linewidth=1.1, zorder=1)
    for name in names:
        of_name = rows[rows["predictor"] == name]
        for shade, (y, row) in enumerate(of_name.iterrows()):
            colour = _GREY if row["group"] == MISSING else _SHADES[min(shade, len(_SHADES) - 1)]
            axes.hlines(y, row["q05"], row["q95"], color=colour, linewidth=1, zorder=2)
            axes.hlines(y, row["q25"], row["q75"], color=colour, linewidth=4, zorder=3)
            axes.plot(row["q50"], y, "|", color=_INK, markersize=7, zorder=4)
    groups = [f"{level_label(group)} ({n})" for group, n in zip(rows["group"], rows["n"], strict=True)]
    _row_labels(axes, groups)
    firsts = rows.drop_duplicates("predictor")
    _row_labels(axes, [variable_label(name) for name in firsts["predictor"]], list(firsts.index), x=-1.12, left=True)
    return figure


def dependence_figure(title: str, dependence: pd.DataFrame, horizon_months: float) -> Figure:
    """The mean risk by value of each top predictor: mean of the fold models, and the 5th to 95th percentile of single ones."""
    names = list(dependence["predictor"].drop_duplicates())
    lines = -(-len(names) // 3)
    width, height = 11.0, 0.6 + 2.5 * lines
    figure = _figure(title, width, height)
    low, high = float(dependence["fold_low"].min()), float(dependence["fold_high"].max())
    for number, name in enumerate(names):
        line, place = divmod(number, 3)
        left, bottom = 0.65 + 3.6 * place, height - 0.6 - 2.5 * (line + 1) + 0.65
        axes = figure.add_axes((left / width, bottom / height, 2.8 / width, 1.5 / height))
        _plain(axes)
        axes.set_title(variable_label(name), fontsize=8.5, loc="left", color=_INK)
        axes.set_ylim(max(low - 0.05, 0), min(high + 0.05, 1))
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
        if place == 0:
            axes.set_ylabel(f"Risk by {horizon_months:g} months", fontsize=_TEXT, color=_INK)
        _draw_dependence(axes, dependence[dependence["predictor"] == name])
    return figure


def _draw_dependence(axes: Axes, rows: pd.DataFrame) -> None:
    if (rows["level"] != "").all():
        places = range(len(rows))
        axes.vlines(places, rows["fold_low"], rows["fold_high"], color=_BLUE, linewidth=1.4)
        axes.plot(places, rows["mean_risk"], "o", color=_BLUE, markersize=5)
        axes.set_xticks(places, [level_label(level) for level in rows["level"]], fontsize=7.5)
        axes.set_xlim(-0.5, len(rows) - 0.5)
    else:
        axes.fill_between(rows["value"], rows["fold_low"], rows["fold_high"], color=_BAND, linewidth=0)
        axes.plot(rows["value"], rows["mean_risk"], color=_BLUE, linewidth=1.8, marker="o", markersize=3)
        axes.xaxis.set_major_locator(MaxNLocator(5))


def nomogram_figure(title: str, marks: pd.DataFrame) -> Figure:
    """Points, a line a predictor, total points, and the risk by each horizon, from
    :func:`evaluation.explanation.nomogram.nomogram`.
    """
    points = marks[marks["axis"] == POINTS]
    names = list(points["predictor"].drop_duplicates())
    total, risk = marks[marks["axis"] == TOTAL], marks[marks["axis"] == RISK]
    horizons = list(risk["horizon_months"].drop_duplicates())
    lines = 1 + len(names) + 1 + len(horizons)
    width, height = 11.0, 0.75 + 0.45 * lines
    figure = _figure(title, width, height)
    axes = figure.add_axes((3.3 / width, 0.15 / height, 7.4 / width, (height - 0.6) / height))
    axes.axis("off")
    axes.set(xlim=(-0.02, 1.02), ylim=(lines - 0.3, -0.7))
    ruler = pd.DataFrame({"mark": [f"{p}" for p in range(0, 101, 10)], "points": np.arange(0.0, 101.0, 10)})
    _nomogram_line(axes, 0, "Points", ruler, 100)
    for y, name in enumerate(names, 1):
        _nomogram_line(axes, y, variable_label(name), points[points["predictor"] == name], 100)
    most = float(total["points"].max())
    _nomogram_line(axes, 1 + len(names), "Total points", total, most)
    for y, horizon in enumerate(horizons, 2 + len(names)):
        _nomogram_line(axes, y, f"Risk by {horizon:g} months", risk[risk["horizon_months"] == horizon], most)
    return figure


def _nomogram_line(axes: Axes, y: int, label: str, marks: pd.DataFrame, most: float) -> None:
    """A scale with its marks at their points, as a share of the ``most``; marks too near the one before go without a text."""
    marks = marks.sort_values("points")
    x = marks["points"].to_numpy() / most
    axes.text(-0.03, y, label, fontsize=_TEXT, color=_INK, ha="right", va="center", parse_math=False)
    axes.hlines(y, x.min(), x.max(), color=_INK, linewidth=1)
    axes.vlines(x, y, y + 0.12, color=_INK, linewidth=1)
    last = -1.0
    for place, text in zip(x, marks["mark"], strict=True):
        if place - last >= _BETWEEN_MARKS:
            words = level_label(text).replace("-", "\N{MINUS SIGN}") if text.startswith("-") else level_label(text)
            axes.text(place, y + 0.16, words, fontsize=7, color=_INK, ha="center", va="top", parse_math=False)
            last = place


def _figure(title: str, width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.text(
        0.12 / width, 1 - 0.22 / height, title, fontsize=10.5, fontweight="bold", color=_INK, va="center", parse_math=False
    )
    return figure


def _rows_axes(figure: Figure, box: tuple[float, float], size: tuple[float, float], n_rows: int) -> Axes:
    """Axes with a row a line, ``box`` its left edge and width in inches."""
    width, height = size
    plot = height - _HEAD_INCHES - _FOOT_INCHES
    axes = figure.add_axes((box[0] / width, _FOOT_INCHES / height, box[1] / width, plot / height))
    _plain(axes)
    axes.set(ylim=(n_rows - 0.4, -0.6), yticks=())
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    return axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(labelsize=7.5, colors=_INK, color=_LIGHT, length=3)


def _row_labels(axes: Axes, labels: list[str], at: list[int] | None = None, x: float = -0.02, *, left: bool = False) -> None:
    for y, label in zip(at if at is not None else range(len(labels)), labels, strict=True):
        axes.text(
            x,
            y,
            label,
            transform=axes.get_yaxis_transform(),
            fontsize=_TEXT,
            color=_INK,
            ha="left" if left else "right",
            va="center",
            parse_math=False,
        )
