"""Figures of how stable a model is, of what :mod:`evaluation.stability` computes; after Riley and Collins (Biom J 2023)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures import variable_label
from evaluation.stability import Instability

_INK, _GREY, _LIGHT, _BLUE = "#1a1a1a", "#767676", "#d4d4d4", "#0072b2"
_TEXT = 8.5
#: More resample models or predictors than these make no picture clearer.
_MOST_CURVES, _MOST_PREDICTORS = 100, 25


def stability_figure(title: str, unstable: Instability, horizon_months: float) -> Figure:
    """Prediction, MAPE, calibration and classification instability side by side. Points are patients without a name."""
    figure = Figure(figsize=(12.4, 4.1), facecolor="white", layout="constrained")
    figure.suptitle(title, fontsize=10.5, fontweight="bold", color=_INK, x=0.01, ha="left", parse_math=False)
    panels = figure.subplots(1, 4)
    _draw_risks(panels[0], unstable, horizon_months)
    _draw_mape(panels[1], unstable)
    _draw_calibration(panels[2], unstable)
    _draw_reclassified(panels[3], unstable)
    return figure


def selection_figure(title: str, selection: pd.DataFrame) -> Figure:
    """How often each predictor was chosen, most often on top; filled where the original model chose it."""
    rows = selection[selection["kind"] == "predictor"].head(_MOST_PREDICTORS).iloc[::-1]
    figure = Figure(figsize=(7.6, 1.3 + 0.22 * len(rows)), facecolor="white", layout="constrained")
    figure.suptitle(title, fontsize=10.5, fontweight="bold", color=_INK, x=0.01, ha="left", parse_math=False)
    axes = figure.subplots()
    labels = [variable_label(str(name)) for name in rows["name"]]
    colours = [_BLUE if chosen else "white" for chosen in rows["in_original"]]
    axes.barh(range(len(rows)), 100 * rows["share"], color=colours, edgecolor=_BLUE, linewidth=1, height=0.68)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xlim(0, 100)
    _dress(axes, "", "Chosen in % of resamples (filled: in the original model too)", "")
    return figure


def _dress(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(labelsize=_TEXT, colors=_INK, color=_GREY, length=3)
    axes.set_title(title, fontsize=9.5, loc="left", color=_INK)
    axes.set_xlabel(x_label, fontsize=_TEXT, color=_INK)
    axes.set_ylabel(y_label, fontsize=_TEXT, color=_INK)


def _diagonal(axes: Axes) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=(0, 0.25, 0.5, 0.75, 1), yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=4)


def _draw_risks(axes: Axes, unstable: Instability, horizon_months: float) -> None:
    models = unstable.resampled[:_MOST_CURVES]
    axes.plot(np.tile(unstable.risk, len(models)), models.ravel(), ",", color=_GREY, alpha=0.5, zorder=2)
    for bound in (unstable.low, unstable.high):
        axes.plot(unstable.risk, bound, color=_BLUE, linewidth=1.6, zorder=3)
    _diagonal(axes)
    _dress(axes, f"Risk by {horizon_months:g} months", "Original model's risk", "Resample models' risk (blue: middle 95%)")


def _draw_mape(axes: Axes, unstable: Instability) -> None:
    axes.plot(unstable.risk, unstable.mape, "o", color=_BLUE, markersize=2.5, alpha=0.6, zorder=2)
    axes.axhline(float(unstable.mape.mean()), color=_INK, linewidth=1.2, linestyle=(0, (4, 3)), zorder=3)
    axes.set(xlim=(-0.02, 1.02), xticks=(0, 0.25, 0.5, 0.75, 1))
    axes.set_ylim(bottom=0)
    _dress(axes, "Distance by patient", "Original model's risk", "Mean absolute distance (dashed: mean)")


def _draw_calibration(axes: Axes, unstable: Instability) -> None:
    curves = list(zip(unstable.calibration_risk, unstable.calibration_observed, strict=True))
    for risk, observed in curves[1 : _MOST_CURVES + 1]:
        axes.plot(risk, observed, color=_LIGHT, linewidth=0.7, zorder=2)
    axes.plot(*curves[0], color=_BLUE, linewidth=1.8, zorder=5)
    _diagonal(axes)
    _dress(axes, "Calibration", "Predicted risk", "Observed risk (blue: original model)")


def _draw_reclassified(axes: Axes, unstable: Instability) -> None:
    axes.plot(100 * unstable.thresholds, 100 * unstable.reclassified, color=_BLUE, linewidth=1.8, zorder=3)
    axes.set_ylim(bottom=0)
    _dress(axes, "Classification", "Threshold (%)", "Called otherwise, mean over patients (%)")
