"""The verdict: what it asks of a model, what it says, and how often it is wrong where there is nothing to find."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cohort.types import Endpoint, Evidence
from evaluation.comparison import NULL_KEY, compare_models
from evaluation.decision_curve import decision_curve
from evaluation.report_summary import CellKey
from evaluation.verdict import VERDICT_COLUMNS, Verdict, judge, p_in_words, verdict_table

from .comparison_cases import COX, DFS, LOGISTIC, TREES, TWELVE, board_of_models, patients, question
from .report_cases import NAN, NULL, board_of, cell_row, compared_of, compared_row, decision_curve_of

GOOD = {f"calibration_slope{s}": v for s, v in (("", 1.0), ("_ci_low", 0.7), ("_ci_high", 1.3))}
GOOD |= {f"o_e{s}": v for s, v in (("", 1.0), ("_ci_low", 0.9), ("_ci_high", 1.1))}
PAYS, PAYS_NOT = decision_curve_of(-0.01, 0.02), decision_curve_of(-0.01, -0.02)


def _cell(
    model: str = COX, c_uno: tuple[float, float, float] = (0.65, 0.58, 0.71), feature_set: str = "baseline", **changes: object
) -> dict[str, object]:
    """A calibrated DFS model."""
    estimate = dict(zip(("c_uno", "c_uno_ci_low", "c_uno_ci_high"), c_uno, strict=True))
    return cell_row(feature_set, model, (0.6, 0.5, 0.7)) | estimate | GOOD | changes


def _compared(
    p_holm: float,
    model: str = COX,
    difference: float = 0.15,
    feature_set: str = "baseline",
    comparison: str = "null_model",
    metric: str = "c_uno",
    **changes: object,
) -> dict[str, object]:
    """A comparison in Uno's C with the null model, or what ``changes`` make of it; the interval is 0.07 to both sides."""
    bounds = {"difference": difference, "ci_low": difference - 0.07, "ci_high": difference + 0.07}
    tests = {"p_value": p_holm / 2, "p_holm": p_holm}
    return compared_row(metric, comparison, model, feature_set, **(bounds | tests | changes))


def _verdict(
    cells: list[dict[str, object]],
    compared: list[dict[str, object]],
    curves: dict[CellKey, pd.DataFrame] | None = None,
    evidence: Evidence = "real",
) -> Verdict:
    given = {("overall", "dfs", "baseline", COX): PAYS} if curves is None else curves
    [verdict] = judge(board_of(*cells), compared_of(*compared), given, evidence)
    return verdict


# ---- the three criteria


def test_model_that_discriminates_is_calibrated_and_pays_is_useful() -> None:
    verdict = _verdict([NULL, _cell()], [_compared(0.01)])

    assert verdict.conclusion == "useful"
    assert verdict.headline == (
        "A useful model: 1 of 1 model; best: Two-stage Cox (paper), known at diagnosis of the metastases. It discriminates (Uno's"
        " C 0.65 (95% CI 0.58 to 0.71), corrected P = 0.010), is calibrated (calibration slope 1.00 (95% CI 0.70 to 1.30),"
        " O/E 1.00 (95% CI 0.90 to 1.10)), and pays: better than both defaults at a threshold of 20%."
    )


@pytest.mark.parametrize(
    ("cell", "compared"),
    [
        (_cell(), _compared(0.05)),
        (_cell(c_uno=(0.65, 0.5, 0.7)), _compared(0.01)),
        (_cell(c_uno=(0.35, 0.3, 0.4)), _compared(0.001, difference=-0.15)),
    ],
    ids=["corrected P not below 5 %", "interval reaches 0.5", "ranks the wrong way"],
)
def test_without_discrimination_no_model_is_useful(cell: dict[str, object], compared: dict[str, object]) -> None:
    assert _verdict([NULL, cell], [compared]).conclusion == "none"


@pytest.mark.parametrize(
    ("changes", "calibrated"),
    [
        ({"calibration_slope_ci_high": 0.95}, False),
        ({"calibration_slope_ci_low": -0.1}, False),
        ({"calibration_slope_ci_low": NAN, "calibration_slope_ci_high": NAN}, False),
        ({"o_e_ci_low": 1.05, "o_e_ci_high": 1.3}, False),
        ({"o_e_ci_low": 0.5, "o_e_ci_high": 0.98}, False),
        ({"o_e_ci_low": 1.05, "o_e_ci_high": 1.24}, True),
        ({"calibration_slope_ci_low": 0.85, "calibration_slope_ci_high": 0.95}, True),
        ({"calibration_slope_ci_low": 0.1, "calibration_slope_ci_high": 1.9}, True),
    ],
    ids=[
        "slope below 1",
        "slope may be 0",
        "slope unknown",
        "O/E above 1",
        "O/E below 1",
        "O/E near 1",
        "slope near 1",
        "slope wide",
    ],
)
def test_calibration_asks_intervals_of_slope_and_o_e_that_hold_1_or_lie_near_it(
    changes: dict[str, float], calibrated: bool
) -> None:
    verdict = _verdict([NULL, _cell(**changes)], [_compared(0.01)])

    assert verdict.conclusion == ("useful" if calibrated else "promising")
    assert ("is not shown to be calibrated (calibration slope" in verdict.headline) is not calibrated


@pytest.mark.parametrize("curves", [{("overall", "dfs", "baseline", COX): PAYS_NOT}, {}], ids=["at no threshold", "no curve"])
def test_model_that_is_not_shown_to_pay_is_promising_but_not_proven(curves: dict[CellKey, pd.DataFrame]) -> None:
    verdict = _verdict([NULL, _cell()], [_compared(0.01)], curves)

    assert verdict.conclusion == "promising"
    assert verdict.headline.startswith("Promising but not proven: 1 of 1 model discriminates; best: Two-stage Cox (paper)")
    assert "is not shown to pay (no" in verdict.headline


def test_a_useful_model_counts_even_where_another_discriminates_better() -> None:
    cells = [NULL, _cell(), _cell(TREES, (0.7, 0.63, 0.76), o_e_ci_low=1.5, o_e_ci_high=2.0)]
    verdict = _verdict(cells, [_compared(0.01), _compared(0.001, TREES)])

    assert verdict.conclusion == "useful"
    assert (verdict.numbers["model"], verdict.numbers["n_useful"], verdict.numbers["n_promising"]) == (COX, 1, 1)
    assert any("Also shown to discriminate: XGBoost classifier" in sentence for sentence in verdict.sentences)


def test_models_that_are_not_shown_to_discriminate_are_not_named_beside_the_useful_one() -> None:
    verdict = _verdict([NULL, _cell(), _cell(TREES, (0.6, 0.45, 0.7))], [_compared(0.01), _compared(0.2, TREES)])

    assert verdict.conclusion == "useful"
    assert "Also shown" not in " ".join(verdict.sentences)


# ---- no useful model, and no verdict


def test_no_useful_model_is_a_finding_with_its_highest_estimate_and_its_uncertainty() -> None:
    cells = [NULL, _cell(c_uno=(0.58, 0.51, 0.65)), _cell(TREES, (0.52, 0.44, 0.66))]
    verdict = _verdict(cells, [_compared(0.2, difference=0.08), _compared(0.8, TREES, 0.02)])
    text = " ".join(verdict.sentences)

    assert verdict.headline == (
        "No useful model: of 2 models none is shown to discriminate; the highest Uno's C is 0.58 (95% CI 0.51 to 0.65), P = 0.10,"
        " corrected P = 0.20 (Two-stage Cox (paper), known at diagnosis of the metastases)."
    )
    assert "not a proof that nothing can be predicted: the intervals reach up to Uno's C 0.66" in text
    assert "Without correction for 2 models, 1 of their intervals lies above 0.5." in text


@pytest.mark.parametrize(
    ("cells", "compared", "why"),
    [
        ([NULL], [], "no model with predictors was run"),
        ([_cell()], [], "the null model, against which models are judged, was not run to its end"),
        (
            [NULL, _cell(status="failed", note="1 of 10 fits failed")],
            [],
            "no model was completed; failed: 1 of 10 fits failed",
        ),
        (
            [NULL, _cell()],
            [_compared(NAN, note="no P value: Uno's C cannot be computed in 1 of 5 folds")],
            "no model has both an interval of Uno's C and a P value; no P value: Uno's C cannot be computed in 1 of 5 folds",
        ),
        ([NULL, _cell(note="auc: follow-up ends at 9 months")], [], "auc: follow-up ends at 9 months"),
    ],
    ids=["no model", "no null model", "all failed", "no P", "horizon not supported"],
)
def test_where_nothing_could_be_tested_the_question_could_not_be_judged_and_says_why(
    cells: list[dict[str, object]], compared: list[dict[str, object]], why: str
) -> None:
    verdict = _verdict(cells, compared)

    assert verdict.conclusion == "not_judged"
    assert verdict.headline.startswith("Could not be judged: ")
    assert verdict.headline.endswith(f"{why}.")


def test_models_that_failed_are_counted_beside_those_that_were_judged() -> None:
    failed = _cell(TREES, (NAN, NAN, NAN), status="failed", note="1 of 10 fits failed")

    assert "1 of 2 models could not be judged (1 failed)." in _verdict([NULL, _cell(), failed], [_compared(0.4)]).sentences


# ---- what else it says


@pytest.mark.parametrize("evidence", ["reconstructed", "simulated"])
@pytest.mark.parametrize("compared", [[_compared(0.01)], [_compared(0.4)], []], ids=["useful", "none", "not judged"])
def test_whatever_the_verdict_cohorts_that_are_no_evidence_are_named_so_in_headline_and_text(
    compared: list[dict[str, object]], evidence: Evidence
) -> None:
    verdict = _verdict([NULL, _cell()], compared, evidence=evidence)

    assert f"({evidence} cohort, no clinical evidence)" in verdict.headline
    assert (
        "no clinical evidence. The verdict shows how the method judges, and says nothing about patients" in verdict.sentences[0]
    )


def test_real_patients_verdict_carries_no_such_label() -> None:
    verdict = _verdict([NULL, _cell()], [_compared(0.01)])

    assert "clinical evidence" not in " ".join((verdict.headline, *verdict.sentences))


def test_sample_size_to_see_a_practical_difference_is_told_beside_the_cohorts_own() -> None:
    verdict = _verdict([NULL, _cell()], [_compared(0.4)])

    said = (
        "Patients needed (80% power, two-sided 5%, one model fixed beforehand) to tell its AUC from 0.5, 50% having the event as"
        " here: 6,537 for 0.52, 1,043 for 0.55. This cohort has 60."
    )
    assert said in verdict.sentences


def test_best_against_the_papers_model_is_told_with_its_interval_and_what_it_takes() -> None:
    paper = {"comparison": "paper_model", "reference_feature_set": "baseline", "reference_model": COX}
    rows = [_compared(0.4), _compared(0.6, TREES, 0.03, **paper), _compared(0.6, TREES, 0.03, **paper, metric="auc")]
    text = " ".join(_verdict([NULL, _cell(), _cell(TREES)], rows).sentences)

    said = (
        "Against the paper's model (Two-stage Cox (paper)) on the same features, none of 1 model is shown to be better; the"
        " largest difference is 0.03 in Uno's C (95% CI −0.04 to 0.10, corrected P = 0.60; XGBoost classifier, known at diagnosis"
    )
    assert said in text
    # A half-width of 0.07 at n = 60: 60 * (2.8016 * 0.07 / 1.96 / 0.05)^2.
    assert "differences spread as here: 1,502 for 0.02, 241 for 0.05." in text


def test_the_published_scores_are_named_in_what_is_said_of_them() -> None:
    published = {"comparison": "published_score", "reference_feature_set": "baseline", "reference_model": "fong_score"}
    rows = [_compared(0.4), _compared(0.6, TREES, 0.03, **published)]
    text = " ".join(_verdict([NULL, _cell(), _cell(TREES)], rows).sentences)

    assert "Against the best of the published scores on the same features (Fong" in text
    assert "none of 1 model is shown to be better; the largest difference is 0.03 in Uno's C" in text


@pytest.mark.parametrize(
    ("p_holm", "difference", "does"),
    [(0.01, 0.08, "is"), (0.3, 0.08, "is not"), (0.01, 0.06, "is not"), (0.01, -0.2, "is not")],
    ids=["shown", "P above 5 %", "interval reaches 0", "worse"],
)
def test_whether_what_is_known_before_surgery_adds_to_baseline_is_told(p_holm: float, difference: float, does: str) -> None:
    added = {"comparison": "added_information", "reference_feature_set": "baseline", "reference_model": COX}
    rows = [_compared(0.4), _compared(p_holm, COX, difference, "pre_surgery", **added)]
    text = " ".join(_verdict([NULL, _cell()], rows).sentences)

    assert f"What is known before surgery {does} shown to add to what is known at baseline: on it" in text


def test_small_p_values_are_told_as_such() -> None:
    assert [p_in_words(p) for p in (0.00001, 0.0123, 0.456)] == ["P < 0.001", "P = 0.012", "P = 0.46"]


def test_table_has_a_row_a_question_with_its_documented_columns() -> None:
    cells = [NULL, _cell(), {**NULL, "endpoint": "os"}]
    table = verdict_table(judge(board_of(*cells), compared_of(_compared(0.4)), {}, "simulated"))

    assert list(table) == VERDICT_COLUMNS
    assert table["endpoint"].tolist() == ["dfs", "os"]
    assert table["conclusion"].tolist() == ["none", "not_judged"]
    assert table.loc[0, ["n", "n_events", "n_models", "n_needed_auc_above_half_0.05"]].tolist() == [60, 30, 1, 1043]
    assert table.loc[0, "text"].startswith("The cohort is simulated")


# ---- how often it is right


def _judged(
    risks: dict[tuple[str, str], np.ndarray], cohort: tuple, endpoint: Endpoint = TWELVE, n_bootstraps: int = 100
) -> Verdict:
    """The whole rule from predictions on. Where discrimination decides already, the rest is not computed."""
    outcome, _, fold = cohort
    models = question(risks, outcome, fold, endpoint.tau_months)
    compared = compare_models(models, endpoint, "overall", n_bootstraps, 1)
    [verdict] = judge(board_of_models(models, endpoint, n_bootstraps, 1, ("auc", "c_uno")), compared, {}, "simulated")
    if verdict.conclusion == "none":
        return verdict
    curves = {("overall", endpoint.name, *k): decision_curve(at, n_bootstraps, 1) for k, at in models.items() if k != NULL_KEY}
    [verdict] = judge(board_of_models(models, endpoint, n_bootstraps, 1), compared, curves, "simulated")
    return verdict


def test_without_anything_to_find_at_most_5_percent_of_verdicts_claim_a_useful_or_promising_model() -> None:
    # 100 cohorts, six models whose risks are random; 3 Monte-Carlo standard errors are allowed.
    n_cohorts, claimed, above = 100, 0, 0
    for seed in range(n_cohorts):
        rng = np.random.default_rng(10_000 + seed)
        risks = {("paper", f"model {i}"): rng.uniform(0.2, 0.8, 70) for i in range(6)}
        verdict = _judged(risks, patients(seed, n=70))
        claimed += verdict.conclusion in ("useful", "promising")
        above += "Without correction" in " ".join(verdict.sentences)

    assert claimed / n_cohorts <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_cohorts)
    assert above / n_cohorts > 0.1, "bare intervals claim more: it is the correction that holds the share"


@pytest.mark.parametrize("endpoint", [TWELVE, DFS], ids=lambda e: e.name)
def test_true_risks_of_a_strong_signal_are_found_and_nearly_always_useful(endpoint: Endpoint) -> None:
    # The truth misses one of its two 95 % intervals of calibration in up to a tenth of cohorts, and is then promising.
    found = []
    for seed in range(8):
        cohort = patients(seed, n=400, signal=1.2)
        noise = np.random.default_rng(seed).uniform(0.2, 0.8, 400)
        found.append(_judged({("baseline", LOGISTIC): noise, ("baseline", COX): cohort[1]}, cohort, endpoint))

    assert {v.conclusion for v in found} <= {"useful", "promising"}
    assert [v.conclusion for v in found].count("useful") >= 6
    assert {v.numbers["model"] for v in found} == {COX}


def test_strong_signal_with_risks_far_too_extreme_is_promising_only() -> None:
    cohort = patients(3, n=400, signal=1.2)
    odds = (cohort[1] / (1 - np.minimum(cohort[1], 0.999))) ** 4
    verdict = _judged({("baseline", COX): odds / (1 + odds)}, cohort)

    assert verdict.conclusion == "promising"
    assert "not shown to be calibrated" in verdict.headline
