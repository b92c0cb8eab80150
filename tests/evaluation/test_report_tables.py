"""Result tables: no number without an interval or a reason."""

from __future__ import annotations

import re

import pytest

from evaluation.metrics.registry import METRICS
from evaluation.report import render_report

from .report_cases import NAN, NULL, SLOPE_NOTE, cell_row, metrics_of, report_data

pytestmark = pytest.mark.usefixtures("figures_are_not_rendered")


def test_every_number_of_a_result_table_has_an_interval_or_a_reason() -> None:
    no_interval = cell_row("baseline", "paper_cox", (0.6, NAN, NAN))
    html = render_report(report_data(NULL, no_interval))
    body = html[html.index('class="results"') : html.index("</table>")]
    cells = re.findall(r'<td class="n[^"]*">(.*?)</td>', body, flags=re.DOTALL)

    assert len(cells) == 2 * len(METRICS)
    assert all("<small>(" in cell or "<sup>" in cell for cell in cells)
    assert "not estimable: all patients of a fold have one risk." in html
    assert "no interval: no interval was computed." in html


def test_estimate_with_a_note_carries_it() -> None:
    note = ("baseline", "paper_cox", "auc", 12.0, 0.6, 0.52, 0.68, "3 of 500 resamples could not be estimated")
    html = render_report(report_data(metrics=metrics_of(SLOPE_NOTE, note)))

    assert "3 of 500 resamples could not be estimated." in html


def test_other_horizons_have_a_table_of_their_own() -> None:
    models = (("none", "null_model"), ("baseline", "paper_cox"))
    rows = [(f, m, metric, 6.0, 0.55, 0.5, 0.6, "") for f, m in models for metric in METRICS]
    html = render_report(report_data(metrics=metrics_of(SLOPE_NOTE, *rows)))

    assert "At 6 months: estimate (95% CI)" in html
    assert "At 12 months: estimate (95% CI)" in html
