"""What the page must say, must not say, and must not let through; and a real cohort that records less than the paper."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from cohort.errors import CohortError
from cohort.load import load_cohort
from cohort.reconstruct import published
from cohort.types import POPULATIONS, Cohort
from evaluation.effects import EFFECT_COLUMNS, left_out_covariates, paper_effects
from evaluation.facts import facts
from evaluation.published_audit import audit
from evaluation.reproduction import compare_effects, compare_facts, compare_table1, selection_table, summary
from evaluation.reproduction_report import ReproductionData, interval_text, number_text, render_reproduction, terms_in_words
from evaluation.survival_curves import survival_figures
from evaluation.table1 import left_out, table1

from .report_cases import text_of
from .reproduction_cases import NAN, followed_after_relapse

TCIA = Path(__file__).parents[2].parent / "shared" / "data" / "tcia_crlm.csv"
HOSTILE = '<script>alert("x")</script>'


def _analysed(cohort: Cohort, *populations: str) -> ReproductionData:
    """The page of a cohort without print beside it."""
    effects = pd.concat([paper_effects(cohort, population) for population in populations], ignore_index=True)
    return ReproductionData(
        cohort_title=cohort.title,
        cohort_name=cohort.name,
        evidence=cohort.evidence,
        citation=cohort.citation,
        digest=cohort.digest,
        n_patients=len(cohort),
        effects=effects,
        table1=table1(cohort),
        facts=facts(cohort, effects),
        selection=selection_table(effects, published.effects()),
        left_out=tuple(left_out(cohort)),
        provenance={"version": "1"},
        figures={"figure_1": ("Figure 1. Patterns", b"picture")},
    )


@cache
def _simulated() -> tuple[Cohort, ReproductionData]:
    cohort = followed_after_relapse()
    return cohort, _analysed(cohort, *POPULATIONS)


def _page(**changes: object) -> str:
    return render_reproduction(ReproductionData(**{**vars(_simulated()[1]), **changes}))  # type: ignore[arg-type]


@cache
def _beside_print() -> dict[str, pd.DataFrame]:
    data = _simulated()[1]
    found = audit(published.effects(), published.table1(), published.facts_as_printed())
    effects = compare_effects(published.effects(), data.effects, found)
    cells = compare_table1(published.table1(), data.table1, found)
    told = compare_facts(published.facts_as_printed(), data.facts, found)
    return {
        "effects_compared": effects,
        "table1_compared": cells,
        "facts_compared": told,
        "audit": found,
        "summary": summary(effects, cells, told, data.selection),
    }


def test_evidence_that_is_not_real_stands_before_everything_else() -> None:
    text = text_of(_page())

    assert "Evidence: simulated: no patient's data, no clinical evidence" in text
    assert text.index("no clinical evidence") < text.index("What the two-stage procedure finds")


def test_real_evidence_carries_no_alarm() -> None:
    html = _page(evidence="real")

    assert "Evidence: real patients." in html
    assert 'class="evidence"' not in html


def test_no_patient_is_named() -> None:
    cohort, _ = _simulated()

    for html in (_page(), _page(**_beside_print())):
        assert not set(re.findall(r"S\d{7}", html))
        assert not any(patient in html for patient in cohort.patient_ids)


def test_nan_is_never_printed() -> None:
    for html in (_page(), _page(**_beside_print())):
        assert not re.search(r"\b(nan|nat|inf|none\.)\b|<na>", text_of(html), flags=re.IGNORECASE)


def test_without_print_there_is_no_verdict_no_bar_and_no_audit() -> None:
    html = _page()

    for name in ("bar", "comparison", "audit"):
        assert f'id="{name}"' not in html
    assert "Against print" not in html


def test_beside_print_the_bar_comes_first_and_the_audit_is_listed() -> None:
    html = _page(**_beside_print())
    text = text_of(html)

    assert html.index('id="bar"') < html.index('id="selection"') < html.index('id="audit"')
    assert "Number: relapse 12 months: the text gives 149, the odds ratios of Table 2 come from 161 events" in text
    assert f"All {len(published.effects())} published effects" in text


def test_all_effects_that_count_against_the_bar_are_listed_with_it_and_with_their_verdict() -> None:
    bar = _beside_print()["summary"].iloc[0]
    html = _page(**_beside_print())
    section = html[html.index("Effects not reproduced") : html.index('id="selection"')]

    # The head has a row of its own.
    assert section.count("<tr>") == 1 + bar["of"] - bar["got"]
    assert f"Effects not reproduced: {bar['of'] - bar['got']}<" in section
    assert ">differs</td>" in section
    assert ">not computed (" in section


@pytest.mark.parametrize(("evidence", "built"), [("reconstructed", True), ("simulated", False), ("real", False)])
def test_only_a_reconstruction_is_said_to_be_built_to_give_the_published_numbers(evidence: str, built: bool) -> None:
    assert ("built so that this analysis gives" in text_of(_page(evidence=evidence))) is built


def test_print_opens_what_the_screen_folds() -> None:
    html = _page(**_beside_print())
    print_rules = html[html.index("@page tall") : html.index("</style>")]

    assert "details::details-content { content-visibility: visible;" in print_rules


def test_a_note_may_wrap_and_the_adjusted_p_values_are_not_bold() -> None:
    html = _page(effects=_simulated()[1].effects.assign(estimate=NAN, note="said at length"))

    assert '<td class="note weak">said at length' in html
    assert ".regressions tbody td.note { white-space: normal;" in html
    assert ".regressions td.strong small { font-weight: 400; }" in html


def test_the_marks_are_explained_once_before_the_first_table_that_may_have_them() -> None:
    html = _page()

    assert html.count("F: estimated by Firth") == html.count("PH: the hazards are not proportional") == 1
    assert html.index('id="regression-1"') < html.index("F: estimated by Firth") < html.index('class="regressions"')


def test_names_of_the_code_are_not_on_the_page() -> None:
    text = text_of(_page(**_beside_print(), left_out=()))

    for name in (
        "ecog ps",
        "ecog_ps",
        "hepatic_only",
        "relapse_6m",
        "presurgery_lobes",
        "synchronous (synchronous)",
        "not_applicable",
    ):
        assert name not in text
    assert "Baseline CEA (per ng/ml)" in text


def test_terms_that_only_one_side_has_are_named_by_the_dictionary() -> None:
    terms = "only here: synchronous (synchronous), presurgery_cea; only in print: ecog_ps (1-2)"

    assert terms_in_words(terms) == (
        "only here: Time of metastases (synchronous), Pre-surgery CEA (per ng/ml); only in print: ECOG performance status (1–2)"
    )
    assert terms_in_words("") == ""


def test_whole_numbers_of_table_1_have_no_decimals() -> None:
    cells = _simulated()[1].table1.assign(baseline=62.0, pre_surgery=3.7)
    html = _page(table1=cells)

    assert '<td class="r">62</td><td class="r">3.7</td>' in html
    assert ">62.0<" not in html


def test_a_criterion_of_nothing_prints_no_nan() -> None:
    empty = _beside_print()["summary"].assign(got=0, of=0, share=NAN, met=False)

    assert not re.search(r"\bnan\b", text_of(_page(**_beside_print() | {"summary": empty})))


def test_links_of_the_contents_lead_somewhere() -> None:
    for html in (_page(), _page(**_beside_print())):
        assert set(re.findall(r'href="#([^"]+)"', html)) <= set(re.findall(r'id="([^"]+)"', html))


def test_page_is_self_contained_and_runs_nothing() -> None:
    html = _page(**_beside_print())
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)

    assert "<script" not in html
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert not re.search(r"@import|url\(|<link|<iframe", html)


@pytest.mark.parametrize(
    "changes",
    [
        {"cohort_title": HOSTILE},
        {"cohort_name": HOSTILE},
        {"citation": HOSTILE},
        {"left_out": (HOSTILE,)},
        {"provenance": {HOSTILE: HOSTILE}},
        {"figures": {"x": (HOSTILE, b"")}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_hostile_names_are_escaped(changes: dict[str, object]) -> None:
    html = _page(**changes)

    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("table", ["table1", "facts", "effects"])
def test_hostile_names_of_variables_are_escaped(table: str) -> None:
    column = {"table1": "variable", "facts": "fact", "effects": "variable"}[table]
    tables = {table: getattr(_simulated()[1], table).assign(**{column: HOSTILE})}

    assert "<script" not in _page(**tables)


def test_both_stages_stand_side_by_side_with_what_was_estimated_otherwise() -> None:
    row = dict.fromkeys(EFFECT_COLUMNS, NAN)
    row |= {"population": "overall", "variable": "ras_braf", "level": "braf_mutated", "reference": "wild_type", "note": ""}
    row |= {"n_used": 166, "n_events": 73}
    alone = row | {"outcome": "os", "analysis": "univariate", "method": "firth", "ph_p_value": 0.03, "p_value": 0.09}
    alone |= {"estimate": 1.97, "ci_low": 0.61, "ci_high": 6.35, "p_holm": 1.0, "p_bh": 0.4}
    second = alone | {
        "analysis": "multivariable",
        "method": "wald",
        "ph_p_value": 0.5,
        "estimate": 1.73,
        "n_used": 166,
        "n_events": 73,
    }
    unknown = row | {"outcome": "dfs", "analysis": "univariate", "method": "", "note": "all patients have the same status"}
    html = _page(effects=pd.DataFrame([unknown, alone, second]))
    text = text_of(html)

    assert "1.97 (0.61–6.35) F, PH 0.090 1.00 / 0.40" in text
    assert "1.73 (0.61–6.35) 0.090" in text
    assert "all patients have the same status" in text
    assert "Overall survival – second stage: 166 complete patients, 73 events" in text
    assert "Disease-free survival – nothing entered the second stage" in text


def test_only_the_tables_that_the_cohort_gives_are_in_the_contents() -> None:
    effects = _simulated()[1].effects
    html = _page(effects=effects[effects["population"] == "overall"])

    assert html.count('<section id="regression-') == 2
    assert "Table S1" not in text_of(html)


def test_what_was_left_out_is_said_or_that_nothing_was() -> None:
    assert "pt_stage" in text_of(_page(left_out=("pt_stage: not recorded",)))
    assert "Nothing was left out." in text_of(_page(left_out=()))


def test_an_infinite_or_missing_number_is_an_empty_cell() -> None:
    assert number_text(NAN) == number_text(float("inf")) == ""
    assert number_text(3.14159) == "3.14"
    assert interval_text(pd.Series({"estimate": NAN, "ci_low": NAN, "ci_high": NAN})) == ""
    assert (
        interval_text(pd.Series({"ours_estimate": 1.0, "ours_ci_low": 0.5, "ours_ci_high": 2.0}), "ours_") == "1.00 (0.50–2.00)"
    )


def test_same_data_give_the_same_page() -> None:
    assert _page() == _page()


# ---- a real cohort


@pytest.fixture(scope="module")
def tcia() -> Cohort:
    if not TCIA.exists():
        pytest.skip("the TCIA table is not beside the project; download it from TCIA")
    return load_cohort("tcia_crlm", str(TCIA))


def test_a_cohort_that_records_less_has_the_analysis_of_what_it_records(tcia: Cohort) -> None:
    html = render_reproduction(_analysed(tcia, "overall"))

    assert "Evidence: real patients." in html
    assert not any(patient in html for patient in tcia.patient_ids)
    assert not re.search(r"\bnan\b", text_of(html), flags=re.IGNORECASE)


def test_what_such_a_cohort_lacks_is_named(tcia: Cohort) -> None:
    with pytest.raises(CohortError, match="primary_resected"):
        paper_effects(tcia, "primary_resected")
    numbers = facts(tcia, paper_effects(tcia, "overall")).set_index("fact")
    figures, reasons = survival_figures(tcia)

    assert {"lobes", "segments", "regimen"} & set(left_out(tcia)) == {"segments", "regimen"}
    assert ("regimen", "the cohort does not record regimen") in left_out_covariates(tcia, "overall")
    assert numbers.loc["n_relapse_multiorgan", "note"] == "the cohort does not record relapse_site"
    assert "Figure S6: the cohort does not record locoregional_treatment" in reasons
    assert [figure.name for figure in figures] == ["s2_survival", "s3_early_late"]


def test_numbers_that_it_can_give_are_given(tcia: Cohort) -> None:
    numbers = facts(tcia, paper_effects(tcia, "overall")).set_index("fact")

    assert numbers.loc["n_patients", "value"] == len(tcia)
    assert numbers.loc["n_relapse", "value"] == (tcia.frame["relapse"] == "yes").sum()
    assert 0 < numbers.loc["median_os_months", "ci_low"] < numbers.loc["median_os_months", "value"]
    assert 0 <= numbers.loc["p_post_relapse_os_by_early_6m", "p_value"] <= 1
