"""Figures of the tables that curves and estimates give: they compute nothing, and draw without pyplot's global state.

One blue from light to dark for what is ordered, black for the null model, with markers and line styles that differ too: readable
in grey and without colour vision.
"""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image

from cohort.dictionary import DICTIONARY
from cohort.types import ENDPOINTS, POPULATIONS
from evaluation.decision_curve import useful_in_words, useful_thresholds
from evaluation.leak_audit import FIELD_BEST_AUC
from evaluation.predictions import NO_FEATURES
from features.registry import FEATURE_SETS
from models.registry import MODELS

DPI = 110

_INK, _GREY, _LIGHT = "#1a1a1a", "#767676", "#d4d4d4"
_BLUE = "#0072b2"  # Okabe and Ito 2008
_BAND = "#cfe4f1"
_GROUP_STYLES = {"low": ("#86bfe0", "-"), "middle": ("#0072b2", "--"), "high": ("#0b2c45", "-"), "all": (_INK, "-")}
_TEXT = 8.5
_AT_RISK_TOP = -0.245  # in heights of the axes, below it
_LABELS_INCHES, _PLOT_INCHES, _NUMBERS_INCHES = 3.2, 2.6, 1.5
_MINUS = "\N{MINUS SIGN}"


def model_label(name: str) -> str:
    return MODELS[name].label if name in MODELS else name


def feature_set_label(name: str) -> str:
    if name == NO_FEATURES:
        return "No predictors"
    return FEATURE_SETS[name].label if name in FEATURE_SETS else name


def endpoint_label(name: str) -> str:
    return ENDPOINTS[name].label if name in ENDPOINTS else name


def population_label(name: str) -> str:
    return POPULATIONS[name].label if name in POPULATIONS else name


def question_label(endpoint: str, population: str) -> str:
    """An endpoint in a population, as headings have it."""
    return f"{endpoint_label(endpoint)} – {population_label(population).lower()}"


def cell_title(model: str, feature_set: str, endpoint: str) -> str:
    """Above the figures of one cell."""
    return f"{model_label(model)} · {feature_set} · {endpoint_label(endpoint)}"


#: Covariates and lines of Table 1 that are no single variable of the dictionary, and levels that are no plain words.
_OTHER_LABELS = {
    "mri_any": "MRI with gadolinium at any time",
    "change_cea": "Change of CEA on the log scale",
    "change_max_diameter": "Relative change of the largest diameter",
    "change_segments": "Change of liver segments involved",
    "change_vessel_contacts": "Change of lesions in contact with major vessels",
}
_LEVEL_LABELS = {
    "t1_3": "T1–3",
    "t4": "T4",
    "n0": "N0",
    "n1_2": "N1–2",
    "r0": "R0",
    "r1": "R1",
    "ras_mutated": "RAS mutated",
    "braf_mutated": "BRAF mutated",
    "anti_egfr": "anti-EGFR",
    "anti_vegf": "anti-VEGF",
    "1-2": "1–2",
}
_FACT_HEADS = {"n": "Number:", "pct": "Percent:", "p": "P:", "or": "Odds ratio:", "hr": "Hazard ratio:"}
_FACT_WORDS = {
    "6m": "6 months",
    "12m": "12 months",
    "os": "overall survival",
    "dfs": "disease-free survival",
    "vs": "v",
    "r0": "R0",
    "r1": "R1",
    "mri": "MRI",
    "pn": "pN",
    "ecog": "ECOG",
    "braf": "BRAF",
}
#: What :func:`in_words` takes for a name of the code: lower-case words joined by underscores, and three bare words.
_CODE_NAME = re.compile(r"\b(?:[a-z][a-z0-9]*(?:_[a-z0-9]+)+|dfs|os|cea)\b")


def variable_label(name: str) -> str:
    """The dictionary's label; a line of Table 1 (``cea``) has that of its baseline column, without the time."""
    if name in _OTHER_LABELS:
        return _OTHER_LABELS[name]
    if name in DICTIONARY:
        return DICTIONARY[name].label
    if f"baseline_{name}" in DICTIONARY:
        label = DICTIONARY[f"baseline_{name}"].label.removeprefix("Baseline ")
        return label[:1].upper() + label[1:]
    return name.replace("_", " ")


def level_label(level: str) -> str:
    return _LEVEL_LABELS.get(level, level.replace(">=", "≥").replace("_", " "))


def effect_label(variable: str, level: str) -> str:
    """``Sex (male)``, or what the ratio of a number is for: ``Baseline CEA (per ng/ml)``."""
    unit = DICTIONARY[variable].unit.removesuffix("s") if variable in DICTIONARY else ""
    within = level_label(level) if level else f"per {unit}" if unit else ""
    return f"{variable_label(variable)} ({within})" if within else variable_label(variable)


def fact_label(name: str) -> str:
    """``n_relapse_12m`` as ``Number: relapse 12 months``."""
    head, *rest = name.split("_")
    words = " ".join(_FACT_WORDS.get(word, word) for word in rest)
    return f"{_FACT_HEADS[head]} {words}" if head in _FACT_HEADS and words else f"{head.capitalize()} {words}".strip()


def in_words(text: str) -> str:
    """A sentence with the names of variables, levels, endpoints and numbers of the text in it as words."""
    return _CODE_NAME.sub(lambda found: _in_words(found.group()), text)


def _in_words(name: str) -> str:
    if name in ENDPOINTS:
        return ENDPOINTS[name].label.lower()
    if {name, f"baseline_{name}"} & {*DICTIONARY, *_OTHER_LABELS}:
        return variable_label(name)
    return fact_label(name) if name.split("_")[0] in _FACT_HEADS else level_label(name)


def signed(number: float, decimals: int = 2) -> str:
    """A number as printed, with a true minus sign and no minus zero."""
    text = f"{number:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", _MINUS)


def interval_text(low: float, high: float, decimals: int = 2) -> str:
    """Two bounds as printed; empty where one is missing."""
    return f"{signed(low, decimals)} to {signed(high, decimals)}" if math.isfinite(low) and math.isfinite(high) else ""


def p_text(p: float, smallest: float = 0.0001) -> str:
    """P as journals print it, down to ``smallest``; empty where there is none."""
    if not math.isfinite(p):
        return ""
    if p < smallest:
        return f"<{smallest:g}"
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as PNG; the same figure gives the same bytes. Few colours: a third of the size, to the eye the same.

    Median cut merges what covers few pixels, such as a few orange marks among hundreds of others, so what has exactly a colour
    that the figure was drawn in keeps it; the 64 are for the shades between.
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]
    reduced = drawn.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    indices, palette = np.array(reduced), (reduced.getpalette() or [])[: 3 * 64]
    codes = np.asarray(drawn, dtype=np.int32) @ (1 << 16, 1 << 8, 1)
    for red, green, blue in _drawn_in(figure)[: 256 - 64]:
        indices[codes == (red << 16) + (green << 8) + blue] = len(palette) // 3
        palette += [red, green, blue]
    kept = Image.fromarray(indices, mode="P")
    kept.putpalette(palette)
    buffer = io.BytesIO()
    kept.save(buffer, format="png")
    return buffer.getvalue()


def data_uri(image: bytes) -> str:
    """A PNG as a page holds it."""
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")


def _drawn_in(figure: Figure) -> list[tuple[int, int, int]]:
    """The opaque colours of the figure's lines, markers, patches and texts, each once, in the order of drawing."""
    found: list[object] = []
    for artist in figure.findobj():
        if isinstance(artist, Line2D):
            found += [artist.get_color(), artist.get_markerfacecolor()]
        elif isinstance(artist, Patch):
            found += [artist.get_facecolor(), artist.get_edgecolor()]
        elif isinstance(artist, Text):
            found.append(artist.get_color())
    colours = (to_rgba(colour) for colour in found)  # type: ignore[arg-type]
    return list(dict.fromkeys((round(255 * r), round(255 * g), round(255 * b)) for r, g, b, a in colours if a == 1))


# ---- one cell


def cell_figure(title: str, roc: pd.DataFrame, calibration: pd.DataFrame, groups: pd.DataFrame, horizon_months: float) -> Figure:
    """Calibration, ROC and Kaplan-Meier by risk group side by side, from the tables of :mod:`evaluation.curves`."""
    figure = Figure(figsize=(11.4, 4.3), facecolor="white")
    figure_title(figure, title, 0.06, 0.955)
    draw_calibration(figure_axes(figure, (0.06, 0.27, 0.24, 0.58)), calibration, horizon_months)
    _draw_roc(figure_axes(figure, (0.375, 0.27, 0.24, 0.58)), roc, horizon_months)
    _draw_groups(figure_axes(figure, (0.715, 0.27, 0.265, 0.58)), groups, horizon_months)
    return figure


def figure_title(figure: Figure, text: str, x: float, y: float) -> None:
    """A figure's heading, at shares of its width and height."""
    figure.text(x, y, text, fontsize=10.5, fontweight="bold", color=_INK, va="center", parse_math=False)


def figure_axes(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes as all figures here have them; ``box``: left, bottom, width, height, in shares of the figure."""
    axes = figure.add_axes(box)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(labelsize=_TEXT, colors=_INK, color=_GREY, length=3)
    return axes


def _unit_square(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=(0, 0.25, 0.5, 0.75, 1), yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.set_title(title, fontsize=9.5, loc="left", color=_INK)
    axes.set_xlabel(x_label, fontsize=_TEXT, color=_INK)
    axes.set_ylabel(y_label, fontsize=_TEXT, color=_INK)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)


def draw_calibration(axes: Axes, calibration: pd.DataFrame, horizon_months: float) -> None:
    """Observed against predicted risk, from :func:`evaluation.curves.calibration_curve`."""
    _unit_square(
        axes, f"Calibration at {horizon_months:g} months", "Predicted risk (mean of the group)", "Observed risk (95% CI)"
    )
    risk, observed = calibration["mean_risk"], calibration["observed"]
    axes.vlines(risk, calibration["ci_low"], calibration["ci_high"], color=_BLUE, linewidth=1.4, zorder=2)
    axes.plot(risk, observed, color=_BLUE, marker="o", markersize=5, linewidth=1, alpha=0.95, zorder=3)
    missing = int(observed.isna().sum())
    if missing:
        axes.text(0.03, 0.94, f"{missing} group(s) not followed to the horizon", fontsize=7.5, color=_GREY)


def _draw_roc(axes: Axes, roc: pd.DataFrame, horizon_months: float) -> None:
    _unit_square(axes, f"ROC at {horizon_months:g} months", "False positive rate", "True positive rate")
    axes.plot(roc["false_positive_rate"], roc["true_positive_rate"], color=_BLUE, linewidth=1.8, zorder=3)


def _draw_groups(axes: Axes, groups: pd.DataFrame, horizon_months: float) -> None:
    ticks = [horizon_months * part for part in (0, 0.5, 1, 1.5, 2)]
    axes.set(xlim=(0, ticks[-1]), ylim=(-0.02, 1.02), xticks=ticks, yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.set_title("Kaplan-Meier by predicted risk", fontsize=9.5, loc="left", color=_INK)
    axes.set_xlabel("Months", fontsize=_TEXT, color=_INK, labelpad=1)
    axes.set_ylabel("Event-free", fontsize=_TEXT, color=_INK)
    axes.axvline(horizon_months, color=_LIGHT, linewidth=1, zorder=1)
    above = _AT_RISK_TOP + 0.075
    axes.text(-0.09, above, "At risk", transform=axes.transAxes, fontsize=7.5, color=_GREY, ha="right", va="center")
    names = list(dict.fromkeys(groups["group"]))
    for row, name in enumerate(names):
        colour, line = _GROUP_STYLES.get(name, (_INK, (0, (1 + row, 1))))
        curve = groups[groups["group"] == name]
        axes.step(curve["time_months"], curve["survival"], where="post", color=colour, linestyle=line, linewidth=1.8, label=name)
        _numbers_at_risk(axes, curve, ticks, _AT_RISK_TOP - 0.07 * row)
    if len(names) > 1:
        # The searching loc="best" is slow for many patients; a curve in the upper right leaves the lower left free.
        stays_high = groups.loc[groups["time_months"] <= ticks[-1]].groupby("group")["survival"].last().max() > 0.55
        place: Literal["lower left", "upper right"] = "lower left" if stays_high else "upper right"
        axes.legend(title="Risk", fontsize=_TEXT, title_fontsize=_TEXT, frameon=False, loc=place)


def _numbers_at_risk(axes: Axes, curve: pd.DataFrame, ticks: list[float], y: float) -> None:
    """One row a group: its name, and under each tick its patients whose time is not yet up, as the table has them."""
    axes.text(-0.09, y, curve["group"].iloc[0], transform=axes.transAxes, fontsize=7.5, color=_INK, ha="right", va="center")
    times = curve["time_months"].to_numpy()
    at_risk = np.append(curve["n_at_risk"].to_numpy(), 0)
    for tick in ticks:
        number = at_risk[np.searchsorted(times, tick, side="left")]
        axes.text(tick, y, f"{number}", transform=axes.get_xaxis_transform(), fontsize=7.5, color=_INK, ha="center", va="center")


#: Thresholds at which the upper axis names the harm of a patient treated needlessly to the benefit of one treated rightly.
_HARM_TO_BENEFIT = {0.05: "1:19", 0.1: "1:9", 0.2: "1:4", 0.3: "3:7", 0.4: "2:3", 0.5: "1:1", 0.6: "3:2"}


def decision_figure(title: str, curve: pd.DataFrame, horizon_months: float) -> Figure:
    """Net benefit by threshold and its difference to the better default, from :mod:`evaluation.decision_curve`.

    Where the lower bound of the difference lies above 0, a bar marks the thresholds.
    """
    figure = Figure(figsize=(11.4, 4.3), facecolor="white")
    figure_title(figure, title, 0.06, 0.955)
    draw_net_benefit(figure_axes(figure, (0.06, 0.125, 0.405, 0.635)), curve, horizon_months)
    _draw_difference(figure_axes(figure, (0.565, 0.125, 0.405, 0.635)), curve)
    return figure


def _threshold_axes(axes: Axes, curve: pd.DataFrame, title: str, y_label: str) -> None:
    """The threshold below, harm to benefit above, and treating nobody as the line at 0."""
    axes.set(xlim=(curve["threshold"].iloc[0], curve["threshold"].iloc[-1]))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(lambda y, _: f"{round(y, 9):g}".replace("-", _MINUS))
    axes.set_xlabel("Threshold: the lowest risk that is treated", fontsize=_TEXT, color=_INK)
    axes.set_ylabel(y_label, fontsize=_TEXT, color=_INK)
    axes.set_title(title, fontsize=9.5, loc="left", color=_INK, pad=34)
    above = axes.secondary_xaxis("top")
    above.set_xticks(list(_HARM_TO_BENEFIT), list(_HARM_TO_BENEFIT.values()))
    above.tick_params(labelsize=7.5, colors=_GREY, length=3, pad=1)
    above.spines["top"].set_color(_LIGHT)
    above.set_xlabel("Harm of treating one needlessly to benefit of treating one rightly", fontsize=7.5, color=_GREY, labelpad=3)


def draw_net_benefit(axes: Axes, curve: pd.DataFrame, horizon_months: float) -> None:
    """Net benefit by threshold, from :func:`evaluation.decision_curve.decision_curve`."""
    _threshold_axes(axes, curve, f"Net benefit at {horizon_months:g} months", "Net benefit (95% CI)")
    threshold = curve["threshold"]
    axes.fill_between(threshold, curve["ci_low"], curve["ci_high"], color=_BAND, linewidth=0, zorder=1)
    axes.plot(threshold, curve["treat_none"], color=_GREY, linewidth=1.2, zorder=2, label="treat nobody")
    axes.plot(threshold, curve["treat_all"], color=_INK, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3, label="treat all")
    axes.plot(threshold, curve["net_benefit"], color=_BLUE, linewidth=1.8, zorder=4, label="treat by the model")
    missing = int(curve["net_benefit"].isna().sum())
    if missing:
        text = f"At {missing} threshold(s) those treated are not followed to the horizon"
        axes.text(0.02, 0.03, text, transform=axes.transAxes, fontsize=7.5, color=_GREY)
    # Treating all falls far below: what is below what the model may cost is cut off.
    highest = np.nanmax(curve[["ci_high", "net_benefit", "treat_all", "treat_none"]])
    lowest = np.nanmin(curve[["ci_low", "net_benefit", "treat_none"]])
    axes.set_ylim(min(lowest, -0.15 * highest) - 0.02, 1.08 * highest + 0.02)
    axes.legend(fontsize=_TEXT, frameon=False, loc="upper right")


def _draw_difference(axes: Axes, curve: pd.DataFrame) -> None:
    _threshold_axes(axes, curve, "Net benefit less that of the better default", "Difference (95% CI)")
    threshold = curve["threshold"]
    low, high = curve["difference_ci_low"], curve["difference_ci_high"]
    axes.axhline(0, color=_GREY, linewidth=1.2, zorder=2)
    axes.fill_between(threshold, low, high, color=_BAND, linewidth=0, zorder=1)
    axes.plot(threshold, curve["difference"], color=_BLUE, linewidth=1.8, zorder=3)
    for first, last in useful_thresholds(curve):  # a single threshold is a point: the marker shows it
        axes.plot(
            [first, last], [0.02, 0.02], transform=axes.get_xaxis_transform(), color=_INK, linewidth=3, marker="|", zorder=4
        )
    axes.text(
        0.02, 0.05, useful_in_words(curve), transform=axes.transAxes, fontsize=_TEXT, color=_INK, va="bottom", parse_math=False
    )
    lowest, highest = np.nanmin([*low, *curve["difference"], 0]), np.nanmax([*high, *curve["difference"], 0])
    room = max(highest - lowest, 0.02)
    axes.set_ylim(lowest - 0.25 * room, highest + 0.08 * room)


# ---- forests


@dataclass(frozen=True)
class _Line:
    """A line of a forest: a heading (``cell`` None) or a cell."""

    text: str
    cell: pd.Series | None = None


@dataclass(frozen=True)
class _Panel:
    """What a forest panel shows of the metric: the axis, and the references drawn."""

    metric: str
    title: str
    limits: tuple[float, float]
    ticks: tuple[float, ...]
    reference: float
    scale: Literal["linear", "log"] = "linear"
    light: float | None = None


_AUC = _Panel("auc", "AUC (95% CI)", (0.35, 0.85), (0.4, 0.5, 0.6, 0.7, 0.8), 0.5, light=FIELD_BEST_AUC)
_SLOPE = _Panel("calibration_slope", "Calibration slope (95% CI)", (-0.6, 2.6), (0, 0.5, 1, 1.5, 2), 1.0)
_O_E = _Panel("o_e", "Observed / expected (95% CI)", (0.6, 1.667), (0.67, 0.8, 1.0, 1.25, 1.5), 1.0, scale="log")

_O_E_ELSEWHERE = _Panel("o_e", _O_E.title, (0.25, 4.0), (0.33, 0.5, 1.0, 2.0, 3.0), 1.0, scale="log")


def discrimination_figure(leaderboard: pd.DataFrame, endpoint: str, population: str) -> Figure:
    """AUC of every model by feature set; lines at 0.5 (a coin) and, light, at what the field has reached."""
    return _forest(leaderboard, endpoint, population, (_AUC,))


def calibration_figure(leaderboard: pd.DataFrame, endpoint: str, population: str, *, elsewhere: bool = False) -> Figure:
    """Calibration slope and O/E of every model by feature set; lines at 1, which is right.

    ``elsewhere``: in another cohort than the models were learned from, where O/E may lie far from 1.
    """
    return _forest(leaderboard, endpoint, population, (_SLOPE, _O_E_ELSEWHERE if elsewhere else _O_E))


def _forest(leaderboard: pd.DataFrame, endpoint: str, population: str, panels: tuple[_Panel, ...]) -> Figure:
    lines = _lines(leaderboard, endpoint, population)
    if not lines:
        raise ValueError(f"the leaderboard has no cell of {endpoint} in {population}")
    plot_inches = 0.235 * (len(lines) + 1)
    height = plot_inches + 1.3
    width = _LABELS_INCHES + (_PLOT_INCHES + _NUMBERS_INCHES) * len(panels)
    figure = Figure(figsize=(width, height), facecolor="white")
    horizons = leaderboard.loc[_chosen(leaderboard, endpoint, population), "horizon_months"].dropna()  # a failed cell has none
    when = f", at {horizons.iloc[0]:g} months" if len(horizons) else ""
    figure_title(figure, endpoint_label(endpoint), 0.12 / width, 1 - 0.2 / height)
    below = f"{population_label(population)}{when}"
    figure.text(0.12 / width, 1 - 0.41 / height, below, fontsize=_TEXT + 0.5, color=_GREY, va="center", parse_math=False)
    for number, panel in enumerate(panels):
        left = _LABELS_INCHES + (_PLOT_INCHES + _NUMBERS_INCHES) * number
        axes = figure_axes(figure, (left / width, 0.42 / height, _PLOT_INCHES / width, plot_inches / height))
        _draw_forest(axes, lines, panel, names=number == 0)
    return figure


def _chosen(leaderboard: pd.DataFrame, endpoint: str, population: str) -> pd.Series:
    return (leaderboard["endpoint"] == endpoint) & (leaderboard["population"] == population)


def _order(registry: Mapping[str, object], name: str) -> int:
    names = list(registry)
    return names.index(name) if name in names else len(names)


def _lines(leaderboard: pd.DataFrame, endpoint: str, population: str) -> list[_Line]:
    """The null model, then under each feature set's heading its models, in the registries' order."""
    cells = [row for _, row in leaderboard[_chosen(leaderboard, endpoint, population)].iterrows()]
    cells.sort(key=lambda cell: _order(MODELS, cell["model"]))
    used = {cell["feature_set"] for cell in cells} - {NO_FEATURES}
    feature_sets = sorted(used, key=lambda name: (_order(FEATURE_SETS, name), name))
    lines = [_Line(model_label(cell["model"]), cell) for cell in cells if cell["feature_set"] == NO_FEATURES]
    for feature_set in feature_sets:
        lines.append(_Line(feature_set_label(feature_set)))
        lines += [_Line(model_label(cell["model"]), cell) for cell in cells if cell["feature_set"] == feature_set]
    return lines


def _draw_forest(axes: Axes, lines: list[_Line], panel: _Panel, *, names: bool) -> None:
    axes.set_xscale(panel.scale)
    axes.set(xlim=panel.limits, ylim=(len(lines) - 0.3, -0.9), yticks=())
    axes.set_xticks(panel.ticks, [f"{tick:g}" for tick in panel.ticks])
    axes.minorticks_off()
    axes.spines["left"].set_visible(False)
    axes.set_title(panel.title, fontsize=9.5, loc="left", color=_INK, pad=4)
    axes.axvline(panel.reference, color=_GREY, linewidth=1.1, zorder=1)
    if panel.light is not None:
        axes.axvline(panel.light, color=_GREY, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
        axes.text(panel.light, -0.95, "field's best", fontsize=7, color=_GREY, ha="center", va="bottom")
    beside = axes.get_yaxis_transform()
    for y, line in enumerate(lines):
        if names:
            weight = "bold" if line.cell is None else "normal"
            indented = line.cell is not None and line.cell["feature_set"] != NO_FEATURES
            x = (0.12 + 0.13 * indented - _LABELS_INCHES) / _PLOT_INCHES
            axes.text(
                x, y, line.text, transform=beside, fontsize=_TEXT, fontweight=weight, color=_INK, va="center", parse_math=False
            )
        if line.cell is not None:
            _draw_estimate(axes, y, line.cell, panel)


def _draw_estimate(axes: Axes, y: float, cell: pd.Series, panel: _Panel) -> None:
    estimate, low, high = (float(cell[panel.metric + part]) for part in ("", "_ci_low", "_ci_high"))
    null = cell["feature_set"] == NO_FEATURES
    colour = _INK if null else _BLUE
    beside = axes.get_yaxis_transform()
    if not np.isfinite(estimate):
        text = "not estimable" if cell["status"] == "completed" else str(cell["status"])
        axes.text(1.03, y, text, transform=beside, fontsize=8, color=_GREY, va="center")
        return
    text = f"{signed(estimate)} ({signed(low)} to {signed(high)})" if np.isfinite(low) else f"{signed(estimate)} (no interval)"
    axes.text(1.03, y, text, transform=beside, fontsize=8, color=_INK, va="center")
    left, right = panel.limits
    if np.isfinite(low):
        axes.hlines(y, max(low, left), min(high, right), color=colour, linewidth=1.5, zorder=2)
        for beyond, edge, arrow in ((low < left, left, "<"), (high > right, right, ">")):
            if beyond:
                axes.plot(edge, y, marker=arrow, color=colour, markersize=5, clip_on=False, zorder=3)
    if left <= estimate <= right:
        axes.plot(estimate, y, marker="D" if null else "o", color=colour, markersize=5, zorder=3)
