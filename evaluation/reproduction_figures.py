"""Figures of the reproduction: forests of the effects, ours against print, curves, patterns. They draw tables and compute
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.effects import INDEPENDENT_P, MULTIVARIABLE, UNIVARIATE
from evaluation.figures import effect_label, endpoint_label, level_label, p_text, population_label
from evaluation.reproduction import verdict_word
from evaluation.survival_curves import SurvivalFigure, SurvivalPanel
from models.two_stage import enters

_INK, _GREY, _LIGHT, _BLUE, _ORANGE, _SKY = "#1a1a1a", "#767676", "#d9d9d9", "#0072b2", "#d55e00", "#86bfe0"
_GROUP_STYLES = (("#0072b2", "-"), ("#d55e00", "--"), ("#1a1a1a", ":"))
_VERDICT_COLOURS = {"reproduced": _BLUE, "differs": _ORANGE, "misprint": _GREY, "not computed": _LIGHT}
_ROW_INCHES = 0.2
_COMPARISON_ROW_INCHES = 0.19
_COMPARISON_TITLE = "Published (grey) and reconstructed (colour) effects, 95% CI"
_LAST_MONTH = 120.0  # few are followed longer, and the early part is what the paper is about
_LIMITS = (0.1, 20.0)
_TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(labelsize=7.5, colors=_INK, color=_GREY, length=3)


def _log_axis(axes: Axes, title: str) -> None:
    _plain(axes)
    axes.set_xscale("log")
    axes.set_xlim(*_LIMITS)
    axes.set_xticks(_TICKS, [f"{t:g}" for t in _TICKS])
    axes.minorticks_off()
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.axvline(1, color=_GREY, linewidth=0.8, zorder=1)
    axes.set_title(title, fontsize=9, loc="left", color=_INK)


def _interval(
    axes: Axes, y: float, numbers: tuple[float, float, float], colour: str, *, filled: bool, width: float = 1.3
) -> None:
    """Estimate and bounds; what leaves the axis ends in an arrow at its edge."""
    estimate, low, high = numbers
    if not all(map(math.isfinite, (estimate, low))) or estimate <= 0:
        return
    left, right = max(low, _LIMITS[0]), min(high, _LIMITS[1])
    axes.plot([left, right], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2)
    for beyond, edge, marker in ((low < _LIMITS[0], left, "<"), (high > _LIMITS[1], right, ">")):
        if beyond:
            axes.plot([edge], [y], marker=marker, color=colour, markersize=3.5, zorder=3)
    if _LIMITS[0] <= estimate <= _LIMITS[1]:
        face = colour if filled else "white"
        axes.plot([estimate], [y], marker="s" if filled else "o", markersize=4, color=colour, markerfacecolor=face, zorder=4)


def stands_out(p_value: float, analysis: str) -> bool:
    """Whether P is printed bold: alone when it would enter the second stage, there when it is independent."""
    if not math.isfinite(p_value):
        return False
    return enters(np.array([p_value])) if analysis == UNIVARIATE else p_value <= INDEPENDENT_P


def forest_figure(effects: pd.DataFrame, population: str, outcomes: tuple[str, str], title: str) -> Figure:
    """Tables 2 and 3 as a picture: every covariate alone (squares) and in the second stage (circles), two outcomes side by
    side.
    """
    chosen = effects[(effects["population"] == population) & effects["outcome"].isin(outcomes)]
    keys = list(dict.fromkeys(map(tuple, chosen[["variable", "level"]].to_numpy())))
    height = 1.5 + _ROW_INCHES * max(len(keys), 4)
    figure = Figure(figsize=(13.6, height), facecolor="white")
    top, bottom = 1 - 0.75 / height, 0.55 / height
    ratio = "Odds ratios" if outcomes[0].startswith("relapse") else "Hazard ratios"
    figure.text(
        0.012,
        1 - 0.22 / height,
        f"{title} – {population_label(population)}. {ratio}, 95% CI",
        fontsize=11,
        fontweight="bold",
        va="center",
    )
    for place, outcome in enumerate(outcomes):
        axes = figure.add_axes((0.29 + 0.36 * place, bottom, 0.215, top - bottom))
        _log_axis(axes, "")
        axes.text(0, -1.05, f"{endpoint_label(outcome)}", transform=axes.get_yaxis_transform(), fontsize=9, va="center")
        axes.set_ylim(len(keys) - 0.4, -0.6)
        for y, (variable, level) in enumerate(keys):
            if place == 0:
                axes.text(
                    -1.3,
                    y,
                    effect_label(variable, level),
                    transform=axes.get_yaxis_transform(),
                    fontsize=7.5,
                    va="center",
                )
            if y % 2 == 0:
                axes.axhspan(y - 0.5, y + 0.5, color="#f5f5f5", zorder=0)
            rows = chosen[(chosen["outcome"] == outcome) & (chosen["variable"] == variable) & (chosen["level"] == level)]
            for analysis, shift, colour, filled in ((UNIVARIATE, -0.16, _INK, True), (MULTIVARIABLE, 0.18, _BLUE, False)):
                for _, row in rows[rows["analysis"] == analysis].iterrows():
                    _interval(axes, y + shift, (row["estimate"], row["ci_low"], row["ci_high"]), colour, filled=filled)
                    column = 1.03 if filled else 1.34
                    weight = "bold" if stands_out(row["p_value"], analysis) else "normal"
                    axes.text(
                        column, y, p_text(row["p_value"]), transform=axes.get_yaxis_transform(), fontsize=7, va="center",
                        color=colour, fontweight=weight,
                    )  # fmt: skip
        for column, text, colour in ((1.03, "P alone", _INK), (1.34, "P second stage", _BLUE)):
            axes.text(column, -0.95, text, transform=axes.get_yaxis_transform(), fontsize=7, color=colour, va="center")
    figure.text(
        0.012, 0.14 / height,
        "Squares: each covariate alone (P at most 0.10 bold). Circles: in the second stage (P at most 0.05 bold).",
        fontsize=7.5, color=_GREY, va="center",
    )  # fmt: skip
    return figure


def comparison_figure(comparison: pd.DataFrame) -> Figure:
    """All published effects with ours below each: print in grey, ours coloured by verdict; one panel an outcome, two in a row."""
    outcomes = list(dict.fromkeys(comparison["outcome"]))
    rows = {o: comparison[comparison["outcome"] == o] for o in outcomes}
    # Inches: the head, then each line of panels as high as its longer one needs.
    lines = [max(len(rows[o]) for o in outcomes[start : start + 2]) for start in range(0, len(outcomes), 2)]
    panels = [0.55 + _COMPARISON_ROW_INCHES * n for n in lines]
    width, height = 14.0, 0.75 + sum(panels) + 0.35 * len(lines)
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.text(0.008, 1 - 0.2 / height, _COMPARISON_TITLE, fontsize=12, fontweight="bold", va="center")
    names = {"reproduced": "reproduced", "differs": "differs", "misprint": "print contradicts itself"}
    for place, (word, text) in enumerate(names.items()):
        x = 0.008 + 0.12 * place
        figure.text(x, 1 - 0.48 / height, f"■ {text}", fontsize=9.5, color=_VERDICT_COLOURS[word], va="center")
    figure.text(0.42, 1 - 0.48 / height, "Names in blue: second stage", fontsize=9.5, color=_BLUE, va="center")
    top = 0.75
    for line, (longest, inches) in enumerate(zip(lines, panels, strict=True)):
        for column, outcome in enumerate(outcomes[2 * line : 2 * line + 2]):
            bottom, plot = height - top - inches, inches - 0.55
            axes = figure.add_axes((0.315 + 0.5 * column, (bottom + 0.2) / height, 0.18, plot / height))
            _comparison_axes(axes, endpoint_label(outcome), rows[outcome], longest)
        top += inches + 0.35
    return figure


def _comparison_axes(axes: Axes, title: str, rows: pd.DataFrame, longest: int) -> None:
    _log_axis(axes, "")
    axes.set_title(title, fontsize=10.5, loc="center", color=_INK)
    axes.set_ylim(longest - 0.4, -0.6)
    for y, (_, row) in enumerate(rows.iterrows()):
        second = row["analysis"] == MULTIVARIABLE
        if y % 2 == 0:
            axes.axhspan(y - 0.5, y + 0.5, color="#f6f6f6", zorder=0)
        label = effect_label(str(row["variable"]), str(row["level"])) + (" – stage 2" if second else "")
        colour = _BLUE if second else _INK
        axes.text(
            -0.03, y, label, transform=axes.get_yaxis_transform(), fontsize=8.5, va="center", ha="right", color=colour,
            parse_math=False,
        )  # fmt: skip
        printed = tuple(float(row[n]) for n in ("estimate", "ci_low", "ci_high"))
        ours = tuple(float(row[f"ours_{n}"]) for n in ("estimate", "ci_low", "ci_high"))
        _interval(axes, y - 0.17, printed, "#9a9a9a", filled=True, width=1.8)  # type: ignore[arg-type]
        verdict = _VERDICT_COLOURS[verdict_word(str(row["verdict"]))]
        _interval(axes, y + 0.19, ours, verdict, filled=True)  # type: ignore[arg-type]


# ---- survival


def survival_figure(figure_data: SurvivalFigure) -> Figure:
    """One panel each, at most three in a row, with medians, log-rank P and numbers at risk."""
    panels = figure_data.panels
    columns = min(3, len(panels)) if len(panels) != 4 else 2
    lines = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(max(6.2, 5.1 * columns), 0.5 + 4.3 * lines), facecolor="white")
    figure.text(0.02, 1 - 0.22 / (0.5 + 4.3 * lines), figure_data.title, fontsize=11, fontweight="bold", va="center")
    for number, panel in enumerate(panels):
        line, column = divmod(number, columns)
        line_height = 4.3 / (0.5 + 4.3 * lines)
        base = 1 - 0.5 / (0.5 + 4.3 * lines) - (line + 1) * line_height
        box = (0.11 / max(1, columns * 0.62) + column / columns, base + 0.31 * line_height, 0.8 / columns, 0.56 * line_height)
        _survival_axes(figure.add_axes(box), panel)
    return figure


def _survival_axes(axes: Axes, panel: SurvivalPanel) -> None:
    _plain(axes)
    followed = float(panel.curves["time_months"].max())
    end = min(_LAST_MONTH, 12 * math.ceil(followed / 12))
    ticks = np.arange(0, end + 1, 24 if end > 48 else 12)
    headroom = 1.04 + 0.09 * len(panel.medians)  # for the legend: a curve may stay high
    axes.set(xlim=(0, end), ylim=(0, headroom), xticks=ticks, yticks=(0, 0.25, 0.5, 0.75, 1))
    p = f"   log-rank P {p_text(panel.p_value)}" if math.isfinite(panel.p_value) else ""
    axes.set_title(panel.title[:1].upper() + panel.title[1:] + p, fontsize=9, loc="left", color=_INK)
    beyond = f" (drawn to {end:.0f}; the longest follow-up is {followed:.0f})" if followed > end else ""
    axes.set_xlabel(f"Months{beyond}", fontsize=8, labelpad=1)
    axes.set_ylabel("Survival", fontsize=8)
    axes.axhline(0.5, color=_LIGHT, linewidth=0.8, zorder=1)
    for place, (_, group) in enumerate(panel.medians.iterrows()):
        colour, style = _GROUP_STYLES[place % 3]
        curve = panel.curves[panel.curves["group"] == group["group"]]
        label = f"{group['group']}: median {_months(group['median'])} ({_months(group['ci_low'])}–{_months(group['ci_high'])})"
        axes.step(
            curve["time_months"], curve["survival"], where="post", color=colour, linestyle=style, linewidth=1.6, label=label
        )
        if len(panel.medians) == 1:
            axes.fill_between(
                curve["time_months"], curve["ci_low"], curve["ci_high"], step="post", color=colour, alpha=0.13, linewidth=0
            )
        y = -0.27 - 0.075 * place
        at_risk = np.append(curve["n_at_risk"].to_numpy(), 0)
        axes.text(
            -0.02,
            y,
            str(group["group"]).split()[0],
            transform=axes.transAxes,
            fontsize=6.8,
            color=colour,
            ha="right",
            va="center",
        )
        for tick in ticks:
            number = at_risk[np.searchsorted(curve["time_months"].to_numpy(), tick, side="left")]
            axes.text(
                tick, y, f"{number}", transform=axes.get_xaxis_transform(), fontsize=6.8, color=colour, ha="center", va="center"
            )
    axes.text(-0.02, -0.195, "At risk", transform=axes.transAxes, fontsize=6.8, color=_GREY, ha="right", va="center")
    axes.legend(fontsize=7, frameon=False, loc="upper right")


def _months(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "not reached"


def pattern_figure(table: pd.DataFrame, title: str, p_values: Mapping[str, float]) -> Figure:
    """Stacked bars with counts and percentages: Figure 1 and Supplementary Figure S5."""
    panels = list(dict.fromkeys(table["panel"]))
    levels = list(dict.fromkeys(table["level"]))
    shades = ["#0b2c45", "#0072b2", "#86bfe0", "#d6e6f0", "#d55e00", "#f0c9a8"]
    figure = Figure(figsize=(11.4, 4.2), facecolor="white")
    figure.text(0.02, 0.955, title, fontsize=11, fontweight="bold", va="center")
    left = 0.055
    for panel in panels:
        rows = table[table["panel"] == panel]
        groups = list(dict.fromkeys(rows["group"]))
        width = 0.11 + 0.12 * (len(groups) - 1)
        axes = figure.add_axes((left, 0.12, width, 0.68))
        left += width + 0.055
        _plain(axes)
        p = p_values.get(panel, float("nan"))
        axes.set_title(panel + (f"\nchi-squared P {p_text(p)}" if math.isfinite(p) else "\n"), fontsize=8.5, loc="left")
        axes.set(ylim=(0, 100), xlim=(-0.5, len(groups) - 0.5), xticks=range(len(groups)))
        totals = [int(rows[rows["group"] == g]["count"].sum()) for g in groups]
        axes.set_xticklabels([f"{g}\n(n = {n})" for g, n in zip(groups, totals, strict=True)], fontsize=8)
        axes.set_ylabel("Percent" if panel == panels[0] else "", fontsize=8)
        for x, group in enumerate(groups):
            base = 0.0
            for colour, level in zip(shades, levels, strict=False):
                cell = rows[(rows["group"] == group) & (rows["level"] == level)].iloc[0]
                axes.bar(x, cell["percent"], bottom=base, width=0.72, color=colour, edgecolor="white", linewidth=0.6)
                if cell["percent"] >= 4:
                    ink = "white" if colour in ("#0b2c45", "#0072b2", "#d55e00") else _INK
                    axes.text(
                        x,
                        base + cell["percent"] / 2,
                        f"{cell['count']} ({cell['percent']:.0f}%)",
                        ha="center",
                        va="center",
                        fontsize=7,
                        color=ink,
                    )
                base += cell["percent"]
    for place, (colour, level) in enumerate(zip(shades, levels, strict=False)):
        figure.text(left, 0.74 - 0.075 * place, "■", fontsize=10, color=colour, va="center")
        figure.text(left + 0.015, 0.74 - 0.075 * place, level_label(level), fontsize=8, va="center")
    return figure
