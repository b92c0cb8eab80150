"""Kaplan-Meier tables by hand, and who is compared with whom in the paper's survival figures."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from cohort.types import Cohort, Outcome
from evaluation.effects import EFFECT_COLUMNS
from evaluation.facts import facts
from evaluation.log_rank import log_rank
from evaluation.survival_curves import SurvivalFigure, pattern_table, survival_figures, survival_panel

from .reproduction_cases import after_relapse, followed_after_relapse

FIVE = Outcome(np.array([2.0, 3.0, 3.0, 5.0, 8.0]), np.array([True, True, False, True, False]))


def _figures(cohort: Cohort) -> dict[str, SurvivalFigure]:
    return {figure.name: figure for figure in survival_figures(cohort)[0]}


def test_a_curve_starts_at_one_steps_at_events_and_ends_with_follow_up() -> None:
    curve = survival_panel("x", FIVE).curves

    assert curve["time_months"].tolist() == [0, 2, 3, 5, 8]
    assert curve["survival"].tolist() == pytest.approx([1, 4 / 5, 3 / 5, 3 / 10, 3 / 10])
    assert curve["n_at_risk"].tolist() == [5, 5, 4, 2, 1]


def test_the_band_is_greenwoods_on_the_log_scale_and_stays_below_one() -> None:
    curve = survival_panel("x", FIVE).curves
    error = math.sqrt(1 / (5 * 4) + 1 / (4 * 3))

    assert curve.loc[2, "ci_low"] == pytest.approx(0.6 * math.exp(-1.959964 * error), rel=1e-6)
    assert curve.loc[2, "ci_high"] == 1.0
    assert curve.loc[0, ["ci_low", "ci_high"]].tolist() == [1, 1]


def test_where_nobody_is_left_there_is_no_band() -> None:
    curve = survival_panel("x", Outcome(np.array([1.0, 2.0]), np.array([True, True]))).curves

    nobody = curve["survival"] == 0
    assert curve["survival"].drop_duplicates().tolist() == [1, 0.5, 0]
    assert curve.loc[nobody, ["ci_low", "ci_high"]].isna().all(axis=None)
    assert curve.loc[~nobody, ["ci_low", "ci_high"]].notna().all(axis=None)


def test_a_group_without_an_event_stays_at_one() -> None:
    panel = survival_panel("x", Outcome(np.array([4.0, 9.0]), np.array([False, False])))

    assert panel.curves["survival"].eq(1).all()
    assert panel.curves[["time_months", "n_at_risk"]].iloc[[0, -1]].to_numpy().tolist() == [[0, 2], [9, 1]]
    assert math.isnan(panel.medians["median"].item())


def test_one_group_has_no_p_value_and_two_have_the_log_ranks() -> None:
    group = ["b", "a", "b", "a", "b"]
    panel = survival_panel("x", FIVE, group)

    assert math.isnan(survival_panel("x", FIVE).p_value)
    assert panel.p_value == log_rank(FIVE, group).p_value
    assert panel.medians[["group", "n", "n_events"]].to_numpy().tolist() == [["b", 3, 1], ["a", 2, 2]]


def test_groups_without_any_event_are_drawn_and_not_tested() -> None:
    panel = survival_panel("x", Outcome(np.array([4.0, 9.0]), np.array([False, False])), ["a", "b"])

    assert math.isnan(panel.p_value)
    assert len(panel.medians) == 2


def test_a_relapse_of_unknown_site_is_in_no_pattern() -> None:
    cohort = after_relapse(relapse_site=["hepatic_only", None, "hepatic_only", "multiorgan", "multiorgan", *[None] * 3])

    assert _figures(cohort)["2_by_pattern"].panels[0].medians["n"].tolist() == [2, 2]


def test_a_relapse_of_unknown_treatment_is_in_no_group() -> None:
    cohort = after_relapse(locoregional_treatment=["yes", None, "no", "yes", "no", *[None] * 3])

    assert _figures(cohort)["s6_locoregional"].panels[0].medians["n"].tolist() == [2, 2]


def test_every_figure_of_the_paper_is_made_of_a_cohort_that_records_all() -> None:
    figures, left_out = survival_figures(followed_after_relapse())

    assert left_out == []
    assert [figure.name for figure in figures] == [
        "s2_survival", "2_by_pattern", "s3_early_late", "s4_early_late_by_site", "s6_locoregional", "s7_locoregional_by_timing"
    ]  # fmt: skip
    assert [len(figure.panels) for figure in figures] == [2, 1, 2, 6, 1, 4]


def test_what_is_not_recorded_leaves_its_figures_out_and_is_named() -> None:
    whole = after_relapse()
    figures, left_out = survival_figures(
        Cohort("less", "Less", "simulated", whole.frame.drop(columns=["relapse_site", "locoregional_treatment"]))
    )

    assert [figure.name for figure in figures] == ["s2_survival", "s3_early_late"]
    assert left_out == [
        "Figure 2: the cohort does not record relapse_site",
        "Figure S4: the cohort does not record relapse_site",
        "Figure S6: the cohort does not record locoregional_treatment",
        "Figure S7: the cohort does not record locoregional_treatment",
    ]


def test_where_nobody_relapsed_only_the_survival_of_all_is_drawn() -> None:
    whole = after_relapse(relapse=["no"] * 8)
    figures, left_out = survival_figures(whole)

    assert [figure.name for figure in figures] == ["s2_survival"]
    assert left_out == [f"Figure {number}: nobody relapsed" for number in ("2", "S3", "S4", "S6", "S7")]


def test_what_is_known_of_no_relapse_leaves_its_figures_out_with_the_reason_and_the_others_are_drawn() -> None:
    figures, left_out = survival_figures(after_relapse(relapse_site=[None] * 8))

    assert [figure.name for figure in figures] == ["s2_survival", "s3_early_late", "s6_locoregional", "s7_locoregional_by_timing"]
    assert left_out == [f"Figure {number}: no relapsed patient has a known relapse_site" for number in ("2", "S4")]
    with pytest.raises(ValueError, match="no relapsed patient has a known relapse_site"):
        pattern_table(after_relapse(relapse_site=[None] * 8), "relapse_site")


def test_where_all_relapse_at_one_site_its_curve_is_drawn_without_a_p() -> None:
    panel = _figures(after_relapse(relapse_site=["multiorgan"] * 5 + [None] * 3))["2_by_pattern"].panels[0]

    assert panel.medians["group"].tolist() == ["multiorgan"]
    assert math.isnan(panel.p_value)


def test_early_stands_before_late_and_every_relapse_is_in_one_of_them() -> None:
    six, twelve = _figures(after_relapse())["s3_early_late"].panels

    assert six.medians[["group", "n"]].to_numpy().tolist() == [["early", 3], ["late", 2]]
    assert twelve.medians[["group", "n"]].to_numpy().tolist() == [["early", 4], ["late", 1]]
    assert six.medians["median"].tolist()[0] == 6


def test_patterns_stand_in_the_papers_order_whatever_the_order_of_patients() -> None:
    panel = _figures(after_relapse())["2_by_pattern"].panels[0]
    assert panel.medians["group"].tolist() == ["hepatic only", "extrahepatic single organ", "multiorgan"]

    whole = after_relapse()
    backwards = Cohort("b", "B", "simulated", whole.frame.iloc[::-1].reset_index(drop=True))
    pd.testing.assert_frame_equal(_figures(backwards)["2_by_pattern"].panels[0].medians, panel.medians)


def test_within_a_pattern_only_its_patients_are_compared() -> None:
    panels = {panel.title: panel.medians for panel in _figures(after_relapse())["s4_early_late_by_site"].panels}

    assert panels["multiorgan, 6 months"][["group", "n"]].to_numpy().tolist() == [["early", 1], ["late", 1]]
    assert panels["multiorgan, 12 months"][["group", "n"]].to_numpy().tolist() == [["early", 2]]
    assert panels["extrahepatic single organ, 6 months"][["group", "n"]].to_numpy().tolist() == [["late", 1]]


def test_by_treatment_and_timing_survival_runs_from_surgery_and_else_from_relapse() -> None:
    found = _figures(after_relapse())
    from_relapse = found["s6_locoregional"].panels[0]
    late = next(panel for panel in found["s7_locoregional_by_timing"].panels if panel.title == "late relapse, 6 months")

    assert from_relapse.curves["time_months"].max() == 40
    assert late.curves["time_months"].max() == 50
    assert from_relapse.medians["group"].tolist() == ["locoregional treatment", "none"]
    assert from_relapse.medians["n"].tolist() == [2, 3]


def test_figures_and_text_give_the_same_p_values_and_medians() -> None:
    cohort = followed_after_relapse()
    found = _figures(cohort)
    told = facts(cohort, pd.DataFrame(columns=EFFECT_COLUMNS)).set_index("fact")

    assert found["2_by_pattern"].panels[0].p_value == pytest.approx(told.loc["p_post_relapse_os_by_site", "p_value"])
    assert found["s3_early_late"].panels[1].p_value == pytest.approx(told.loc["p_post_relapse_os_by_early_12m", "p_value"])
    treated = found["s6_locoregional"].panels[0].medians.set_index("group")["median"]
    assert treated["locoregional treatment"] == told.loc["median_post_relapse_os_locoregional_months", "value"]
    assert found["s2_survival"].panels[0].medians["median"].item() == told.loc["median_dfs_months", "value"]


def test_a_pattern_is_a_share_of_its_group_overall_and_by_timing() -> None:
    table = pattern_table(after_relapse(), "relapse_site").set_index(["panel", "group", "level"])

    assert table.loc[("All relapses", "all", "hepatic_only")].tolist() == [2, 40]
    assert table.loc[("Cut-off 6 months", "early", "hepatic_only"), "percent"] == pytest.approx(200 / 3)
    assert table.loc[("Cut-off 6 months", "late", "hepatic_only")].tolist() == [0, 0]
    assert table.loc[("Cut-off 12 months", "late", "extrahepatic_single_organ")].tolist() == [1, 100]
    assert table.groupby(level=["panel", "group"])["percent"].sum().tolist() == pytest.approx([100] * 5)


def test_of_the_treatments_only_those_who_had_one_are_counted() -> None:
    table = pattern_table(after_relapse(), "locoregional_kind")
    shares = table.set_index(["panel", "group", "level"])

    assert table.groupby(["panel", "group"], sort=False)["count"].sum().tolist() == [2, 1, 1, 2, 0]
    assert shares.loc[("All relapses", "all", "liver_surgery")].tolist() == [1, 50]
    assert shares.loc[("Cut-off 12 months", "late", "liver_surgery")].tolist() == [0, 0]
