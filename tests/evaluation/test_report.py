"""What the report must say, must not say, and must not let through."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from cohort.describe import describe
from cohort.simulate import simulate_cohort
from evaluation import figures
from evaluation.metrics.registry import METRICS
from evaluation.report import ReportData, methods, render_report, summarise, write_report
from evaluation.tables import METRIC_COLUMNS, leaderboard_columns

NAN = float("nan")
HOSTILE = '<script>alert("x")</script>'
SETTINGS = {"n_folds": 5, "n_repeats": 2, "n_trials": 4, "n_inner_folds": 3, "n_bootstraps": 500, "seed": 7}
COHORT = simulate_cohort(60).cohort
REAL_PNG = figures.png


@pytest.fixture(autouse=True)
def _figures_are_built_but_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rasterising is most of the time; one test below does it."""
    monkeypatch.setattr(figures, "png", lambda _figure: b"png")


def _cell(
    feature_set: str, model: str, auc: tuple[float, float, float], brier: float = 0.2, **changes: object
) -> dict[str, object]:
    """A leaderboard row of DFS in all patients; metrics besides AUC and Brier are 1 (0.9 to 1.1)."""
    row: dict[str, object] = {"population": "overall", "endpoint": "dfs", "feature_set": feature_set, "model": model}
    row |= {"status": "completed", "rank": 1, "n": 60, "n_events": 30, "horizon_months": 12.0, "seconds": 0.5, "note": ""}
    for metric in METRICS:
        estimate, low, high = {"auc": auc, "brier": (brier, brier - 0.01, brier + 0.01)}.get(metric, (1.0, 0.9, 1.1))
        row |= {metric: estimate, f"{metric}_ci_low": low, f"{metric}_ci_high": high}
    return row | changes


NULL = _cell("none", "null_model", (0.5, 0.5, 0.5), 0.24, calibration_slope=NAN, rank=2)


def _board(*cells: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=leaderboard_columns())


def _metrics(*rows: tuple[str, str, str, float, float, float, float, str]) -> pd.DataFrame:
    """feature_set, model, metric, horizon, estimate, low, high, note."""
    return pd.DataFrame(
        [
            ("overall", "dfs", feature_set, model, metric, horizon, estimate, low, high, 60, 30, note)
            for feature_set, model, metric, horizon, estimate, low, high, note in rows
        ],
        columns=METRIC_COLUMNS,
    )


SLOPE_NOTE = ("none", "null_model", "calibration_slope", 12.0, NAN, NAN, NAN, "all patients of a fold have one risk")


def _data(*cells: dict[str, object], **changes: object) -> ReportData:
    data = ReportData(
        cohort_title="A cohort",
        cohort_name="a_cohort",
        evidence="simulated",
        citation="Somebody 2024",
        digest="0123456789abcdef",
        description=describe(COHORT),
        leaderboard=_board(*(cells or (NULL, _cell("baseline", "paper_cox", (0.6, 0.52, 0.68))))),
        metrics=_metrics(SLOPE_NOTE),
        settings=SETTINGS,
        provenance={"Code version": "0.1.0"},
    )
    return replace(data, **changes)


class _Text(HTMLParser):
    """What a reader sees: the text outside <style>."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", " ".join(_Text(html).parts))


def _sentences(*cells: dict[str, object], metrics: pd.DataFrame | None = None) -> str:
    summary = summarise(_board(*cells), _metrics() if metrics is None else metrics)
    return " ".join((*summary.sentences, *summary.flags))


# ---- the summary


def test_best_model_is_named_with_its_interval_and_called_optimistic() -> None:
    text = _sentences(NULL, _cell("baseline", "paper_cox", (0.6, 0.52, 0.68)), _cell("paper", "paper_cox", (0.64, 0.5, 0.7)))

    assert "Two-stage Cox (paper), the paper's covariates, as the paper coded them: AUC 0.64 (95% CI 0.50 to 0.70)" in text
    assert "the highest of 2 and for that an optimistic estimate" in text


def test_models_whose_interval_lies_above_one_half_are_counted_without_the_null_model() -> None:
    text = _sentences(NULL, _cell("baseline", "paper_cox", (0.6, 0.52, 0.68)), _cell("paper", "paper_cox", (0.64, 0.5, 0.7)))

    assert "1 of 2 models has an AUC interval that lies above 0.5." in text
    assert "No model is shown to discriminate" not in text


@pytest.mark.parametrize(
    "auc",
    [(0.55, 0.45, 0.65), (0.55, 0.5, 0.6), (0.4, 0.3, 0.45), (0.6, NAN, NAN), (NAN, NAN, NAN)],
    ids=["spans", "touches", "lies below", "no interval", "no estimate"],
)
def test_no_model_is_shown_to_discriminate_when_no_interval_lies_above_one_half(auc: tuple[float, float, float]) -> None:
    assert "No model is shown to discriminate" in _sentences(NULL, _cell("baseline", "paper_cox", auc))


def test_interval_below_one_half_is_named() -> None:
    assert "ranks running the wrong way: 1 of 1" in _sentences(NULL, _cell("baseline", "paper_cox", (0.4, 0.3, 0.45)))


@pytest.mark.parametrize(
    ("brier", "said"),
    [
        (0.2, "1 of 1 models beats the null model's Brier score (0.240)"),
        (0.25, "No model beats the null model's Brier score (0.240)"),
    ],
)
def test_brier_score_is_held_against_the_null_model(brier: float, said: str) -> None:
    assert said in _sentences(NULL, _cell("baseline", "paper_cox", (0.6, 0.5, 0.7), brier))


def test_missing_null_model_is_said() -> None:
    assert "cannot be compared" in _sentences(_cell("baseline", "paper_cox", (0.6, 0.5, 0.7)))


def test_auc_above_the_field_is_flagged_as_a_leak_until_shown_otherwise() -> None:
    text = _sentences(NULL, _cell("baseline", "paper_cox", (0.76, 0.7, 0.8)), _cell("paper", "paper_cox", (0.75, 0.7, 0.8)))

    assert text.count("above what the field has reached: treat as a leak until shown otherwise") == 1
    assert "AUC 0.76 at 12 months" in text


def test_auc_above_the_field_is_flagged_at_every_horizon_once() -> None:
    rows = [("baseline", "paper_cox", "auc", h, a, 0.7, 0.9, "") for h, a in ((6.0, 0.8), (12.0, 0.77))]
    text = _sentences(NULL, _cell("baseline", "paper_cox", (0.77, 0.7, 0.9)), metrics=_metrics(*rows))

    assert text.count("treat as a leak") == 2
    assert "AUC 0.80 at 6 months" in text


def test_failed_and_skipped_cells_are_counted() -> None:
    text = _sentences(NULL, _cell("baseline", "paper_cox", (NAN, NAN, NAN), NAN, status="failed"))

    assert "Of 2 cells 1 failed." in text


# ---- the page


def test_evidence_that_is_not_real_stands_before_everything_else() -> None:
    text = _text(render_report(_data()))

    assert "Evidence: simulated: no patient's data, no clinical evidence" in text
    assert text.index("no clinical evidence") < text.index("Summary")


def test_real_evidence_carries_no_alarm() -> None:
    html = render_report(_data(evidence="real"))

    assert "Evidence: real patients." in html
    assert 'class="evidence"' not in html


def test_unknown_evidence_is_refused() -> None:
    with pytest.raises(ValueError, match="evidence is one of"):
        _data(evidence="hearsay")


def test_no_correction_for_multiplicity_is_stated_with_what_the_intervals_are() -> None:
    text = _text(render_report(_data()))

    assert "No correction for multiplicity is made" in text
    assert "patient-bootstrap intervals of fixed out-of-fold predictions" in text


def test_every_number_of_a_result_table_has_an_interval_or_a_reason() -> None:
    no_interval = _cell("baseline", "paper_cox", (0.6, NAN, NAN))
    html = render_report(_data(NULL, no_interval))
    body = html[html.index('class="results"') : html.index("</table>")]
    cells = re.findall(r'<td class="n[^"]*">(.*?)</td>', body, flags=re.DOTALL)

    assert len(cells) == 2 * len(METRICS)
    assert all("<small>(" in cell or "<sup>" in cell for cell in cells)
    assert "not estimable: all patients of a fold have one risk." in html
    assert "no interval: no interval was computed." in html


def test_estimate_with_a_note_carries_it() -> None:
    note = ("baseline", "paper_cox", "auc", 12.0, 0.6, 0.52, 0.68, "3 of 500 resamples could not be estimated")
    html = render_report(_data(metrics=_metrics(SLOPE_NOTE, note)))

    assert "3 of 500 resamples could not be estimated." in html


def test_nan_is_never_printed() -> None:
    failed = _cell("paper", "paper_cox", (NAN, NAN, NAN), NAN, status="failed", rank=NAN, n=NAN, n_events=NAN, horizon_months=NAN)
    empty = dict.fromkeys(METRICS, NAN)
    text = _text(render_report(_data(NULL, failed | empty | {"seconds": NAN, "note": "fold 1: singular"})))

    # "none" is a level of the dictionary, and allowed.
    assert not re.search(r"\b(nan|nat)\b|<na>", text, flags=re.IGNORECASE)
    assert "failed: fold 1: singular" in text


def test_board_of_failed_cells_only_is_rendered() -> None:
    failed = _cell("paper", "paper_cox", (NAN, NAN, NAN), NAN, status="failed", rank=NAN, horizon_months=NAN, note="broken")

    assert "No cell was completed." in render_report(_data(failed, metrics=_metrics()))


def test_board_without_a_cell_is_rendered() -> None:
    assert "No cell was run." in render_report(_data(leaderboard=_board(), metrics=_metrics()))


def test_labels_are_for_people() -> None:
    text = _text(render_report(_data()))

    for label in ("Two-stage Cox (paper)", "Known at diagnosis of the metastases", "Disease-free survival – all patients"):
        assert label in text


def test_other_horizons_have_a_table_of_their_own() -> None:
    models = (("none", "null_model"), ("baseline", "paper_cox"))
    rows = [(f, m, metric, 6.0, 0.55, 0.5, 0.6, "") for f, m in models for metric in METRICS]
    html = render_report(_data(metrics=_metrics(SLOPE_NOTE, *rows)))

    assert "At 6 months: estimate (95% CI)" in html
    assert "At 12 months: estimate (95% CI)" in html


@pytest.mark.parametrize(
    "changes",
    [
        {"cohort_title": HOSTILE},
        {"citation": HOSTILE},
        {"settings": {**SETTINGS, HOSTILE: HOSTILE}},
        {"provenance": {HOSTILE: HOSTILE}},
        {"warnings": (HOSTILE,)},
        {"skipped": (HOSTILE,)},
        {"leaderboard": _board(NULL, _cell("baseline", HOSTILE, (0.8, 0.7, 0.9), note=HOSTILE))},
        {"leaderboard": _board(NULL, _cell(HOSTILE, "paper_cox", (NAN, NAN, NAN), status="failed", note=HOSTILE))},
        {"leaderboard": _board({**NULL, "endpoint": HOSTILE, "population": HOSTILE})},
    ],
    ids=["title", "citation", "settings", "provenance", "warnings", "skipped", "model", "failed cell", "endpoint"],
)
def test_hostile_names_are_escaped(changes: dict[str, object]) -> None:
    html = render_report(_data(**changes))

    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_forests_are_embedded_as_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "png", REAL_PNG)
    images = re.findall(r'src="data:image/png;base64,([^"]*)"', render_report(_data()))

    assert [base64.b64decode(image)[:8] for image in images] == [b"\x89PNG\r\n\x1a\n"] * 2


def test_report_is_self_contained_and_runs_nothing() -> None:
    html = render_report(_data(cell_figures={("overall", "dfs", "baseline", "paper_cox"): b"png"}))
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)

    assert "<script" not in html
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert not re.search(r"@import|url\(|<link|<iframe", html)


def test_links_of_the_contents_lead_somewhere() -> None:
    html = render_report(_data())

    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(re.findall(r'id="([^"]+)"', html))


def test_figure_of_a_cell_is_embedded_under_its_name() -> None:
    html = render_report(_data(cell_figures={("overall", "dfs", "baseline", "paper_cox"): b"the picture"}))

    assert base64.b64encode(b"the picture").decode() in html
    assert "Two-stage Cox (paper), known at diagnosis of the metastases: curves" in html


def test_no_patient_id_is_in_the_report() -> None:
    html = render_report(_data())

    assert not [patient for patient in COHORT.patient_ids if patient in html]


def test_patients_are_described() -> None:
    text = _text(render_report(_data()))

    for piece in ("Age at diagnosis of the metastases, years", "wild type", "Censored before", "reverse Kaplan-Meier", "Missing"):
        assert piece in text


def test_warnings_and_what_was_skipped_are_shown() -> None:
    text = _text(render_report(_data(warnings=("a suspect",), skipped=("a gap",))))

    assert "a suspect" in text
    assert "a gap" in text
    assert "No warnings." in _text(render_report(_data()))


def test_methods_take_their_numbers_from_the_settings() -> None:
    text = methods(SETTINGS)

    for piece in ("5-fold cross-validation repeated 2 times", "4 settings in 3 inner folds", "500 resamples", "seed 7"):
        assert piece in text


def test_methods_pass_over_settings_that_are_absent() -> None:
    assert "internal validation" in methods({})


def test_report_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    write_report(_data(), path)

    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_report_that_cannot_be_rendered_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(KeyError):
        write_report(_data(leaderboard=pd.DataFrame({"nothing": [1]})), path)

    assert path.read_text(encoding="utf-8") == "old"


def test_same_data_give_the_same_report() -> None:
    assert render_report(_data()) == render_report(_data())
