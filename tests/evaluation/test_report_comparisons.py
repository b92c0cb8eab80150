"""The comparison tables of the report: what stands where, and the reason where a number is missing."""

from __future__ import annotations

import pandas as pd

from evaluation.report_comparisons import Compared, ComparisonTable, comparison_tables

from .report_cases import NAN, NULL, board_of, cell_row, compared_of, compared_row

AUC = (0.6, 0.5, 0.7)
COX, TREES = cell_row("baseline", "paper_cox", AUC, rank=2), cell_row("baseline", "random_survival_forest", AUC, rank=1)


def _tables(*rows: dict[str, object], board: pd.DataFrame | None = None) -> list[ComparisonTable]:
    return list(comparison_tables(board_of(NULL, COX, TREES) if board is None else board, compared_of(*rows)))


def _forest(
    metric: str = "c_uno", comparison: str = "null_model", feature_set: str = "baseline", **changes: object
) -> dict[str, object]:
    return compared_row(metric, comparison, "random_survival_forest", feature_set, **changes)


def test_the_metric_that_the_verdict_judges_by_comes_first() -> None:
    tables = _tables(*(_forest(metric) for metric in ("brier_skill", "auc", "c_uno")))

    assert [t.caption.split(" at ")[0] for t in tables] == [
        "Differences in Uno's C",
        "Differences in AUC",
        "Differences in Brier skill",
    ]


def test_models_stand_in_the_order_of_the_leaderboard_without_the_null_model() -> None:
    [table] = _tables(compared_row("c_uno", "null_model"), _forest())

    assert [row.model for row in table.rows] == ["Random survival forest", "Two-stage Cox (paper)"]
    assert {row.features for row in table.rows} == {"Known at diagnosis of the metastases"}


def test_difference_interval_and_p_values_are_printed_and_delongs_interval_where_there_is_one() -> None:
    [table] = _tables(_forest("auc", difference=-0.1, ci_low=-0.17, ci_high=0.0, delong_ci_low=-0.16, delong_ci_high=-0.04))

    assert table.rows[0].compared == (
        Compared("−0.10", "−0.17 to 0.00", "−0.16 to −0.04", p_holm="0.020", p_value="0.010", practical="90%"),
    )


def test_each_kind_of_comparison_has_its_column_named_by_its_reference_and_a_gap_where_it_is_not_made() -> None:
    [table] = _tables(compared_row("c_uno", "null_model"), _forest(), _forest(comparison="paper_model"))
    forest, cox = table.rows

    assert table.heads == ("Against the null model", "Against Two-stage Cox (paper), same features")
    assert all(c.difference == "0.10" for c in forest.compared)
    assert cox.compared[1] == Compared()


def test_what_later_features_add_has_a_table_of_its_own_with_the_models_on_them_only() -> None:
    later = cell_row("pre_surgery", "random_survival_forest", AUC)
    rows = [_forest(), _forest(feature_set="pre_surgery", comparison="added_information")]
    first, added = _tables(*rows, board=board_of(NULL, TREES, later))

    assert first.heads == ("Against the null model",)
    assert added.heads == ("Against itself on baseline features",)
    assert "pre-surgery less baseline features" in added.caption
    assert [row.features for row in added.rows] == ["Known the day before surgery"]


def test_brier_skill_has_a_decimal_more() -> None:
    [table] = _tables(_forest("brier_skill", difference=0.0123))

    assert table.rows[0].compared[0].difference == "0.012"


def test_missing_numbers_have_a_dash_and_a_footnote_once() -> None:
    missing = {
        "p_value": NAN,
        "p_holm": NAN,
        "ci_low": NAN,
        "ci_high": NAN,
        "probability_of_practical_gain": NAN,
        "note": "because",
    }
    [table] = _tables(compared_row("c_uno", "null_model", **missing), _forest(**missing))
    shown = [row.compared[0] for row in table.rows]

    assert {(c.p_holm, c.p_value, c.practical, c.interval, c.mark) for c in shown} == {("–", "–", "–", "no interval", "1")}
    assert table.footnotes == (("1", "because"),)


def test_small_p_values_are_not_printed_as_nothing() -> None:
    [table] = _tables(_forest(p_holm=0.0004, p_value=0.00001))

    assert (table.rows[0].compared[0].p_holm, table.rows[0].compared[0].p_value) == ("<0.001", "<0.001")


def test_without_comparisons_there_is_no_table() -> None:
    assert _tables() == []
