"""A cohort's description in the terminal: aggregates, in words."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import cache

import numpy as np
from rich.console import Console

from cohort.load import load_cohort
from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from flows.cohort_view import print_description

SIMULATED = simulate_cohort(60, seed=4).cohort


def _printed(cohort: Cohort) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_description(cohort, console)
    return re.sub(r" +", " ", console.file.getvalue())


@cache
def _reconstructed() -> str:
    return _printed(load_cohort())


def test_cohort_is_named_with_its_evidence_and_digest() -> None:
    text = _reconstructed()

    assert "no patient's data, no clinical evidence" in " ".join(text.split())
    assert f"Digest {load_cohort().digest}" in text


def test_each_population_is_described_with_its_size() -> None:
    frame = load_cohort().frame
    text = _reconstructed()

    assert "All patients: 268 patients" in text
    assert f"Primary tumour resected at baseline: {(frame['primary_resected'] == 'yes').sum()} patients" in text


def test_number_has_median_quartiles_and_range_with_its_unit() -> None:
    age = load_cohort().frame["age"]
    q1, median, q3 = age.quantile([0.25, 0.5, 0.75])

    assert (
        f"Age at diagnosis of the metastases, years {median:g} ({q1:g} to {q3:g}; {age.min():g} to {age.max():g})"
        in _reconstructed()
    )


def test_factor_has_counts_and_shares_and_its_missing_values() -> None:
    sex = SIMULATED.frame["sex"].copy()
    sex.iloc[:3] = None
    text = _printed(replace(SIMULATED, frame=SIMULATED.frame.assign(sex=sex)))
    males, known = (sex == "male").sum(), sex.notna().sum()

    assert f" male {males} ({100 * males / known:.0f} %)" in text
    assert re.search(r"^ ?Sex 3 *$", text, flags=re.MULTILINE)


def test_events_by_horizon_are_those_of_the_cohort() -> None:
    outcome = SIMULATED.outcome("dfs")
    status = outcome.status_at(6.0)
    counts = (int((status == 1).sum()), int((status == 0).sum()), int(np.isnan(status).sum()))

    assert f"Relapse or death within 6 months 6 {counts[0]} {counts[1]} {counts[2]}" in _printed(SIMULATED)


def test_median_that_is_not_reached_is_said_in_words() -> None:
    frame = SIMULATED.frame.assign(os_event=False)

    assert re.search(r"Overall survival not reached \(not reached to not reached\)", _printed(replace(SIMULATED, frame=frame)))


def test_no_patient_is_shown() -> None:
    text = _printed(SIMULATED)

    assert not [patient for patient in SIMULATED.patient_ids if patient in text]


def test_variable_that_was_never_recorded_is_said_so() -> None:
    nobody = SIMULATED.frame.assign(baseline_cea=np.nan, regimen=SIMULATED.frame["regimen"].where([False] * len(SIMULATED.frame)))
    text = _printed(replace(SIMULATED, frame=nobody))

    assert not re.search(r"\bnan\b", text)
    assert text.count("not recorded") >= 2


def test_unit_that_the_label_names_is_not_repeated() -> None:
    assert "chemotherapy, lesions" not in _reconstructed()
