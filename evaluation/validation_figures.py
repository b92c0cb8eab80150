"""Figures of an external validation: each update beside the frozen model. They compute nothing."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.external_validation import UPDATES
from evaluation.figures import draw_calibration, draw_net_benefit, figure_axes, figure_title

_LEFT, _WIDTH, _STEP = 0.06, 0.245, 0.32


def calibration_panels(title: str, calibration: pd.DataFrame, horizon_months: float) -> Figure:
    """Observed against predicted, a panel an update: :func:`evaluation.curves.calibration_curve` with a column ``update``."""
    return _panels(title, calibration, lambda axes, rows: draw_calibration(axes, rows, horizon_months), (0.14, 0.64))


def net_benefit_panels(title: str, decision: pd.DataFrame, horizon_months: float) -> Figure:
    """Net benefit, a panel an update: :func:`evaluation.decision_curve.decision_curve` with a column ``update``."""
    return _panels(title, decision, lambda axes, rows: draw_net_benefit(axes, rows, horizon_months), (0.125, 0.6))


def _panels(title: str, table: pd.DataFrame, draw: Callable[[Axes, pd.DataFrame], None], box: tuple[float, float]) -> Figure:
    """``box``: bottom and height of the axes, in heights of the figure."""
    figure = Figure(figsize=(11.4, 4.3), facecolor="white")
    figure_title(figure, title, _LEFT, 0.955)
    bottom, height = box
    for number, (update, label) in enumerate(UPDATES.items()):
        rows = table[table["update"] == update]
        left = _LEFT + number * _STEP
        figure.text(left, 0.89, label, fontsize=9.5, fontweight="bold", va="center", parse_math=False)
        axes = figure_axes(figure, (left, bottom, _WIDTH, height))
        if rows.empty:
            axes.set_axis_off()
            axes.text(0, 0.5, "could not be recalibrated", transform=axes.transAxes, fontsize=8.5)
        else:
            draw(axes, rows)
    return figure
