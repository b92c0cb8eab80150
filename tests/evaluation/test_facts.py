"""The text's numbers of eight patients by hand; survival after relapse; what a cohort cannot give."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

from cohort.load import load_cohort
from cohort.reconstruct import published
from cohort.types import Cohort
from evaluation.effects import EFFECT_COLUMNS
from evaluation.facts import FACT_COLUMNS, FACTS, chi_squared_p, early_relapse, facts, relapsed, survival_after_relapse

from .reproduction_cases import after_relapse, cohort_of

TCIA = Path(__file__).parents[2].parent / "shared" / "data" / "tcia_crlm.csv"
NO_EFFECTS = pd.DataFrame(columns=EFFECT_COLUMNS)


def _facts(cohort: Cohort) -> pd.DataFrame:
    table = facts(cohort, NO_EFFECTS)
    assert list(table.columns) == FACT_COLUMNS
    return table.set_index("fact")


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return _facts(after_relapse())


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("n_patients", 8),
        ("n_relapse", 5),
        ("n_early_6m", 4),  # the death without a relapse counts here
        ("n_relapse_12m", 4),  # and not here
        ("n_relapse_hepatic_only", 2),
        ("n_relapse_multiorgan", 2),
        ("n_relapse_extrahepatic_single_organ", 1),
        ("n_locoregional_treatment", 2),
        ("n_more_than_one_locoregional_treatment", 1),
        ("n_liver_surgery_locoregional", 1),
        ("n_lung_surgery", 1),
        ("n_lung_radiotherapy", 0),
        ("pct_locoregional_early_6m", 100 / 3),
        ("pct_locoregional_late_6m", 100 / 2),
        ("pct_locoregional_early_12m", 100 / 2),
        ("pct_locoregional_late_12m", 0),
        ("pct_liver_surgery_early_6m", 100),
        ("pct_liver_surgery_late_6m", 0),
        # Alive are the censored: at 30 months 3 of 4 and at 40 half, until 60.
        ("median_follow_up_months", 50),
        # 2, 6 and (24): one third left from 6 on.
        ("median_post_relapse_os_early_6m_months_at_least", 6),
        # 2 and 40: one half from 2 to 40.
        ("median_post_relapse_os_locoregional_months", 21),
        # 1, 6 and (24).
        ("median_post_relapse_os_no_locoregional_months", 6),
        # 3, 4, 5, 6: half from 6 to 10.
        ("median_dfs_months", 8),
    ],
)
def test_a_number_is_the_one_by_hand(small: pd.DataFrame, fact: str, value: float) -> None:
    assert small.loc[fact, "value"] == pytest.approx(value)
    assert small.loc[fact, "note"] == ""


def test_proportions_are_compared_without_continuity_correction(small: pd.DataFrame) -> None:
    # Treated and not: early 1 and 2, late 1 and 1; n (ad - bc)^2 over the product of the margins.
    statistic = 5 * (1 * 1 - 2 * 1) ** 2 / (3 * 2 * 2 * 3)

    assert small.loc["pct_locoregional_early_6m", "p_value"] == pytest.approx(chi2.sf(statistic, 1))
    assert small.loc["pct_locoregional_late_6m", "p_value"] == small.loc["pct_locoregional_early_6m", "p_value"]


def test_sites_are_compared_with_two_degrees_of_freedom(small: pd.DataFrame) -> None:
    # Hepatic and multiorgan, extrahepatic: early 2, 1, 0 and late 0, 1, 1; expected 1.2, 1.2, 0.6 and 0.8, 0.8, 0.4.
    expected = np.array([[1.2, 1.2, 0.6], [0.8, 0.8, 0.4]])
    observed = np.array([[2, 1, 0], [0, 1, 1]])
    statistic = float(((observed - expected) ** 2 / expected).sum())

    assert small.loc["p_site_by_early_6m", "p_value"] == pytest.approx(chi2.sf(statistic, 2))
    assert math.isnan(small.loc["p_site_by_early_6m", "value"])


def test_survival_of_early_and_late_relapses_is_compared_by_the_log_rank_test(small: pd.DataFrame) -> None:
    # Months after relapse: early 2, 6, (24), late 40, 1. Early expected: 3/5 at 1, 3/4 at 2, 2/3 at 6, 0 at 40.
    expected, variance = 3 / 5 + 3 / 4 + 2 / 3, 3 / 5 * 2 / 5 + 3 / 4 * 1 / 4 + 2 / 3 * 1 / 3
    statistic = (2 - expected) ** 2 / variance

    assert small.loc["p_post_relapse_os_by_early_6m", "p_value"] == pytest.approx(chi2.sf(statistic, 1))


def test_the_hazard_ratio_of_treatment_is_where_the_partial_likelihood_is_highest(small: pd.DataFrame) -> None:
    def minus_log_likelihood(b: float) -> float:
        # Deaths after 1 (not treated), 2 (treated), 6 (not), 40 months; two of five are treated.
        r = math.exp(b)
        return math.log(3 + 2 * r) - (b - math.log(2 + 2 * r)) + math.log(2 + r)

    b = minimize_scalar(minus_log_likelihood, bracket=(-3, 1), tol=1e-12).x
    row = small.loc["hr_post_relapse_os_locoregional"]

    assert row["value"] == pytest.approx(math.exp(b), rel=1e-5)
    assert row["ci_low"] * row["ci_high"] == pytest.approx(row["value"] ** 2)
    assert row["ci_low"] < row["value"] < row["ci_high"]


def test_survival_after_relapse_runs_from_relapse_to_death_of_the_relapsed_only() -> None:
    patients = relapsed(after_relapse())
    outcome = survival_after_relapse(patients)

    assert outcome.time_months.tolist() == [2, 6, 24, 40, 1]
    assert outcome.event.tolist() == [True, True, False, True, True]


def test_a_death_on_the_day_of_relapse_has_a_time_above_0() -> None:
    patients = relapsed(cohort_of(dfs_months=[5.0], dfs_event=[True], os_months=[5.0], os_event=[True], relapse=["yes"]))

    assert 0 < survival_after_relapse(patients).time_months[0] < 0.1


def test_equal_times_that_subtraction_splits_are_one_time() -> None:
    # 0.4 - 0.1 and 0.5 - 0.2 differ in their last bit.
    columns = {"dfs_months": [0.1, 0.2], "os_months": [0.4, 0.5], "dfs_event": [True] * 2, "os_event": [True] * 2}
    patients = relapsed(cohort_of(**columns, relapse=["yes"] * 2))
    months = patients.outcome("os").time_months - patients.outcome("dfs").time_months

    assert months[0] != months[1]
    assert len(set(survival_after_relapse(patients).time_months)) == 1


@pytest.mark.skipif(not TCIA.exists(), reason="the TCIA table is not beside the project; download it from TCIA")
@pytest.mark.parametrize(("months", "p_value"), [(6, 1.45056e-5), (12, 2.10530e-6)])
def test_survival_after_early_and_late_relapse_is_compared_as_rs_survdiff_does(months: int, p_value: float) -> None:
    # R: survdiff(Surv(os - dfs, dead) ~ early) of the 197 TCIA patients' relapses; its timefix leaves 128 distinct times.
    cohort = load_cohort("tcia_crlm", str(TCIA))

    assert len(set(survival_after_relapse(relapsed(cohort)).time_months)) == 128
    assert _facts(cohort).loc[f"p_post_relapse_os_by_early_{months}m", "p_value"] == pytest.approx(p_value, rel=5e-6)


def test_a_relapse_at_the_cut_off_is_early() -> None:
    assert early_relapse(relapsed(after_relapse()), 6).tolist() == [True, True, True, False, False]


def test_a_variable_that_is_not_recorded_is_named_and_its_numbers_are_empty() -> None:
    whole = after_relapse()
    table = _facts(Cohort("less", "Less", "simulated", whole.frame.drop(columns=["relapse_site", "locoregional_repeated"])))

    for fact in ("n_relapse_multiorgan", "p_site_by_early_6m"):
        assert table.loc[fact, ["value", "ci_low", "ci_high", "p_value"]].isna().all()
        assert table.loc[fact, "note"] == "the cohort does not record relapse_site"
    assert table.loc["n_more_than_one_locoregional_treatment", "note"] == "the cohort does not record locoregional_repeated"
    assert table.loc["n_relapse", "value"] == 5


def test_all_variables_that_a_number_needs_and_lacks_are_named() -> None:
    table = _facts(cohort_of(age=[50.0, 60.0]))

    assert table.loc["pct_locoregional_early_6m", "note"] == "the cohort does not record relapse, locoregional_treatment"
    assert table.loc["n_mri_any", "note"] == "the cohort does not record baseline_mri, presurgery_mri"
    assert table.loc["n_patients", "value"] == 2


def test_where_nobody_relapsed_there_is_nothing_after_relapse() -> None:
    none = after_relapse(
        relapse=["no"] * 8, relapse_site=None, locoregional_treatment=None, locoregional_kind=None, locoregional_repeated=None
    )
    table = _facts(none)

    assert table.loc["n_relapse", "value"] == 0
    assert table.loc["p_post_relapse_os_by_early_6m", "note"] == "nobody relapsed"
    assert table.loc["hr_post_relapse_os_locoregional", "note"] == "nobody relapsed"


def test_where_people_relapsed_at_unknown_sites_nothing_says_that_nobody_relapsed() -> None:
    table = _facts(after_relapse(relapse_site=[None] * 8))

    assert table.loc["n_relapse", "value"] == 5
    assert table.loc["p_site_by_early_6m", "note"] == "no relapsed patient has a known relapse_site"


def test_where_it_is_unknown_who_relapsed_nothing_says_that_nobody_did() -> None:
    table = _facts(after_relapse(relapse=[None] * 8))

    assert table.loc["p_post_relapse_os_by_early_6m", "note"] == "relapse is known in no patient"


def test_what_is_known_in_no_patient_is_not_counted_as_0_and_has_no_median_without_a_reason() -> None:
    table = _facts(after_relapse(locoregional_treatment=[None] * 8))

    assert table.loc["n_locoregional_treatment", "note"] == "locoregional_treatment is known in no patient"
    reason = "no relapsed patient has a known locoregional_treatment"
    assert table.loc["median_post_relapse_os_no_locoregional_months", "note"] == reason


def test_where_nobody_was_treated_there_is_no_median_of_the_treated() -> None:
    table = _facts(after_relapse(locoregional_treatment=["no"] * 5 + [None] * 3))

    note = table.loc["median_post_relapse_os_locoregional_months", "note"]
    assert note == "no relapsed patient has locoregional_treatment yes"


def test_a_treatment_of_unknown_kind_is_not_counted_as_another_kind() -> None:
    # Early and treated: liver surgery, and one of unknown kind.
    table = _facts(after_relapse(locoregional_treatment=["yes", "yes", "no", "yes", "no", *[None] * 3]))

    assert table.loc["pct_liver_surgery_early_6m", "value"] == 100
    assert table.loc["pct_locoregional_early_6m", "value"] == pytest.approx(200 / 3)


def test_where_all_relapses_share_a_site_the_test_says_that_there_is_one_group() -> None:
    table = _facts(after_relapse(relapse_site=["multiorgan"] * 5 + [None] * 3))

    assert table.loc["p_site_by_early_6m", "note"] == "only one group, nothing to compare"
    assert math.isnan(table.loc["p_site_by_early_6m", "p_value"])


def test_where_every_relapse_is_late_the_comparison_says_that_there_is_one_group() -> None:
    late = {"dfs_months": [13.0, 14, 16, 20, 13, 5, 40, 60], "os_months": [15.0, 24, 40, 60, 14, 5, 40, 60]}
    table = _facts(after_relapse(**late))

    assert table.loc["pct_locoregional_early_6m", "note"] == "only one group, nothing to compare"


def test_where_all_or_none_were_treated_there_is_no_hazard_ratio() -> None:
    table = _facts(after_relapse(locoregional_treatment=["yes"] * 5 + [None] * 3))

    assert math.isnan(table.loc["hr_post_relapse_os_locoregional", "value"])
    assert table.loc["hr_post_relapse_os_locoregional", "note"]


def test_a_relapse_of_unknown_site_is_in_no_comparison() -> None:
    known = ["hepatic_only", "multiorgan", "hepatic_only", "multiorgan"]
    unknown = _facts(after_relapse(relapse_site=[*known, None, *[None] * 3]))
    # Early 2 and 1, late 0 and 1.
    statistic = 4 * (2 * 1 - 0 * 1) ** 2 / (3 * 1 * 2 * 2)

    assert unknown.loc["p_site_by_early_6m", "p_value"] == pytest.approx(chi2.sf(statistic, 1))


def test_mri_at_either_time_counts_once() -> None:
    table = _facts(cohort_of(baseline_mri=["yes", "no", "no", "yes"], presurgery_mri=["yes", "yes", "no", None]))

    assert table.loc["n_mri_any", "value"] == 3


def test_five_numbers_are_effects_of_the_second_stage_where_the_primary_was_resected() -> None:
    row = dict.fromkeys(EFFECT_COLUMNS, "") | {"outcome": "relapse_6m", "variable": "pn_stage", "level": "n1_2", "note": ""}
    numbers = {"estimate": 3.02, "ci_low": 1.23, "ci_high": 7.41, "p_value": 0.02}
    others = [
        {"population": "overall", "analysis": "multivariable"},
        {"population": "primary_resected", "analysis": "univariate"},
    ]
    wrong = dict.fromkeys(numbers, 9.0)
    effects = pd.DataFrame(
        [
            *(row | wrong | other for other in others),
            row | numbers | {"population": "primary_resected", "analysis": "multivariable"},
        ]
    )
    table = facts(after_relapse(), effects).set_index("fact")

    assert table.loc["or_pn_positive_6m_multivariable", ["value", "ci_low", "ci_high", "p_value"]].tolist() == [
        3.02,
        1.23,
        7.41,
        0.02,
    ]
    assert table.loc["hr_braf_os_multivariable", "note"] == "did not enter the second stage"


def test_every_number_of_the_text_is_computed_once_and_in_its_order() -> None:
    ours, printed = facts(after_relapse(), NO_EFFECTS)["fact"].tolist(), published.facts_as_printed()["fact"].tolist()

    assert len(set(ours)) == len(ours)
    assert [name for name in ours if name in printed] == printed


def test_what_a_number_needs_is_in_the_dictionary() -> None:
    known = after_relapse().variables

    assert {name for fact in FACTS for name in fact.needs} <= set(known)


def test_chi_squared_of_one_group_is_refused() -> None:
    with pytest.raises(ValueError, match="only one group"):
        chi_squared_p(["a", "a"], [True, False])
