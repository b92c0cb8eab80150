"""Table 1 of a few patients by hand, and what it does with a cohort that records less, or more, than the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from cohort.dictionary import DICTIONARY, KnownAt, Variable
from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from evaluation.table1 import LINES, TABLE1_COLUMNS, left_out, lines_of, table1

from .reproduction_cases import NAN, cohort_of


def _rows(cohort: Cohort, variable: str) -> pd.DataFrame:
    """Indexed by statistic, in the order of the table."""
    table = table1(cohort)
    assert list(table.columns) == TABLE1_COLUMNS
    return table[table["variable"] == variable].set_index("statistic")


def test_quantiles_are_those_of_type_7_and_the_cut_belongs_to_the_upper_group() -> None:
    rows = _rows(cohort_of(age=[80.0, 40.0, 65.0, 50.0]), "age")

    assert rows["baseline"].to_dict() == {
        "median": 57.5, "q1": 47.5, "q3": 68.75, "min": 40, "max": 80, "count:>=65": 2, "count:<65": 2
    }  # fmt: skip
    assert rows["pre_surgery"].isna().all()
    assert rows["p_value"].isna().all()
    assert set(rows["test"]) == {""}


def test_missing_values_are_counted_apart_and_leave_the_quantiles_and_both_groups() -> None:
    rows = _rows(cohort_of(baseline_cea=[2.0, NAN, 10.0, 30.0], presurgery_cea=[1.0, 2.0, NAN, NAN]), "cea")

    assert rows.loc["median", ["baseline", "pre_surgery"]].tolist() == [10, 1.5]
    assert rows.loc["count:>=10", ["baseline", "pre_surgery"]].tolist() == [2, 0]
    assert rows.loc["count:<10", ["baseline", "pre_surgery"]].tolist() == [1, 2]
    assert rows.loc["missing", ["baseline", "pre_surgery"]].tolist() == [1, 2]


def test_nothing_missing_is_no_row() -> None:
    rows = _rows(cohort_of(sex=["male", "female", "male"]), "sex")

    assert rows["baseline"].to_dict() == {"count:male": 2, "count:female": 1}


def test_a_stage_of_a_primary_in_place_does_not_apply_and_is_not_missing() -> None:
    cohort = cohort_of(primary_resected=["yes", "yes", "no", "yes", "no"], pn_stage=["n0", "n1_2", None, None, None])
    rows = _rows(cohort, "pn_stage")

    assert rows["baseline"].to_dict() == {"count:n1_2": 1, "count:n0": 1, "missing": 1, "not_applicable": 2}


def test_without_the_variable_that_decides_whether_it_applies_an_absent_stage_is_missing() -> None:
    rows = _rows(cohort_of(pn_stage=["n0", "n1_2", None]), "pn_stage")

    assert rows["baseline"].to_dict() == {"count:n1_2": 1, "count:n0": 1, "missing": 1}


def test_counts_and_what_is_unknown_make_all_patients() -> None:
    cohort = simulate_cohort(90, seed=2).cohort
    table = table1(cohort)
    counted = table[table["statistic"].str.startswith("count:") | table["statistic"].isin(["missing", "not_applicable"])]

    for when in ("baseline", "pre_surgery"):
        assert set(counted.groupby("variable")[when].sum(min_count=1).dropna()) == {90}


def test_a_number_measured_twice_is_tested_by_wilcoxon_beside_its_median() -> None:
    # Differences 1, 2, 3, 4: all 16 signings are as likely, two are as far out.
    rows = _rows(cohort_of(baseline_max_diameter=[20.0, 40, 70, 90], presurgery_max_diameter=[19.0, 38, 67, 86]), "max_diameter")

    assert (rows.loc["median", "p_value"], rows.loc["median", "test"]) == (0.125, "wilcoxon")
    assert rows.drop(index="median")["p_value"].isna().all()


def test_two_levels_measured_twice_are_tested_by_mcnemar_beside_the_first() -> None:
    first = ["no"] * 5 + ["yes"] + ["yes", "no"]
    second = ["yes"] * 5 + ["no"] + ["yes", "no"]
    rows = _rows(cohort_of(baseline_mri=first, presurgery_mri=second), "mri")

    # Five against one: (|5 - 1| - 1)^2 / 6.
    assert list(rows.index) == ["count:yes", "count:no"]
    assert rows.loc["count:yes", ["baseline", "pre_surgery"]].tolist() == [2, 6]
    assert rows.loc["count:yes", "p_value"] == pytest.approx(chi2.sf(9 / 6, 1))
    assert list(rows["test"]) == ["mcnemar", ""]


def test_the_two_groups_of_a_number_have_mcnemars_test_of_their_own() -> None:
    rows = _rows(cohort_of(baseline_lesions=[5.0, 5, 5, 5, 1], presurgery_lesions=[3.0, 3, 3, 5, 1]), "lesions")

    assert rows.loc["count:>=4", "p_value"] == pytest.approx(chi2.sf((3 - 1) ** 2 / 3, 1))
    assert rows.loc["count:>=4", "test"] == "mcnemar"
    assert rows.loc["median", "test"] == "wilcoxon"


def test_a_patient_known_at_one_time_only_is_in_no_pair() -> None:
    pairs = {"baseline_mri": ["no", "no", "yes", "no"], "presurgery_mri": ["yes", "yes", "no", "no"]}
    more = {"baseline_mri": [*pairs["baseline_mri"], None, "no"], "presurgery_mri": [*pairs["presurgery_mri"], "yes", None]}

    ours = _rows(cohort_of(**more), "mri")
    assert ours.loc["count:yes", "p_value"] == _rows(cohort_of(**pairs), "mri").loc["count:yes", "p_value"]
    assert ours.loc["count:yes", ["baseline", "pre_surgery"]].tolist() == [1, 3]


def test_where_nobody_changed_there_is_no_p_value_but_the_test_is_named() -> None:
    rows = _rows(cohort_of(baseline_mri=["no", "yes"], presurgery_mri=["no", "yes"]), "mri")

    assert np.isnan(rows.loc["count:yes", "p_value"])
    assert rows.loc["count:yes", "test"] == "mcnemar"


def test_a_variable_known_at_one_time_leaves_the_other_column_empty() -> None:
    cohort = cohort_of(objective_response=["yes", "no", "yes"], baseline_lobes=["bilobar", "unilobar", "bilobar"])

    assert _rows(cohort, "objective_response").loc["count:yes", ["baseline", "pre_surgery"]].isna().tolist() == [True, False]
    assert _rows(cohort, "lobes").loc["count:bilobar", ["baseline", "pre_surgery"]].isna().tolist() == [False, True]


def test_what_is_left_out_is_what_neither_time_records() -> None:
    gone = left_out(cohort_of(presurgery_cea=[1.0], age=[50.0]))

    assert gone == [line.name for line in LINES if line.name not in ("cea", "age")]
    assert left_out(simulate_cohort(20).cohort) == ["pt_stage", "pn_stage"]


def test_a_column_in_which_nobody_is_known_has_no_quantile() -> None:
    rows = _rows(cohort_of(baseline_cea=[NAN, NAN]), "cea")

    assert rows.loc[["median", "q1", "max"], "baseline"].isna().all()
    assert rows.loc["missing", "baseline"] == 2


def test_a_cohorts_further_variables_follow_those_of_print() -> None:
    own = Variable("asa", "ASA class", "categorical", KnownAt.PRE_SURGERY, levels=("1", "2", "3"))
    small = cohort_of(age=[50.0, 60.0])
    cohort = Cohort("own", "Own", "simulated", small.frame.assign(asa=["1", "3"]), "", DICTIONARY | {"asa": own})
    rows = _rows(cohort, "asa")

    assert [line.name for line in lines_of(cohort)] == ["age", "asa"]
    assert rows["pre_surgery"].to_dict() == {"count:1": 1, "count:2": 0, "count:3": 1}
    assert rows["baseline"].isna().all()


def test_outcomes_and_identifiers_are_no_rows() -> None:
    cohort = cohort_of(age=[50.0, 60.0], centre=["a", "b"], relapse=["yes", "no"])

    assert set(table1(cohort)["variable"]) == {"age"}


def test_lines_name_variables_of_the_dictionary() -> None:
    for line in LINES:
        assert {line.baseline, line.pre_surgery} - {None} <= set(DICTIONARY)
        assert (line.cut is None) == (line.labels == ("", ""))
