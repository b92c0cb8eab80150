"""The checklists' inventory, that every answer is a fact of the run, and that what people must judge is left to them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

from cohort.simulate import simulate_cohort
from evaluation.checklist_facts import checklist_facts
from evaluation.data_audit import DataAudit, find_duplicates
from evaluation.missingness import missingness
from evaluation.report import ReportData, render_report
from evaluation.report_before_fitting import BeforeFitting
from evaluation.report_checklists import (
    ANCHORS,
    PROBAST_COLUMNS,
    SUGGESTIONS,
    TRIPOD_COLUMNS,
    Checklists,
    checklists,
    load_checklist,
    probast_table,
    tripod_table,
)
from evaluation.resampling import repeated_stratified_splits
from evaluation.sample_size_table import sample_size_table
from evaluation.verdict import Verdict

from .report_cases import report_data, text_of

COHORT = simulate_cohort(120, seed=1, missing_cea=0.2).cohort
SPLITS = repeated_stratified_splits(COHORT.outcome("dfs"), (6.0, 12.0), 3, 1, 0)
SETTINGS = {"n_folds": 5, "n_repeats": 2, "n_trials": 4, "n_inner_folds": 3, "n_bootstraps": 500, "seed": 7, "missing": "single"}


def _whole(**changes: object) -> ReportData:
    """A report with all its sections."""
    data = report_data(
        settings=SETTINGS,
        sample_size=sample_size_table(COHORT, [("overall", "dfs", "baseline")]),
        verdicts=(Verdict("overall", "dfs", "none", "simulated", "No useful model (no evidence): none of 1."),),
        before_fitting=BeforeFitting(
            missingness(COHORT, ("overall",)),
            DataAudit((find_duplicates(COHORT, "overall", SPLITS),), known_at=(("baseline", 15),)),
        ),
        provenance={"version": "0.1.0", "numpy": "2.4"},
    )
    return replace(data, **changes)


FILLED = checklists(_whole())


def _suggested(filled: Checklists, part: str, number: str) -> str:
    return next(q.suggestion for q in filled.probast if (q.part, q.number) == (part, number))


def test_tripod_ai_has_27_items_and_52_with_their_parts_in_order() -> None:
    numbers = [item.item for item in FILLED.tripod]
    main = [int(re.match(r"\d+", n).group()) for n in numbers]
    parts = Counter(main)

    assert len(set(numbers)) == 52
    assert list(dict.fromkeys(main)) == list(range(1, 28))
    assert main == sorted(main)
    for number, count in parts.items():  # a, b, c, … or no letter at all
        letters = [n.removeprefix(str(number)) for n, m in zip(numbers, main, strict=True) if m == number]
        assert letters == ([""] if count == 1 else list("abcdefg"[:count]))
    # How many parts the items of the statement have: all others have none.
    assert {n: c for n, c in parts.items() if c > 1} == {3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3}
    assert (load_checklist("tripod_ai")["n_main"], load_checklist("tripod_ai")["n_items"]) == (27, 52)


def test_probast_ai_has_16_questions_for_development_and_18_for_evaluation_in_four_domains() -> None:
    assert Counter(q.part for q in FILLED.probast) == {"development": 16, "evaluation": 18}
    assert load_checklist("probast_ai")["parts"] == {"development": 16, "evaluation": 18}
    for part, in_domain in (("development", (3, 4, 4, 5)), ("evaluation", (3, 4, 4, 7))):
        numbers = [q.number for q in FILLED.probast if q.part == part]
        assert numbers == [f"{d}.{n}" for d, count in enumerate(in_domain, 1) for n in range(1, count + 1)]
        assert {q.domain[0] for q in FILLED.probast if q.part == part and q.number[0] != q.domain[0]} == set()


def test_every_domain_has_its_rating_left_open() -> None:
    ratings = Counter((q.part, q.text) for q in FILLED.judgements)

    assert ratings == {
        ("development", "Concern about quality"): 4,
        ("development", "Concern about applicability"): 3,
        ("evaluation", "Risk of bias"): 4,
        ("evaluation", "Concern about applicability"): 3,
    }
    assert {q.suggestion for q in FILLED.judgements} == {"to be judged by the authors"}


def test_every_name_in_a_checklist_is_a_fact_and_every_whole_run_knows_it() -> None:
    facts = checklist_facts(_whole())
    texts = [item.get("answer", "") for item in load_checklist("tripod_ai")["items"]]
    probast = load_checklist("probast_ai")
    for entry in (*probast["shared"], *probast["development"], *probast["evaluation"]):
        texts += [entry["reason"], entry["suggestion"]]
    named = {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}

    assert named <= set(facts)
    assert {name for name in named if not facts[name]} == set()


@pytest.mark.parametrize("item", ["3a", "3c", "5b", "8c", "14", "17", "18a", "18b", "18c", "18d", "19", "27b", "27c"])
def test_what_no_run_can_know_is_the_authors(item: str) -> None:
    found = next(i for i in FILLED.tripod if i.item == item)

    assert (found.status, found.answer, found.where) == ("authors", "", ())
    assert found.status_label == "to be filled in by the authors"


def test_statuses_go_with_answers() -> None:
    for item in FILLED.tripod:
        assert bool(item.answer) == (item.status != "authors")
        assert "{" not in item.answer


def test_an_answer_whose_fact_is_unknown_falls_to_the_authors() -> None:
    bare = checklists(report_data(settings={}))
    sample_size, folds = (next(i for i in bare.tripod if i.item == n) for n in ("10", "12a"))

    assert (sample_size.status, sample_size.answer) == ("authors", "")
    assert folds.status == "authors"
    assert _suggested(bare, "development", "4.1") == "no information"


def test_every_place_that_is_named_is_in_the_report() -> None:
    html = render_report(_whole())
    named = {anchor for i in (*FILLED.tripod, *FILLED.probast) for anchor in i.where}

    assert named == set(ANCHORS)
    for anchor in named:
        assert f'id="{anchor}"' in html


def test_a_section_that_the_report_lacks_is_not_named() -> None:
    bare = checklists(report_data(settings=SETTINGS))
    named = {anchor for i in (*bare.tripod, *bare.probast) for anchor in i.where}

    assert not {"verdict", "sample-size", "missing", "audit"} & named


def test_suggestions_are_the_tool_s_answers_each_with_a_reason() -> None:
    for question in FILLED.probast:
        assert question.suggestion in SUGGESTIONS.values()
        assert question.reason.startswith("The run gives: ")


@pytest.mark.parametrize(
    ("missing", "suggested"), [("single", "probably no"), ("multiple", "probably yes"), ("complete_case", "no")]
)
def test_missing_data_are_judged_by_the_setting(missing: str, suggested: str) -> None:
    filled = checklists(_whole(settings=SETTINGS | {"missing": missing}))

    assert _suggested(filled, "development", "4.3") == suggested


def test_without_gaps_their_handling_is_no_concern() -> None:
    whole = simulate_cohort(120, seed=1, missing_cea=0.0).cohort
    filled = checklists(_whole(before_fitting=BeforeFitting(missingness(whole, ("overall",)))))

    assert _suggested(filled, "development", "4.3") == "yes"


def test_a_cohort_that_is_made_up_is_no_source_of_data_and_a_real_one_is_for_people_to_judge() -> None:
    assert _suggested(FILLED, "development", "1.1") == "no"
    assert _suggested(checklists(_whole(evidence="real")), "development", "1.1") == "no information"


def test_duplicates_speak_of_leakage() -> None:
    frame = COHORT.frame.copy()
    for name in frame.columns.drop("patient_id"):
        frame.loc[5, name] = frame.loc[6, name]
    found = find_duplicates(replace(COHORT, frame=frame), "overall", SPLITS)
    filled = checklists(_whole(before_fitting=BeforeFitting(missingness(COHORT, ("overall",)), DataAudit((found,)))))

    assert _suggested(FILLED, "evaluation", "4.5") == "probably yes"
    assert _suggested(filled, "evaluation", "4.5") == "probably no"


def test_too_few_patients_are_said_to_be_so() -> None:
    sizes = sample_size_table(COHORT, [("overall", "dfs", "baseline")])
    enough = sizes.assign(n=sizes["n_required"] + 1)

    assert _suggested(FILLED, "development", "4.1") == "probably no"
    assert _suggested(checklists(_whole(sample_size=enough)), "development", "4.1") == "probably yes"


def test_tables_have_their_columns_and_a_row_each() -> None:
    tripod, probast = tripod_table(FILLED), probast_table(FILLED)

    assert (list(tripod), len(tripod)) == (TRIPOD_COLUMNS, 52)
    assert (list(probast), len(probast)) == (PROBAST_COLUMNS, 34 + 14)
    assert tripod.set_index("item").loc["11", "where"] == "Missing predictors; Methods"


def test_the_report_shows_both_with_what_is_left_to_do() -> None:
    text = text_of(render_report(_whole()))

    assert "of 52 items the run answers" in text
    assert "To be filled in by the authors." in text
    assert text.count("To be judged by the authors.") == 14


@pytest.mark.parametrize("name", ["tripod_ai", "probast_ai"])
def test_the_files_say_what_of_them_is_verified(name: str) -> None:
    folder = Path(__file__).parents[2] / "evaluation" / "checklists"
    head = (folder / f"{name}.yaml").read_text(encoding="utf-8").split("name:")[0]

    assert "our own short words" in head.replace("\n# ", " ") or "own\n# short words" in head
    assert load_checklist(name)["source"].count("doi 10.1136/") == 1
