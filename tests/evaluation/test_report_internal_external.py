from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.internal_external import INTERNAL_EXTERNAL_COLUMNS, POOLED, POOLED_METRICS
from evaluation.internal_external_figures import SHOWN, centre_forest
from evaluation.report import template
from evaluation.report_internal_external import NOTES, internal_external_views


def table() -> pd.DataFrame:
    """Two centres and their mean, at both horizons of DFS; the second model has no slope."""
    rows = []
    for model in ("paper_cox", "null_model"):
        for horizon in (6.0, 12.0):
            for number, centre in enumerate(("pisa", "rome", POOLED)):
                for metric in POOLED_METRICS:
                    row = {
                        "population": "overall",
                        "endpoint": "dfs",
                        "feature_set": "baseline",
                        "model": model,
                        "horizon_months": horizon,
                        "metric": metric,
                        "centre": centre,
                        "n": 50,
                        "n_events": 20,
                        "estimate": 0.6 + number / 10 + horizon / 1000,
                        "ci_low": 0.5,
                        "ci_high": 0.9,
                        "note": "",
                    }
                    if centre == POOLED:
                        row |= {"n_centres": 2, "prediction_low": 0.41, "prediction_high": 0.97, "i2": 12.3}
                    if model == "null_model" and metric == "calibration_slope":
                        row |= {"estimate": np.nan, "ci_low": np.nan, "ci_high": np.nan, "note": "one risk <for all>"}
                    rows.append(row)
    return pd.DataFrame(rows, columns=INTERNAL_EXTERNAL_COLUMNS)


def test_the_pooled_numbers_stand_in_the_table_at_the_primary_horizon():
    (view,) = internal_external_views(table())
    assert view.heading == "Disease-free survival – all patients"
    assert len(view.heads) == len(SHOWN)
    cox, null = view.rows
    auc = cox.numbers[0]
    assert (auc.shown.value, auc.shown.interval, auc.beyond, auc.i2) == ("0.81", "0.50 to 0.90", "[0.41 to 0.97]", "12%")
    assert null.numbers[1].shown.value == "not estimable"
    assert view.footnotes == (("1", "one risk <for all>"),)


def test_the_section_is_html_that_escapes_and_is_left_out_without_rows():
    def rendered(rows: pd.DataFrame) -> str:
        return template("_internal_external.html.j2").render(
            internal_external=internal_external_views(rows), centre_notes=NOTES, image=lambda png: "data:"
        )

    page = rendered(table())
    assert "one risk &lt;for all&gt;" in page
    assert "0.81 (0.50 to 0.90)" in page
    assert rendered(table().iloc[:0]).strip() == ""


@pytest.mark.parametrize("panel", range(len(SHOWN)))
def test_every_centre_and_the_mean_are_drawn_where_the_table_has_them(panel: int):
    rows = table()
    rows = rows[rows["horizon_months"] == 12.0]
    axes = centre_forest(rows, "DFS").axes[panel]
    metric = list(SHOWN)[panel]
    drawn = sorted(float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() in ("o", "D"))
    assert drawn == pytest.approx(sorted(rows.loc[rows["metric"] == metric, "estimate"].dropna()))
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("not estimable") == (3 if metric == "calibration_slope" else 0)
