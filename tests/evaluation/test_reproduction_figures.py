"""The reproduction's figures draw what the tables say, for every kind of row, without pyplot."""

from __future__ import annotations

import inspect
import io

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from evaluation import reproduction_figures
from evaluation.effects import EFFECT_COLUMNS
from evaluation.figures import p_text, png
from evaluation.reproduction_figures import comparison_figure, forest_figure, pattern_figure, survival_figure
from evaluation.survival_curves import pattern_table, survival_figures

from .reproduction_cases import NAN, after_relapse, effect_row

BINARY = ("relapse_6m", "relapse_12m")


def _effect(variable: str, analysis: str, ratio: tuple[float, float, float], p_value: float) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(EFFECT_COLUMNS, NAN)
    row |= {"population": "overall", "outcome": "relapse_6m", "analysis": analysis, "variable": variable, "level": "yes"}
    return row | dict(zip(("estimate", "ci_low", "ci_high"), ratio, strict=True)) | {"p_value": p_value}


EFFECTS = pd.DataFrame(
    [
        _effect("primary_resected", "univariate", (0.51, 0.31, 0.85), 0.009),
        _effect("primary_resected", "multivariable", (0.53, 0.32, 0.89), 0.016),
        _effect("mri_any", "univariate", (0.05, 0.01, 90.0), 0.74),
        _effect("regimen", "univariate", (NAN, NAN, NAN), NAN),
        _effect("separated", "univariate", (8.0, 2.0, float("inf")), 0.2),
    ]
)


def _texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in (*figure.texts, *(text for axes in figure.axes for text in axes.texts))]


def _markers(axes: Axes) -> list[str]:
    return [str(line.get_marker()) for line in axes.lines if str(line.get_marker()) in "so<>"]


def _drawn(figure: Figure) -> bool:
    image = Image.open(io.BytesIO(png(figure))).convert("RGB")
    return image.getpixel((0, 0)) == (255, 255, 255) and image.getcolors(maxcolors=1) is None


def test_forest_has_a_panel_an_outcome_and_a_line_a_covariate() -> None:
    figure = forest_figure(EFFECTS, "overall", BINARY, "Table 2")
    texts = _texts(figure)

    assert len(figure.axes) == 2
    assert "Table 2 – All patients. Odds ratios, 95% CI" in texts
    for name in (
        "Primary tumour resected at baseline (yes)",
        "MRI with gadolinium at any time (yes)",
        "First-line regimen (yes)",
    ):
        assert texts.count(name) == 1
    assert "Relapse or death within 6 months" in texts
    assert "Relapse or death within 12 months" in texts


def test_survival_outcomes_have_hazard_ratios() -> None:
    figure = forest_figure(EFFECTS.assign(outcome="dfs"), "overall", ("dfs", "os"), "Table 3")

    assert "Table 3 – All patients. Hazard ratios, 95% CI" in _texts(figure)


def test_forest_marks_the_stages_apart_and_draws_no_row_without_numbers() -> None:
    first, second = forest_figure(EFFECTS, "overall", BINARY, "Table 2").axes

    # Squares for the two estimates on the axis, a circle for the second stage; what leaves the axis ends in arrows.
    assert sorted(_markers(first)) == sorted(["s", "s", "o", "<", ">", ">"])
    assert _markers(second) == []


def test_forest_takes_only_its_population() -> None:
    figure = forest_figure(EFFECTS.assign(population="primary_resected"), "overall", BINARY, "Table 2")

    assert "Primary tumour resected at baseline (yes)" not in _texts(figure)
    assert _drawn(figure)


def test_p_values_are_bold_where_they_let_in_or_are_independent() -> None:
    axes = forest_figure(EFFECTS, "overall", BINARY, "Table 2").axes[0]
    weights = {text.get_text(): text.get_fontweight() for text in axes.texts}

    assert weights["0.009"] == weights["0.016"] == "bold"
    assert weights["0.74"] == "normal"


def _compared() -> pd.DataFrame:
    ours = {"ours_estimate": 1.5, "ours_ci_low": 1.02, "ours_ci_high": 2.2, "ours_p_value": 0.04}
    words = ["reproduced", "differs", "misprint (P does not follow)", "not computed (x)"]
    rows = [effect_row(variable=f"v{place}") | ours | {"verdict": word} for place, word in enumerate(words)]
    rows[3] |= dict.fromkeys(ours, NAN)
    rows.append(effect_row(outcome="dfs", analysis="multivariable") | ours | {"verdict": "reproduced"})
    return pd.DataFrame(rows)


def test_comparison_has_a_panel_an_outcome_and_names_every_row() -> None:
    figure = comparison_figure(_compared())
    texts = _texts(figure)

    assert [axes.get_title(loc="center") for axes in figure.axes] == ["Relapse or death within 6 months", "Disease-free survival"]
    assert "v0 (triplet)" in texts
    assert "First-line regimen (triplet) – stage 2" in texts


def _one_a_panel() -> pd.DataFrame:
    ours = {"ours_estimate": 1.5, "ours_ci_low": 1.02, "ours_ci_high": 2.2, "ours_p_value": 0.04, "verdict": "differs"}
    longest = {"variable": "presurgery_vessel_contacts", "level": "", "analysis": "multivariable"}
    outcomes = ("relapse_6m", "relapse_12m", "dfs", "os")
    return pd.DataFrame([effect_row(outcome=outcome, **longest) | ours for outcome in outcomes])


def test_four_outcomes_are_two_panels_in_a_row() -> None:
    boxes = [axes.get_position() for axes in comparison_figure(_one_a_panel()).axes]

    assert len({round(box.x0, 3) for box in boxes}) == len({round(box.y0, 3) for box in boxes}) == 2


def test_the_longest_name_of_a_comparison_stays_clear_of_the_panel_to_its_left() -> None:
    figure = comparison_figure(_one_a_panel())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    left, right = figure.axes[:2]

    assert left.texts[0].get_window_extent().x0 > 0
    assert right.texts[0].get_window_extent().x0 > left.get_window_extent().x1


def test_names_of_a_comparison_can_be_read_at_the_width_of_the_page() -> None:
    figure = comparison_figure(_one_a_panel())
    page_inches = 1168 / 96  # 76 rem with its padding, 96 pixels an inch

    assert figure.axes[0].texts[0].get_fontsize() * page_inches / figure.get_figwidth() >= 7


def test_the_orange_of_a_row_that_differs_reaches_the_picture() -> None:
    image = Image.open(io.BytesIO(png(comparison_figure(_one_a_panel())))).convert("RGB")

    assert (0xD5, 0x5E, 0x00) in {colour for _, colour in image.getcolors(maxcolors=256) or []}


def test_print_is_grey_and_ours_has_the_colour_of_its_verdict() -> None:
    axes = comparison_figure(_compared()).axes[0]
    squares = [line for line in axes.lines if line.get_marker() == "s"]
    rows: dict[int, list[str]] = {}
    for line in sorted(squares, key=lambda line: float(line.get_ydata()[0])):
        rows.setdefault(round(float(line.get_ydata()[0])), []).append(to_hex(line.get_color()))

    assert [colours[0] for colours in rows.values()] == ["#9a9a9a"] * 4
    assert [len(colours) for colours in rows.values()] == [2, 2, 2, 1]  # what is not computed has print alone
    assert len({rows[place][1] for place in (0, 1, 2)}) == 3


def test_survival_figures_of_every_kind_are_drawn() -> None:
    for figure in survival_figures(after_relapse())[0]:
        drawn = survival_figure(figure)

        assert len(drawn.axes) >= len(figure.panels)
        assert _drawn(drawn), figure.name


def test_survival_figure_gives_medians_and_the_log_rank_p() -> None:
    figure = next(f for f in survival_figures(after_relapse())[0] if f.name == "s6_locoregional")
    axes = survival_figure(figure).axes[0]
    legend = axes.get_legend()

    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[0] == "locoregional treatment: median 21.0 (2.0–not reached)"
    assert labels[1].startswith("none: median 6.0 (1.0–")
    assert f"log-rank P {p_text(figure.panels[0].p_value)}" in axes.get_title(loc="left")


def test_numbers_at_risk_are_those_whose_time_is_not_yet_up() -> None:
    figure = next(f for f in survival_figures(after_relapse())[0] if f.name == "s2_survival")
    texts = [text.get_text() for text in survival_figure(figure).axes[0].texts]

    # Ticks 0, 24, 48; disease-free months 3, 4, 5, 6, 10, 13, 40, 60.
    start = texts.index("all")
    assert texts[start + 1 : start + 4] == ["8", "2", "1"]


@pytest.mark.parametrize(("longest", "label"), [(151.0, "Months (drawn to 120; the longest follow-up is 151)"), (60.0, "Months")])
def test_a_survival_figure_that_ends_before_follow_up_says_so(longest: float, label: str) -> None:
    cohort = after_relapse(
        dfs_months=[3.0, 4.0, 6.0, 10.0, 13.0, 5.0, 40.0, longest], os_months=[5.0, 10.0, 30.0, 50.0, 14.0, 5.0, 40.0, longest]
    )
    figure = next(f for f in survival_figures(cohort)[0] if f.name == "s2_survival")

    assert survival_figure(figure).axes[0].get_xlabel() == label


def test_groups_differ_in_line_as_well_as_in_colour() -> None:
    figure = next(f for f in survival_figures(after_relapse())[0] if f.name == "2_by_pattern")
    lines = [line for line in survival_figure(figure).axes[0].lines if not str(line.get_label()).startswith("_")]

    assert len({line.get_linestyle() for line in lines}) == len({to_hex(line.get_color()) for line in lines}) == 3


@pytest.mark.parametrize("column", ["relapse_site", "locoregional_kind"])
def test_patterns_are_bars_that_say_how_many(column: str) -> None:
    table = pattern_table(after_relapse(), column)
    figure = pattern_figure(table, "Patterns", {"Cut-off 6 months": 0.11})

    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "All relapses\n", "Cut-off 6 months\nchi-squared P 0.11", "Cut-off 12 months\n"
    ]  # fmt: skip
    heights = [sum(bar.get_height() for bar in axes.patches) for axes in figure.axes]
    assert heights[:2] == pytest.approx([100, 200])
    assert _drawn(figure)


def test_bars_are_labelled_with_count_and_share() -> None:
    figure = pattern_figure(pattern_table(after_relapse(), "relapse_site"), "Patterns", {})

    assert "2 (40%)" in _texts(figure)
    assert figure.axes[1].get_xticklabels()[0].get_text() == "early\n(n = 3)"


def test_the_same_table_gives_the_same_bytes() -> None:
    assert png(forest_figure(EFFECTS, "overall", BINARY, "x")) == png(forest_figure(EFFECTS, "overall", BINARY, "x"))


def test_figures_keep_away_from_pyplot() -> None:
    assert "import matplotlib.pyplot" not in inspect.getsource(reproduction_figures)
