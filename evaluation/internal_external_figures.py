"""Forest plots of centres. They compute nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures import feature_set_label, figure_axes, figure_title, model_label, signed
from evaluation.internal_external import POOLED
from evaluation.metrics.registry import METRICS

_BLUE, _INK, _GREY = "#0072b2", "#1a1a1a", "#767676"

#: What is drawn, and the axis of each: limits, ticks, scale.
SHOWN: dict[str, tuple[tuple[float, float], tuple[float, ...], str]] = {
    "auc": ((0.3, 0.9), (0.4, 0.5, 0.6, 0.7, 0.8), "linear"),
    "calibration_slope": ((-1.0, 3.0), (0.0, 1.0, 2.0), "linear"),
    "o_e": ((0.4, 2.5), (0.5, 0.67, 1.0, 1.5, 2.0), "log"),
}
_LABELS_INCHES, _PLOT_INCHES, _NUMBERS_INCHES = 2.4, 1.75, 1.5


def centre_forest(rows: pd.DataFrame, title: str) -> Figure:
    """One question's rows of :func:`evaluation.internal_external.centre_table` at one horizon: the centres of each model, below
    them their mean with its interval and, thin, the prediction interval.
    """
    groups = list(rows.groupby(["feature_set", "model"], sort=False))
    lines = sum(1 + group["centre"].nunique() for _, group in groups)
    plot_inches = 0.235 * (lines + 1)
    width, height = _LABELS_INCHES + (_PLOT_INCHES + _NUMBERS_INCHES) * len(SHOWN), plot_inches + 1.1
    figure = Figure(figsize=(width, height), facecolor="white")
    figure_title(figure, title, 0.12 / width, 1 - 0.2 / height)
    for number, metric in enumerate(SHOWN):
        left = _LABELS_INCHES + (_PLOT_INCHES + _NUMBERS_INCHES) * number
        axes = figure_axes(figure, (left / width, 0.42 / height, _PLOT_INCHES / width, plot_inches / height))
        _prepare(axes, metric, lines)
        y = 0
        for (feature_set, model), group in groups:
            if number == 0:
                name = f"{model_label(str(model))}, {feature_set_label(str(feature_set)).lower()}"
                _name(axes, y, name, weight="bold")
            for centre in dict.fromkeys(group["centre"]):
                y += 1
                row = group[(group["centre"] == centre) & (group["metric"] == metric)].iloc[0]
                if number == 0:
                    _name(axes, y, f"   {centre}" + ("" if centre == POOLED else f" ({row['n_events']:.0f}/{row['n']:.0f})"))
                _draw(axes, y, row, metric)
            y += 1
    return figure


def _prepare(axes: Axes, metric: str, lines: int) -> None:
    limits, ticks, scale = SHOWN[metric]
    axes.set_xscale(scale)
    axes.set(xlim=limits, ylim=(lines - 0.3, -0.9), yticks=())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.spines["left"].set_visible(False)
    axes.set_title(f"{METRICS[metric].label} (95% CI)", fontsize=9.5, loc="left", color=_INK, pad=4)
    axes.axvline(METRICS[metric].reference or 0.0, color=_GREY, linewidth=1.1, zorder=1)


def _name(axes: Axes, y: int, text: str, weight: str = "normal") -> None:
    x = (0.12 - _LABELS_INCHES) / _PLOT_INCHES
    beside = axes.get_yaxis_transform()
    axes.text(x, y, text, transform=beside, fontsize=8.5, fontweight=weight, color=_INK, va="center", parse_math=False)


def _draw(axes: Axes, y: int, row: pd.Series, metric: str) -> None:
    pooled = row["centre"] == POOLED
    colour, marker = (_INK, "D") if pooled else (_BLUE, "o")
    beside = axes.get_yaxis_transform()
    if not np.isfinite(row["estimate"]):
        axes.text(1.03, y, "not estimable", transform=beside, fontsize=8, color=_GREY, va="center")
        return
    low, high = SHOWN[metric][0]
    if pooled and np.isfinite(row["prediction_low"]):
        axes.hlines(y, max(row["prediction_low"], low), min(row["prediction_high"], high), color=_INK, linewidth=0.7, zorder=2)
    if np.isfinite(row["ci_low"]):
        axes.hlines(
            y, max(row["ci_low"], low), min(row["ci_high"], high), color=colour, linewidth=2.2 if pooled else 1.4, zorder=3
        )
    if low <= row["estimate"] <= high:
        axes.plot(row["estimate"], y, marker=marker, color=colour, markersize=5, zorder=4)
    interval = f"({signed(row['ci_low'])} to {signed(row['ci_high'])})" if np.isfinite(row["ci_low"]) else "(no interval)"
    axes.text(1.03, y, f"{signed(row['estimate'])} {interval}", transform=beside, fontsize=8, color=_INK, va="center")
