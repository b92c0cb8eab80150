"""What the cohort can carry, in the report's words."""

from __future__ import annotations

import pytest

from cohort.types import ENDPOINTS
from evaluation.report import render_report
from evaluation.report_sample_size import sample_size_view
from evaluation.sample_size_table import sample_size_table

from .report_cases import COHORT, report_data, text_of

QUESTIONS = [("overall", endpoint, "baseline") for endpoint in ENDPOINTS]
TABLE = sample_size_table(COHORT, QUESTIONS)


def test_each_question_is_a_line_of_its_endpoint_under_its_population() -> None:
    table = sample_size_table(COHORT, [("overall", e, f) for e in ENDPOINTS for f in ("baseline", "paper")])
    view = sample_size_view(table)

    assert view is not None
    ((population, groups),) = view.tables
    assert population == "All patients"
    assert [group.endpoint for group in groups] == [endpoint.label for endpoint in ENDPOINTS.values()]
    assert [(group.n, group.n_events) for group in groups[2:]] == [
        (str(len(COHORT)), str(int(COHORT.outcome(source).event.sum()))) for source in ("dfs", "os")
    ]
    assert [row.required for group in groups for row in group.rows] == list(map(str, table["n_required"]))


def test_capacity_of_none_says_what_the_average_risk_needs_and_how_far_the_others_go() -> None:
    view = sample_size_view(TABLE.iloc[:1])

    assert view is not None
    group, row = view.tables[0][1][0], TABLE.iloc[0]
    assert group.can_carry == "0"
    assert group.can_carry_by == (
        f"overall risk, needs {row['n_required_overall_risk']} patients; {row['capacity_shrinkage']} by the others"
    )


def test_capacity_is_shown_with_the_criterion_that_binds() -> None:
    view = sample_size_view(TABLE.iloc[:1].assign(capacity=5, capacity_binding="optimism"))

    assert view is not None
    assert (view.tables[0][1][0].can_carry, view.tables[0][1][0].can_carry_by) == ("5", "optimism")


def test_sentence_counts_what_has_enough_patients_and_names_the_nearest_of_the_rest() -> None:
    none, some, all_ = TABLE.copy(), TABLE.copy(), TABLE.copy()
    none["n_required"], all_["n_required"] = [600, 100, 1000, 900], 60
    some["n_required"] = [60, 100, 1000, 900]
    none_, some_, all_enough = (view.sentence for t in (none, some, all_) if (view := sample_size_view(t)))

    assert "None of 4 combinations of endpoint, features and population has as many" in none_
    assert "nearest: Relapse or death within 12 months – known at diagnosis of the metastases – all patients, " in none_
    assert "patients where 100 are required" in none_
    assert "1 of 4 combinations of endpoint, features and population has as many" in some_
    assert "nearest of the others: Relapse or death within 12 months" in some_
    assert all_enough.startswith("There are as many patients as a model with all its candidate parameters needs")


def test_sentence_gives_the_span_of_expected_shrinkage() -> None:
    table = TABLE.copy()
    table["expected_shrinkage"] = [0.5, 0.6, 0.7, 0.8]
    several, one = (view.sentence for t in (table, table.iloc[:1]) if (view := sample_size_view(t)))

    assert "Expected shrinkage is 0.50 to 0.80: " in several
    assert "Expected shrinkage is 0.50: " in one


def test_what_cannot_be_planned_says_why() -> None:
    table = TABLE.iloc[:1].assign(note="nobody had the event")
    view = sample_size_view(table)

    assert view is not None
    assert view.sentence == "No sample size can be planned."
    group = view.tables[0][1][0]
    assert (group.can_carry, group.rows[0].message) == ("", "cannot be planned: nobody had the event")


@pytest.mark.usefixtures("figures_are_not_rendered")
def test_section_stands_before_the_results_with_its_criteria_and_sources() -> None:
    html = render_report(report_data(sample_size=TABLE))
    text = text_of(html)

    assert html.index('<section id="sample-size">') < html.index('<section id="results">')
    for piece in (
        "What this cohort can carry – all patients",
        "Events per parameter",
        "no more than 10%",
        "R² of 0.15",
        "BMJ 2020;368:m441",
    ):
        assert piece in text


@pytest.mark.usefixtures("figures_are_not_rendered")
def test_without_a_model_that_has_predictors_there_is_no_section() -> None:
    html = render_report(report_data())

    assert sample_size_view(report_data().sample_size) is None
    assert "sample-size" not in html
