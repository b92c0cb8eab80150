"""The cohort in the report: described, and no patient in it."""

from __future__ import annotations

import pytest

from evaluation.report import render_report

from .report_cases import COHORT, report_data, text_of

pytestmark = pytest.mark.usefixtures("figures_are_not_rendered")


def test_patients_are_described() -> None:
    text = text_of(render_report(report_data()))

    for piece in ("Age at diagnosis of the metastases, years", "wild type", "Censored before", "reverse Kaplan-Meier", "Missing"):
        assert piece in text


def test_no_patient_id_is_in_the_report() -> None:
    html = render_report(report_data())

    assert not [patient for patient in COHORT.patient_ids if patient in html]


def test_all_events_of_the_follow_up_are_counted() -> None:
    text = text_of(render_report(report_data()))

    for source, label in (("dfs", "disease-free"), ("os", "overall")):
        events = int(COHORT.outcome(source).event.sum())
        assert f"Events of {label} survival, patients {events} of {len(COHORT)}" in text
