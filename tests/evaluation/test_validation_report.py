"""What the page of an external validation says, from tables made by hand."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evaluation.case_mix import CASE_MIX_COLUMNS
from evaluation.estimate import Estimate
from evaluation.external_validation import EXTERNAL_COMPARISON_COLUMNS, FROZEN, INTERCEPT, INTERCEPT_AND_SLOPE, UPDATES
from evaluation.metrics.registry import METRICS
from evaluation.report_case_mix import case_mix_views
from evaluation.tables import Cell, CellResult, leaderboard, metrics_table
from evaluation.validation_figures import calibration_panels, net_benefit_panels
from evaluation.validation_report import CohortOfPage, ValidationData, render_validation
from evaluation.validation_summary import summarise_validation

MODELS = {"null_model": ("none", 0.5, 0.4), "paper_cox": ("baseline", 0.63, 0.5), "paper_logistic": ("baseline", 0.56, 0.45)}


def result(model: str, kind: str) -> CellResult:
    feature_set, auc, o_e = MODELS[model]
    values = {"auc": auc, "o_e": o_e if kind == FROZEN else 1.0, "calibration_slope": np.nan if model == "null_model" else 0.8}
    estimates = tuple(
        Estimate(
            name, 6.0, values.get(name, 0.2), values.get(name, 0.2) - 0.1, values.get(name, 0.2) + 0.1, 90, 30,
            "" if np.isfinite(values.get(name, 0.2)) else "all patients of a fold have one risk",
        )
        for name in METRICS
    )  # fmt: skip
    return CellResult(Cell("overall", "relapse_6m", feature_set, model), "completed", estimates, seconds=1.0, n_events_total=60)


def comparison(kind: str, metric: str, model: str, difference: float, p_holm: float) -> dict[str, object]:
    names = {"population": "overall", "endpoint": "relapse_6m", "horizon_months": 6.0, "update": kind, "metric": metric}
    bounds = {"difference": difference, "ci_low": difference - 0.1, "ci_high": difference + 0.1, "p_value": p_holm / 2}
    return names | bounds | {"feature_set": "baseline", "model": model, "p_holm": p_holm, "n": 90, "n_events": 30, "note": ""}


BOARDS = {kind: leaderboard([result(model, kind) for model in MODELS]) for kind in UPDATES}
COMPARISONS = pd.DataFrame(
    [
        comparison(FROZEN, "auc", "paper_cox", 0.13, 0.012),
        comparison(FROZEN, "auc", "paper_logistic", 0.06, 0.4),
        comparison(FROZEN, "brier_skill", "paper_cox", 0.09, 0.04),
        comparison(FROZEN, "brier_skill", "paper_logistic", -0.2, 0.02),
        comparison(INTERCEPT, "brier_skill", "paper_cox", 0.02, 0.3),
        comparison(INTERCEPT, "brier_skill", "paper_logistic", 0.01, 0.5),
        comparison(INTERCEPT_AND_SLOPE, "brier_skill", "paper_cox", 0.03, 0.2),
        comparison(INTERCEPT_AND_SLOPE, "brier_skill", "paper_logistic", 0.01, 0.6),
    ],
    columns=EXTERNAL_COMPARISON_COLUMNS,
)


def curve(low: float) -> pd.DataFrame:
    table = pd.DataFrame({"threshold": [0.1, 0.2], "difference_ci_low": low})
    return pd.concat([table.assign(update=kind) for kind in UPDATES], ignore_index=True)


CURVES = {
    ("overall", "relapse_6m", "baseline", "paper_cox"): curve(0.01),
    ("overall", "relapse_6m", "baseline", "x"): curve(0.01),
}


def mix(what: str, name: str, **values: object) -> dict[str, object]:
    common = {
        "population": "overall",
        "what": what,
        "name": name,
        "level": "",
        "unit": "",
        "train_n_missing": 0,
        "test_n_missing": 3,
    }
    spread = {"train_value": 0.5, "train_spread": 0.1, "test_value": 0.3, "test_spread": 0.1, "note": ""}
    return common | spread | {"difference": -0.4, "ci_low": -0.6, "ci_high": -0.2} | values


CASE_MIX = pd.DataFrame(
    [
        mix("mean", "age", unit="years", train_value=60.12, train_spread=10.0, test_value=58.0, test_spread=9.0, ci_high=0.1),
        mix("log_mean", "baseline_cea", unit="ng/ml", train_value=np.log1p(17.0), test_value=np.log1p(4.0)),
        mix("share", "sex", level="male"),
        mix("risk", "dfs", horizon_months=6.0),
        mix("membership", "baseline", difference=0.86, ci_low=0.8, ci_high=0.9),
    ],
    columns=CASE_MIX_COLUMNS,
)
DROPPED = pd.DataFrame(
    [
        ("overall", "baseline", "ecog_ps", "theirs does not record ecog_ps"),
        ("overall", "baseline", "ras_braf", "theirs does not record ras_braf"),
        ("overall", "baseline", "albumin", "the cohorts define albumin with another unit"),
    ],
    columns=["population", "feature_set", "predictor", "reason"],
)
USED = {("overall", "baseline"): ("age", "baseline_lesions>=4")}
TRAIN = CohortOfPage("ours", "Our <title>", "reconstructed", "", "abc", 268)
TEST = CohortOfPage("theirs", "Theirs", "real", "Someone 2023", "def", 90)
DATA = ValidationData(
    train=TRAIN,
    test=TEST,
    boards=BOARDS,
    metrics=pd.concat([metrics_table([result(m, kind) for m in MODELS]).assign(update=kind) for kind in UPDATES]),
    comparisons=COMPARISONS,
    case_mix=CASE_MIX,
    dropped=DROPPED,
    used=USED,
    settings={"seed": 1},
    provenance={"run": "a-run"},
    warnings=("suspected leak: x",),
    skipped=("1 cells (y): no event",),
    decision_curves=CURVES,
)


@pytest.fixture(scope="module")
def page() -> str:
    return html.unescape(render_validation(DATA))


@pytest.mark.parametrize(
    "sentence",
    [
        "The event is rarer in the test cohort: the training cohort's overall risk, carried over, has an O/E of 0.40 (0.30 to"
        " 0.50).",
        "Frozen, the highest AUC has Two-stage Cox (paper), known at diagnosis of the metastases: 0.63 (0.53 to 0.73), the"
        " highest of 2 and for that an optimistic estimate.",
        "1 of 2 models has an AUC above that of the null model (corrected P below 0.05).",
        "Frozen, the O/E ranges from 0.45 to 0.50 (1 is right); the interval holds 1 in 0 of 2 models.",
        "Frozen, the calibration slope is 0.80 (1 is right); the interval holds 1 in 0 of 2 models.",
        "Frozen: 1 of 2 models has a lower Brier score than the null model (corrected P below 0.05); 1 a higher one.",
        "Recalibrated: intercept and slope: none of 2 models has a lower Brier score than the null model recalibrated alike"
        " (corrected P below 0.05).",
    ],
)
def test_what_was_found_is_counted_by_corrected_p(sentence: str):
    assert sentence in summarise_validation(BOARDS, COMPARISONS, CURVES)


def test_net_benefit_is_counted_over_this_questions_models():
    said = [s for s in summarise_validation(BOARDS, COMPARISONS, CURVES) if "net benefit" in s]
    assert [s.split(" a net")[0] for s in said] == [
        "Frozen: 1 of 2 models has",
        "Recalibrated: intercept and slope: 1 of 2 models has",
    ]
    assert not [s for s in summarise_validation(BOARDS, COMPARISONS, {}) if "net benefit" in s]


def test_without_a_completed_cell_nothing_is_claimed():
    failed = leaderboard([CellResult(Cell("overall", "os", "baseline", "paper_cox"), "failed", note="no")])
    assert summarise_validation(dict.fromkeys(UPDATES, failed), COMPARISONS.iloc[:0], {}) == ("No model could be judged.",)


def test_the_evidence_of_a_cohort_that_is_nobodys_is_said_in_a_box_and_that_of_patients_beside():
    page = render_validation(DATA)
    assert page.count('class="evidence" role="note"') == 1
    assert (
        "<b>Evidence of ours: reconstructed from published aggregate numbers: no patient&#39;s data, no clinical evidence.</b>"
        in page
    )
    assert "Evidence of theirs: real patients." in page
    both = render_validation(replace(DATA, test=replace(TEST, evidence="simulated")))
    assert both.count('class="evidence" role="note"') == 2
    assert "Our &lt;title&gt;" in page, "what a contract says is escaped"


def test_frozen_and_recalibrated_numbers_stand_in_tables_of_their_own(page: str):
    for caption in ("At 6 months: estimate (95% CI)", "Recalibrated: intercept, at 6 months: estimate (95% CI)"):
        assert page.count(f"<caption>{caption}</caption>") == 1
    assert "Brier skill, recalibrated: intercept and slope" in page
    assert "suspected leak: x" in page
    assert "1 cells (y): no event" in page


def test_case_mix_in_words():
    (view,) = case_mix_views(CASE_MIX, USED, DROPPED)
    age, cea, sex = view.predictors
    assert (age.label, age.train, age.test, age.test_missing) == (
        "Age at diagnosis of the metastases, years, mean (SD)", "60.1 (10.0)", "58.0 (9.0)", "3",
    )  # fmt: skip
    assert (cea.label, cea.train, cea.test) == ("Baseline CEA, ng/ml, geometric mean", "17.0", "4.0")
    assert (sex.label, sex.train, sex.difference, sex.interval) == ("Sex: male, %", "50.0", "−0.40", "−0.60 to −0.20")
    assert [row.notable for row in view.predictors] == [False, True, True], "age's interval holds 0"
    (risk,) = view.risks
    assert (risk.label, risk.difference) == ("Disease-free survival, event by 6 months", "−40.0")
    assert view.membership == (
        "Known at diagnosis of the metastases: C = 0.86 (0.80 to 0.90): the patients are others, and the validation asks whether"
        " the model can be transported to them.",
    )


def test_dropped_predictors_stand_by_reason():
    (view,) = case_mix_views(CASE_MIX, USED, DROPPED)
    (shared,) = view.shared
    assert shared.used == "Age at diagnosis of the metastases; Baseline number of lesions ≥4"
    assert shared.dropped == (
        ("theirs does not record it, or what it is computed from", "ECOG performance status; RAS and BRAF status"),
        ("the cohorts define albumin with another unit", "albumin"),
    )


def test_an_update_without_a_curve_says_so_and_the_others_are_drawn():
    calibration = pd.DataFrame(
        {
            "group": [1, 2],
            "n": 20,
            "mean_risk": [0.2, 0.6],
            "observed": [0.3, 0.5],
            "ci_low": 0.1,
            "ci_high": 0.7,
            "update": FROZEN,
        }
    )
    figure = calibration_panels("x", calibration, 6.0)
    frozen, *others = figure.axes
    assert list(frozen.lines[-1].get_ydata()) == [0.3, 0.5]
    assert [text.get_text() for axes in others for text in axes.texts] == ["could not be recalibrated"] * 2


def test_net_benefit_has_a_panel_an_update():
    rows = pd.DataFrame({"threshold": [0.1, 0.2, 0.3], "net_benefit": [0.2, 0.1, 0.05], "ci_low": 0.0, "ci_high": 0.3})
    rows = rows.assign(treat_all=0.1, treat_none=0.0)
    decision = pd.concat([rows.assign(update=kind, net_benefit=rows["net_benefit"] + i) for i, kind in enumerate(UPDATES)])
    panels = [axes for axes in net_benefit_panels("x", decision, 6.0).axes if len(axes.lines)]
    drawn = [next(list(line.get_ydata()) for line in axes.lines if line.get_label() == "treat by the model") for axes in panels]
    assert drawn == [pytest.approx([0.2 + i, 0.1 + i, 0.05 + i]) for i in range(3)]
