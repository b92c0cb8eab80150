"""``paper``: 37 covariates, cut where the paper cuts."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

from cohort.dictionary import DICTIONARY
from cohort.load import load_cohort
from cohort.reconstruct import published
from cohort.types import Cohort
from features.encode import MISSING, PredictorEncoder
from features.feature_set import build_predictors
from features.paper import PAPER, PAPER_FEATURES, PrintedCovariate, printed_covariate

NAN = float("nan")


@cache
def reconstructed() -> Cohort:
    return load_cohort()


def column(name: str, frame: pd.DataFrame) -> list[float]:
    feature = next(f for f in PAPER_FEATURES if f.name == name)
    assert feature.compute is not None
    assert set(frame) == set(feature.inputs), "the feature reads the inputs that it names"
    return feature.compute(frame).tolist()


def category(name: str, *values: str | None) -> pd.Categorical:
    return pd.Categorical(values, categories=list(DICTIONARY[name].levels))


def covariates(population: str) -> list[str]:
    built = build_predictors(reconstructed(), population, PAPER)
    encoded = PredictorEncoder(built.skewed).fit(built.frame).get_feature_names_out()
    return [name for name in encoded if not name.endswith(MISSING)]


def test_the_whole_cohort_has_the_papers_37_covariates() -> None:
    assert covariates("overall") == [
        *("age>=65", "ecog_ps>=1", "primary_resected=yes", "synchronous=synchronous", "primary_location=left_or_rectum"),
        *("adjuvant_chemotherapy=yes", "baseline_cea", "baseline_cea>=10", "presurgery_cea", "presurgery_cea>=10"),
        *("baseline_lobes=unilobar", "presurgery_lobes=unilobar"),
        *("baseline_segments", "baseline_segments>=4", "presurgery_segments", "presurgery_segments>=4"),
        *("baseline_lesions", "baseline_lesions>=4", "presurgery_lesions", "presurgery_lesions>=4"),
        *("vanished_lesions", "vanished_lesions>=1", "baseline_max_diameter", "presurgery_max_diameter"),
        *("baseline_vessel_contacts", "baseline_vessel_contacts>=1"),
        *("presurgery_vessel_contacts", "presurgery_vessel_contacts>=1", "mri_any"),
        *("ras_braf=ras_mutated", "ras_braf=braf_mutated", "objective_response=yes", "regimen=triplet"),
        *("biologic_agent=anti_egfr", "biologic_agent=anti_vegf", "chemotherapy_duration>=3.7", "surgery_steps=one"),
    ]
    assert len(covariates("overall")) == 37


def test_where_the_primary_was_resected_pt_and_pn_take_its_place() -> None:
    overall, resected = set(covariates("overall")), set(covariates("primary_resected"))

    assert resected - overall == {"pt_stage=t4", "pn_stage=n1_2"}
    assert overall - resected == {"primary_resected=yes"}


@pytest.mark.parametrize(
    ("variable", "cut", "below"),
    [
        ("age", 65, 64),
        ("baseline_cea", 10, 9.9),
        ("presurgery_cea", 10, 9.9),
        ("baseline_segments", 4, 3),
        ("presurgery_segments", 4, 3),
        ("baseline_lesions", 4, 3),
        ("presurgery_lesions", 4, 3),
        ("vanished_lesions", 1, 0),
        ("baseline_vessel_contacts", 1, 0),
        ("presurgery_vessel_contacts", 1, 0),
        ("chemotherapy_duration", 3.7, 3.69),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_at_the_cut_belongs_above_it_and_a_missing_one_nowhere(variable: str, cut: float, below: float) -> None:
    frame = pd.DataFrame({variable: [below, cut, cut + 1, NAN]})

    assert column(f"{variable}>={cut:g}", frame) == pytest.approx([0, 1, 1, NAN], nan_ok=True)


def test_ecog_is_above_0_or_not() -> None:
    frame = pd.DataFrame({"ecog_ps": category("ecog_ps", "0", "1", "2", None)})

    assert column("ecog_ps>=1", frame) == pytest.approx([0, 1, 1, NAN], nan_ok=True)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("yes", "yes", 1),
        ("yes", "no", 1),
        ("no", "yes", 1),
        ("no", "no", 0),
        ("yes", None, 1),
        (None, "yes", 1),
        ("no", None, NAN),
        (None, "no", NAN),
        (None, None, NAN),
    ],
    ids=str,
)
def test_any_mri_is_known_once_one_was_done_or_both_were_not(before: str | None, after: str | None, expected: float) -> None:
    frame = pd.DataFrame({"baseline_mri": category("baseline_mri", before), "presurgery_mri": category("presurgery_mri", after)})

    assert column("mri_any", frame) == pytest.approx([expected], nan_ok=True)


def test_the_paper_takes_no_logarithm() -> None:
    assert build_predictors(reconstructed(), "overall", PAPER).skewed == frozenset()


def test_every_row_of_the_papers_tables_is_a_covariate_and_every_covariate_a_row() -> None:
    rows = published.effects()[["variable", "form", "level", "reference"]].drop_duplicates()
    printed = {PrintedCovariate(*row) for row in rows.itertuples(index=False, name=None)}

    assert {printed_covariate(term) for term in covariates("overall")} == printed
    assert len(printed) == 37


@pytest.mark.parametrize("population", ["overall", "primary_resected"])
def test_no_two_covariates_stand_in_one_row(population: str) -> None:
    names = covariates(population)

    assert len({printed_covariate(term) for term in names}) == len(names)


@pytest.mark.parametrize(
    ("term", "form", "level", "reference"),
    [
        ("age>=65", "categorical", ">=65 years", "<65 years"),
        ("ecog_ps>=1", "categorical", "1-2", "0"),
        ("baseline_cea", "continuous", "", ""),
        ("baseline_cea>=10", "categorical", ">=10", "<10"),
        ("vanished_lesions", "continuous", "", ""),
        ("vanished_lesions>=1", "categorical", "yes", "no"),
        ("mri_any", "categorical", "yes", "no"),
        ("chemotherapy_duration>=3.7", "categorical", ">=3.7 months", "<3.7 months"),
        ("ras_braf=braf_mutated", "categorical", "braf_mutated", "wild_type"),
        ("pn_stage=n1_2", "categorical", "n1_2", "n0"),
    ],
)
def test_a_cut_has_two_sides_a_level_its_reference_and_a_continuous_form_neither(
    term: str, form: str, level: str, reference: str
) -> None:
    printed = printed_covariate(term)

    assert (printed.form, printed.level, printed.reference) == (form, level, reference)
    assert term.startswith(printed.variable)
    assert printed.variable == "mri_any" or printed.variable in DICTIONARY


def test_the_reference_is_the_level_that_the_encoder_drops() -> None:
    for term in covariates("overall"):
        printed = printed_covariate(term)
        if term.endswith(f"={printed.level}") and printed.level:
            levels = set(DICTIONARY[printed.variable].levels)
            encoded = {name.partition("=")[2] for name in covariates("overall") if name.startswith(f"{printed.variable}=")}
            assert levels - encoded == {printed.reference}, term
