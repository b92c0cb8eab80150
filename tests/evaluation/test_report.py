"""What the report must say, must not say, and must not let through."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pandas as pd
import pytest

from evaluation import figures
from evaluation.metrics.registry import METRICS
from evaluation.report import render_report, write_report
from evaluation.verdict import Verdict

from .report_cases import (
    NAN,
    NULL,
    SETTINGS,
    board_of,
    cell_row,
    compared_of,
    compared_row,
    decision_curve_of,
    metrics_of,
    report_data,
    text_of,
)

HOSTILE = '<script>alert("x")</script>'
REAL_PNG = figures.png

pytestmark = pytest.mark.usefixtures("figures_are_not_rendered")


def test_evidence_that_is_not_real_stands_before_everything_else() -> None:
    text = text_of(render_report(report_data()))

    assert "Evidence: simulated: no patient's data, no clinical evidence" in text
    assert text.index("no clinical evidence") < text.index("Summary")


def test_real_evidence_carries_no_alarm() -> None:
    html = render_report(report_data(evidence="real"))

    assert "Evidence: real patients." in html
    assert 'class="evidence"' not in html


def test_unknown_evidence_is_refused() -> None:
    with pytest.raises(ValueError, match="evidence is one of"):
        report_data(evidence="hearsay")


def test_no_correction_for_multiplicity_is_stated_with_what_the_intervals_are() -> None:
    text = text_of(render_report(report_data()))

    assert "No correction for multiplicity is made" in text
    assert "patient-bootstrap intervals of fixed out-of-fold predictions" in text


def test_nan_is_never_printed() -> None:
    failed = cell_row(
        "paper", "paper_cox", (NAN, NAN, NAN), NAN, status="failed", rank=NAN, n=NAN, n_events=NAN, horizon_months=NAN
    )
    empty = dict.fromkeys(METRICS, NAN)
    text = text_of(render_report(report_data(NULL, failed | empty | {"seconds": NAN, "note": "fold 1: singular"})))

    # "none" is a level of the dictionary, and allowed.
    assert not re.search(r"\b(nan|nat)\b|<na>", text, flags=re.IGNORECASE)
    assert "failed: fold 1: singular" in text


def test_board_of_failed_cells_only_is_rendered() -> None:
    failed = cell_row("paper", "paper_cox", (NAN, NAN, NAN), NAN, status="failed", rank=NAN, horizon_months=NAN, note="broken")

    assert "No cell was completed." in render_report(report_data(failed, metrics=metrics_of()))


def test_board_without_a_cell_is_rendered() -> None:
    assert "No cell was run." in render_report(report_data(leaderboard=board_of(), metrics=metrics_of()))


def test_labels_are_for_people() -> None:
    text = text_of(render_report(report_data()))

    for label in ("Two-stage Cox (paper)", "Known at diagnosis of the metastases", "Disease-free survival – all patients"):
        assert label in text


@pytest.mark.parametrize(
    "changes",
    [
        {"cohort_title": HOSTILE},
        {"citation": HOSTILE},
        {"settings": {**SETTINGS, HOSTILE: HOSTILE}},
        {"provenance": {HOSTILE: HOSTILE}},
        {"warnings": (HOSTILE,)},
        {"skipped": (HOSTILE,)},
        {"leaderboard": board_of(NULL, cell_row("baseline", HOSTILE, (0.8, 0.7, 0.9), note=HOSTILE))},
        {"leaderboard": board_of(NULL, cell_row(HOSTILE, "paper_cox", (NAN, NAN, NAN), status="failed", note=HOSTILE))},
        {"leaderboard": board_of({**NULL, "endpoint": HOSTILE, "population": HOSTILE})},
    ],
    ids=["title", "citation", "settings", "provenance", "warnings", "skipped", "model", "failed cell", "endpoint"],
)
def test_hostile_names_are_escaped(changes: dict[str, object]) -> None:
    html = render_report(report_data(**changes))

    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_forests_are_embedded_as_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "png", REAL_PNG)
    images = re.findall(r'src="data:image/png;base64,([^"]*)"', render_report(report_data()))

    assert [base64.b64decode(image)[:8] for image in images] == [b"\x89PNG\r\n\x1a\n"] * 2


def test_report_is_self_contained_and_runs_nothing() -> None:
    html = render_report(report_data(cell_figures={("overall", "dfs", "baseline", "paper_cox"): b"png"}))
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)

    assert "<script" not in html
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert not re.search(r"@import|url\(|<link|<iframe", html)


def test_links_of_the_contents_lead_somewhere() -> None:
    html = render_report(report_data())

    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(re.findall(r'id="([^"]+)"', html))


def test_figure_of_a_cell_is_embedded_under_its_name() -> None:
    html = render_report(report_data(cell_figures={("overall", "dfs", "baseline", "paper_cox"): b"the picture"}))

    assert base64.b64encode(b"the picture").decode() in html
    assert "Two-stage Cox (paper), known at diagnosis of the metastases: curves" in html


def test_decision_curve_of_a_cell_stands_below_its_calibration_with_its_thresholds_in_words() -> None:
    key = ("overall", "dfs", "baseline", "paper_cox")
    html = render_report(
        report_data(
            cell_figures={key: b"calibration"},
            decision_figures={key: b"net benefit"},
            decision_curves={key: decision_curve_of(-0.01, 0.02, 0.01)},
        )
    )
    calibration, net_benefit = (html.index(base64.b64encode(picture).decode()) for picture in (b"calibration", b"net benefit"))

    assert calibration < net_benefit < html.index("<p>Better than both defaults at thresholds of 20% to 30%.</p>")
    assert "</details>" not in html[calibration:net_benefit]


def test_cell_without_a_decision_curve_has_its_other_figure_only() -> None:
    html = render_report(report_data(cell_figures={("overall", "dfs", "baseline", "paper_cox"): b"calibration"}))

    assert "Net benefit by threshold" not in html


VERDICT = Verdict("overall", "dfs", "none", "simulated", "No useful model (no evidence): none of 1.", ("Uncertain.", HOSTILE))


def test_verdicts_stand_before_the_summary_with_their_sentences_and_what_is_asked_of_a_model() -> None:
    html = render_report(report_data(verdicts=(VERDICT,)))
    text = text_of(html)

    assert text.index("A model is called useful if") < text.index("none of 1") < text.index("Uncertain.") < text.rindex("Summary")
    assert "<b>No useful model (no evidence):</b> none of 1." in html
    assert HOSTILE not in html
    assert 'id="verdict"' not in render_report(report_data())


def test_comparison_table_of_a_question_stands_in_its_section() -> None:
    html = render_report(
        report_data(comparisons=compared_of(compared_row("c_uno", "null_model"), compared_row("auc", "null_model")))
    )
    section = html[html.index('<section id="dfs-overall">') :]

    assert section.index("Differences in Uno&#39;s C at 12 months") < section.index("<summary>Differences in AUC at 12 months")
    assert "corrected resampled t test" in text_of(section)


def test_warnings_and_what_was_skipped_are_shown() -> None:
    text = text_of(render_report(report_data(warnings=("a suspect",), skipped=("a gap",))))

    assert "a suspect" in text
    assert "a gap" in text
    assert "No warnings." in text_of(render_report(report_data()))


def test_report_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    write_report(report_data(), path)

    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_report_that_cannot_be_rendered_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(KeyError):
        write_report(report_data(leaderboard=pd.DataFrame({"nothing": [1]})), path)

    assert path.read_text(encoding="utf-8") == "old"


def test_same_data_give_the_same_report() -> None:
    assert render_report(report_data()) == render_report(report_data())
