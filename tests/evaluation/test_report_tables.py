"""Result tables: no number without an interval or a reason."""

from __future__ import annotations

import re

import pytest

from evaluation.metrics.registry import METRICS
from evaluation.report import render_report
from evaluation.report_tables import HEADLINE

from .report_cases import NAN, NULL, SLOPE_NOTE, cell_row, metrics_of, report_data

pytestmark = pytest.mark.usefixtures("figures_are_not_rendered")


def test_every_number_of_a_result_table_has_an_interval_or_a_reason() -> None:
    no_interval = cell_row("baseline", "paper_cox", (0.6, NAN, NAN))
    html = render_report(report_data(NULL, no_interval))
    body = html[html.index('class="results"') : html.index("</table>")]
    cells = re.findall(r'<td class="n[^"]*">(.*?)</td>', body, flags=re.DOTALL)

    assert len(cells) == 2 * len(HEADLINE)
    everywhere = [
        cell for table in _result_tables(html) for cell in re.findall(r'<td class="n[^"]*">(.*?)</td>', table, re.DOTALL)
    ]
    assert len(everywhere) == 2 * len(METRICS)
    assert all("<small>(" in cell or "<sup>" in cell for cell in everywhere)
    assert "not estimable: all patients of a fold have one risk." in html
    assert "no interval: no interval was computed." in html


def _result_tables(html: str) -> list[str]:
    return re.findall(r'<table class="results">.*?</table>', html, re.DOTALL)


def test_every_metric_has_one_column_and_what_is_no_headline_is_folded_away() -> None:
    html = render_report(report_data())
    heads = [re.findall(r'<th scope="col">([^<]+)<small>', table) for table in _result_tables(html)]
    folded = "".join(re.findall(r"<details>.*?</details>", html, re.DOTALL))

    assert sorted(head for table in heads for head in table) == sorted(html_label(m) for m in METRICS)
    assert heads[0] == [html_label(m) for m in HEADLINE]
    for name in METRICS:
        assert (f'"col">{html_label(name)}<small>' in folded) == (name not in HEADLINE)


def html_label(metric: str) -> str:
    return METRICS[metric].label.replace("'", "&#39;")


def test_a_message_spans_all_columns_of_its_table() -> None:
    failed = cell_row("baseline", "paper_cox", (NAN, NAN, NAN), status="failed", rank=None, note="no fit")
    spans = [int(n) for n in re.findall(r'class="weak" colspan="(\d+)">failed: no fit', render_report(report_data(NULL, failed)))]

    assert sum(spans) == len(METRICS)
    assert spans[0] == len(HEADLINE)


def test_estimate_with_a_note_carries_it() -> None:
    note = ("baseline", "paper_cox", "auc", 12.0, 0.6, 0.52, 0.68, "3 of 500 resamples could not be estimated")
    html = render_report(report_data(metrics=metrics_of(SLOPE_NOTE, note)))

    assert "3 of 500 resamples could not be estimated." in html


def test_other_horizons_have_a_table_of_their_own() -> None:
    models = (("none", "null_model"), ("baseline", "paper_cox"))
    rows = [(f, m, metric, 6.0, 0.55, 0.5, 0.6, "") for f, m in models for metric in METRICS]
    html = render_report(report_data(metrics=metrics_of(SLOPE_NOTE, *rows)))

    assert "At 6 months: estimate (95% CI)" in html
    assert "<summary>At 6 months: all metrics</summary>" in html
    assert "<summary>At 12 months: all other metrics</summary>" in html
    assert "At 12 months: estimate (95% CI)" in html
