"""Figures draw what the tables say, for every kind of cell, without pyplot."""

from __future__ import annotations

import inspect
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from cohort.types import Outcome
from evaluation import figures
from evaluation.curves import calibration_curve, risk_group_curves, roc_curve
from evaluation.predictions import HorizonPredictions
from evaluation.tables import leaderboard_columns

from .report_cases import decision_curve_of

NAN = float("nan")


def _cell_figure(risk: np.ndarray, title: str = "Model", horizon: float = 12.0) -> Figure:
    time = np.array([2.0, 3, 5, 7, 9, 14, 15, 16, 20, 30])
    event = np.array([1, 1, 0, 1, 1, 0, 1, 0, 1, 0], dtype=bool)
    at = HorizonPredictions(horizon, 60.0, Outcome(time, event), risk[:, None], np.zeros((10, 1), dtype=np.int16))
    return figures.cell_figure(title, roc_curve(at), calibration_curve(at, 2), risk_group_curves(at), horizon)


def _board(**changes: object) -> pd.DataFrame:
    cells = [
        ("none", "null_model", "completed", 0.5, 0.5, 0.5, NAN, NAN, NAN),
        ("baseline", "paper_cox", "completed", 0.61, 0.52, 0.7, 0.8, -4.0, 9.0),
        ("pre_surgery", "xgboost_survival", "completed", 0.93, 0.9, 0.96, 5.0, 4.0, 6.0),
        ("pre_surgery", "random_survival_forest", "failed", NAN, NAN, NAN, NAN, NAN, NAN),
    ]
    rows = []
    for feature_set, model, status, auc, low, high, slope, slope_low, slope_high in cells:
        row: dict[str, object] = dict.fromkeys(leaderboard_columns(), NAN)
        row |= {"population": "overall", "endpoint": "dfs", "feature_set": feature_set, "model": model, "status": status}
        row |= {"auc": auc, "auc_ci_low": low, "auc_ci_high": high}
        row |= {"calibration_slope": slope, "calibration_slope_ci_low": slope_low, "calibration_slope_ci_high": slope_high}
        row |= {"horizon_months": 12.0 if status == "completed" else NAN, "o_e": 1.0, "note": ""}
        rows.append(row | changes)
    return pd.DataFrame(rows)


def _texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in (*figure.texts, *(text for axes in figure.axes for text in axes.texts))]


def _size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def test_cell_figure_has_three_panels() -> None:
    figure = _cell_figure(np.linspace(0.9, 0.1, 10))

    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Calibration at 12 months",
        "ROC at 12 months",
        "Kaplan-Meier by predicted risk",
    ]


def test_numbers_at_risk_are_those_whose_time_is_not_yet_up() -> None:
    texts = _texts(_cell_figure(np.full(10, 0.4)))
    start = texts.index("all")

    # Ticks 0, 6, 12, 18, 24; times 2, 3, 5, 7, 9, 14, 15, 16, 20, 30.
    assert texts[start + 1 : start + 6] == ["10", "7", "5", "2", "1"]


def test_one_group_needs_no_legend() -> None:
    assert _cell_figure(np.full(10, 0.4)).axes[2].get_legend() is None
    assert _cell_figure(np.linspace(0.9, 0.1, 10)).axes[2].get_legend() is not None


def test_risk_groups_differ_in_grey_and_in_line() -> None:
    lines = [line for line in _cell_figure(np.linspace(0.9, 0.1, 10)).axes[2].lines if not line.get_label().startswith("_")]
    grey = [float(np.dot(to_rgb(line.get_color()), (0.299, 0.587, 0.114))) for line in lines]

    assert len(lines) == 3
    assert grey == sorted(grey, reverse=True)
    assert min(-np.diff(grey)) > 0.15


def test_group_not_followed_to_the_horizon_is_named_and_not_drawn() -> None:
    calibration = pd.DataFrame(
        [[1, 5, 0.2, 0.3, 0.1, 0.5], [2, 5, 0.6, NAN, NAN, NAN]],
        columns=["group", "n", "mean_risk", "observed", "ci_low", "ci_high"],
    )
    roc = pd.DataFrame({"false_positive_rate": [0.0, 1], "true_positive_rate": [0.0, 1]})
    groups = pd.DataFrame({"group": "all", "time_months": [0.0, 5], "survival": [1, 0.5], "n_at_risk": [2, 2]})
    figure = figures.cell_figure("Model", roc, calibration, groups, 12.0)

    assert "1 group(s) not followed to the horizon" in _texts(figure)
    assert _size(figures.png(figure))[0] > 0


def test_the_same_figure_gives_the_same_bytes() -> None:
    risk = np.linspace(0.9, 0.1, 10)

    assert figures.png(_cell_figure(risk)) == figures.png(_cell_figure(risk))


def test_title_with_signs_of_mathematics_is_drawn_as_it_is() -> None:
    assert _size(figures.png(_cell_figure(np.full(10, 0.4), title="$x_1^{")))[0] > 0


def test_background_is_white() -> None:
    image = Image.open(io.BytesIO(figures.png(_cell_figure(np.linspace(0.9, 0.1, 10))))).convert("RGB")

    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_decision_figure_draws_the_model_beside_both_defaults_and_its_difference_to_the_better_one() -> None:
    curve = decision_curve_of(-0.01, 0.02, 0.01)
    benefit, difference = figures.decision_figure("Model", curve, 12.0).axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in benefit.lines}

    assert benefit.get_title(loc="left") == "Net benefit at 12 months"
    assert drawn["treat by the model"] == curve["net_benefit"].tolist()
    assert drawn["treat all"] == curve["treat_all"].tolist()
    assert drawn["treat nobody"] == [0, 0, 0]
    assert curve["difference"].tolist() in [list(line.get_ydata()) for line in difference.lines]
    for axes, columns in ((benefit, ["ci_low", "ci_high"]), (difference, ["difference_ci_low", "difference_ci_high"])):
        (band,) = axes.collections
        drawn_at = {(round(x, 9), round(y, 9)) for x, y in band.get_paths()[0].vertices}
        assert {(round(row["threshold"], 9), round(row[c], 9)) for _, row in curve.iterrows() for c in columns} <= drawn_at


def test_decision_figure_marks_the_thresholds_at_which_the_model_is_of_use() -> None:
    figure = figures.decision_figure("Model", decision_curve_of(-0.01, 0.02, 0.01), 12.0)
    marked = [list(line.get_xdata()) for line in figure.axes[1].lines if line.get_marker() == "|"]

    assert marked == [[0.2, 0.3]]
    assert "Better than both defaults at thresholds of 20% to 30%" in _texts(figure)


def test_upper_axis_of_the_decision_figure_states_the_threshold_as_harm_to_benefit() -> None:
    (above,) = figures.decision_figure("Model", decision_curve_of(*[0.0] * 6), 12.0).axes[0].child_axes
    shown = zip(above.get_xticks(), (label.get_text() for label in above.get_xticklabels()), strict=True)

    for threshold, ratio in shown:
        harm, benefit = map(int, ratio.split(":"))
        assert harm / benefit == pytest.approx(threshold / (1 - threshold))


@pytest.mark.parametrize("spread", [0.0005, 0.02, 0.13, 0.31])
def test_ticks_of_the_difference_are_printed_as_they_are(spread: float) -> None:
    axes = figures.decision_figure("Model", decision_curve_of(-spread, spread), 12.0).axes[1]
    axes.figure.draw_without_rendering()

    for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        assert float(label.get_text().replace("−", "-")) == pytest.approx(tick, abs=1e-9)


@pytest.mark.parametrize("bounds", [(NAN, 0.0, 0.1), (NAN, NAN, NAN), (0.0, 0.0, 0.0)])
def test_decision_figure_is_drawn_where_thresholds_have_no_number_and_says_how_many(bounds: tuple[float, ...]) -> None:
    figure = figures.decision_figure("$x_1^{", decision_curve_of(*bounds), 12.0)
    missing = int(np.isnan(bounds).sum())

    assert _size(figures.png(figure))[0] > 0
    assert (f"At {missing} threshold(s) those treated are not followed to the horizon" in _texts(figure)) == (missing > 0)


@pytest.mark.parametrize("draw", [figures.discrimination_figure, figures.calibration_figure])
def test_forest_draws_every_kind_of_cell(draw: object) -> None:
    assert callable(draw)
    assert _size(figures.png(draw(_board(), "dfs", "overall")))[0] > 0


def test_forest_shows_estimate_with_interval_and_says_what_failed() -> None:
    texts = _texts(figures.discrimination_figure(_board(), "dfs", "overall"))

    assert "0.61 (0.52 to 0.70)" in texts
    assert "failed" in texts


def test_forest_says_what_is_not_estimable() -> None:
    assert "not estimable" in _texts(figures.calibration_figure(_board(), "dfs", "overall"))


def test_forest_says_where_there_is_no_interval() -> None:
    board = _board(auc_ci_low=NAN, auc_ci_high=NAN)

    assert "0.61 (no interval)" in _texts(figures.discrimination_figure(board, "dfs", "overall"))


def test_forest_groups_models_by_feature_set_the_null_model_first() -> None:
    labels = [t for t in _texts(figures.discrimination_figure(_board(), "dfs", "overall")) if "(" not in t or "model" in t]

    assert labels.index("Null model (Kaplan-Meier)") < labels.index("Known at diagnosis of the metastases")
    assert labels.index("Known at diagnosis of the metastases") < labels.index("Known the day before surgery")


def test_forest_marks_what_lies_beyond_its_axis() -> None:
    axes = figures.calibration_figure(_board(), "dfs", "overall").axes[0]
    arrows = [line.get_marker() for line in axes.lines if line.get_marker() in "<>"]

    # -4 to 9 leaves on both sides; 4 to 6 lies beyond on the right.
    assert sorted(arrows) == ["<", ">", ">"]


def test_forest_of_failed_cells_only_is_drawn() -> None:
    board = _board(status="failed", horizon_months=NAN, auc=NAN)

    assert "All patients" in _texts(figures.discrimination_figure(board, "dfs", "overall"))


def test_forest_without_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="no cell of os"):
        figures.discrimination_figure(_board(), "os", "overall")


@pytest.mark.parametrize(("number", "text"), [(0.456, "0.46"), (-0.3, "−0.30"), (-0.001, "0.00")])
def test_number_is_printed_with_a_true_minus_and_no_minus_zero(number: float, text: str) -> None:
    assert figures.signed(number) == text


def test_names_outside_the_registries_are_shown_as_they_are() -> None:
    assert figures.model_label("mine") == "mine"
    assert figures.feature_set_label("mine") == "mine"
    assert figures.feature_set_label("none") == "No predictors"


def test_figures_keep_away_from_pyplot() -> None:
    assert "import matplotlib.pyplot" not in inspect.getsource(figures)


def test_a_colour_that_covers_few_pixels_keeps_itself_among_many_shades() -> None:
    figure = Figure(figsize=(8, 8))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(np.random.default_rng(1).random((60, 60)), cmap="Blues")
    axes.plot([30], [30], marker="s", markersize=4, color="#d55e00")
    image = Image.open(io.BytesIO(figures.png(figure))).convert("RGB")

    assert "#d55e00" in {to_hex(np.array(colour) / 255) for _, colour in image.getcolors(maxcolors=256) or []}


@pytest.mark.parametrize(
    ("variable", "level", "label"),
    [
        ("ecog_ps", "1-2", "ECOG performance status (1–2)"),
        ("pt_stage", "t1_3", "pT stage (T1–3)"),
        ("synchronous", "synchronous", "Time of metastases (synchronous)"),
        ("ras_braf", "braf_mutated", "RAS and BRAF status (BRAF mutated)"),
        ("baseline_cea", "", "Baseline CEA (per ng/ml)"),
        ("presurgery_lesions", "", "Pre-surgery number of lesions (per lesion)"),
        ("mri_any", "yes", "MRI with gadolinium at any time (yes)"),
        ("my_own", "a_b", "my own (a b)"),
    ],
)
def test_an_effect_is_named_by_the_dictionary_with_its_unit_or_level(variable: str, level: str, label: str) -> None:
    assert figures.effect_label(variable, level) == label


def test_a_line_of_table_1_has_the_label_of_its_baseline_column_without_the_time() -> None:
    assert figures.variable_label("max_diameter") == "Largest diameter"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("relapse_site: hepatic_only", "Site of relapse: hepatic only"),
        ("the other rows of dfs", "the other rows of disease-free survival"),
        ("n_relapse_12m: the text gives 149", "Number: relapse 12 months: the text gives 149"),
        ("relapse_6m", "relapse or death within 6 months"),
        ("cea (baseline): median 17", "CEA (baseline): median 17"),
        ("<script>P 0.62 does not follow", "<script>P 0.62 does not follow"),
    ],
)
def test_names_of_the_code_become_words_and_nothing_else_changes(text: str, words: str) -> None:
    assert figures.in_words(text) == words


@pytest.mark.parametrize(
    ("p_value", "text"),
    [(0.00009, "<0.0001"), (0.0001, "0.0001"), (0.00035, "0.0003"), (0.046, "0.046"), (0.58, "0.58"), (0.1, "0.10"), (NAN, "")],
)
def test_p_is_printed_as_journals_do(p_value: float, text: str) -> None:
    assert figures.p_text(p_value) == text
