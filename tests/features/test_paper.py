"""``paper``: 37 covariates, cut where the paper cuts."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

from cohort.dictionary import DICTIONARY
from cohort.load import load_cohort
from cohort.types import Cohort
from features.encode import MISSING, PredictorEncoder
from features.feature_set import build_predictors
from features.paper import PAPER, PAPER_FEATURES

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
