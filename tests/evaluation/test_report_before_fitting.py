"""What the report says of gaps, duplicates and single predictors: counts, and never a patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from cohort.simulate import simulate_cohort
from evaluation.data_audit import SINGLE_COLUMNS, DataAudit, find_duplicates
from evaluation.missingness import missingness
from evaluation.report import render_report
from evaluation.report_before_fitting import BeforeFitting, before_fitting_view
from evaluation.resampling import repeated_stratified_splits

from .report_cases import report_data, text_of

COHORT = simulate_cohort(150, seed=1, missing_cea=0.2).cohort
SPLITS = repeated_stratified_splits(COHORT.outcome("dfs"), (6.0, 12.0), 3, 1, 0)


def _single(*rows: tuple[str, float, float, float, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [("overall", "baseline", name, 6.0, 150, 60, auc, low, high, note) for name, auc, low, high, note in rows],
        columns=SINGLE_COLUMNS,
    )


def test_the_sentence_counts_complete_patients() -> None:
    (found,) = missingness(COHORT, ("overall",))
    sentence, (table, patterns) = before_fitting_view(BeforeFitting((found,))).missing[0]
    complete = int(COHORT.frame[["baseline_cea", "presurgery_cea"]].notna().all(axis=1).sum())

    assert f"All patients: {complete} of 150 patients" in sentence
    assert "2 predictors have gaps" in sentence
    assert [row[0] for row in table.rows] == found.predictors["label"].tolist()
    assert patterns.rows[0] == ("none: complete", str(complete), f"{100 * complete / 150:.0f}%")


def test_without_gaps_one_sentence_is_all() -> None:
    whole = simulate_cohort(60, missing_cea=0).cohort
    (missing,) = before_fitting_view(BeforeFitting(missingness(whole, ("overall",)))).missing

    assert missing[0].startswith("All patients: no value of ")
    assert missing[1] == ()


def test_few_patients_in_other_patterns_are_not_counted_out() -> None:
    frame = simulate_cohort(60, missing_cea=0).cohort.frame
    frame.loc[[1, 2], "age"] = np.nan
    (missing,) = before_fitting_view(BeforeFitting(missingness(replace(COHORT, frame=frame), ("overall",)))).missing

    assert missing[1][1].rows[-1][1:] == ("fewer than 5", "")


def test_gaps_that_go_with_the_outcome_are_named() -> None:
    frame = simulate_cohort(150, missing_cea=0).cohort.frame
    frame.loc[frame["dfs_months"] < frame["dfs_months"].quantile(0.2), "age"] = np.nan
    (missing,) = before_fitting_view(BeforeFitting(missingness(replace(COHORT, frame=frame), ("overall",)))).missing

    assert "Missingness goes with disease-free survival in Age at diagnosis of the metastases" in missing[0]


def test_duplicates_are_told_in_numbers_without_ids() -> None:
    frame = COHORT.frame.copy()
    for name in frame.columns.drop("patient_id"):
        frame.loc[5, name] = frame.loc[6, name]
    cohort = replace(COHORT, frame=frame)
    found = BeforeFitting(missingness(cohort, ("overall",)), DataAudit((find_duplicates(cohort, "overall", SPLITS),)))
    text = text_of(render_report(report_data(before_fitting=found)))

    assert "2 patients in 1 groups agree in all" in text
    assert "The ids are in duplicates.csv" in text
    assert not any(patient in text for patient in cohort.patient_ids)


def test_single_predictors_stand_furthest_from_a_coin_first_in_words() -> None:
    rows = _single(
        ("age", 0.52, 0.45, 0.6, ""), ("sex=male", 0.2, 0.1, 0.3, ""), ("baseline_cea", np.nan, np.nan, np.nan, "none")
    )
    (table,) = before_fitting_view(BeforeFitting(audit=DataAudit(single=rows))).single

    assert [row[0] for row in table.rows] == ["Sex (male)", "Age at diagnosis of the metastases"]
    assert table.rows[0][2:] == ("0.20", "0.10 to 0.30", "yes")
    assert table.rows[1][4] == "no"


def test_a_report_without_it_has_no_empty_headings() -> None:
    html = render_report(report_data())

    assert 'id="missing"' not in html
    assert 'id="audit"' not in html
