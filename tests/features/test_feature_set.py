"""No predictor is used before it is known; what a cohort does not hold is left out."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohort.dictionary import DICTIONARY, KnownAt, Variable, predictors_known_at
from cohort.errors import CohortError
from cohort.load import load_cohort
from cohort.types import Cohort
from features.baseline import BASELINE
from features.feature_set import Feature, FeatureSet, KnownTooLate, build_predictors, plain
from features.pre_surgery import PRE_SURGERY


@cache
def reconstructed() -> Cohort:
    return load_cohort()


def cohort(variables: dict[str, Variable] | None = None, **columns: Any) -> Cohort:
    n = 3
    outcome = {"dfs_months": [1.0] * n, "dfs_event": [True] * n, "os_months": [2.0] * n, "os_event": [False] * n}
    frame = pd.DataFrame({"patient_id": ["a", "b", "c"], **columns, **outcome})
    return Cohort("small", "Small", "simulated", frame, variables=variables or DICTIONARY)


def feature_set(known_at: KnownAt, *features: Feature) -> FeatureSet:
    return FeatureSet("planted", "Planted", known_at, lambda _variables: features)


def names(cohort: Cohort, features: FeatureSet, population: str = "overall") -> set[str]:
    return set(build_predictors(cohort, population, features).names)


def yes_no(*values: str | None) -> pd.Categorical:
    return pd.Categorical(values, categories=["no", "yes"])


AGES = {"age": [60.0, 61.0, 62.0]}


def test_baseline_holds_all_that_is_known_at_baseline_and_nothing_else() -> None:
    whole = reconstructed()

    assert names(whole, BASELINE) == set(predictors_known_at(KnownAt.BASELINE)) - {"pt_stage", "pn_stage"}
    assert names(whole, BASELINE, "primary_resected") == set(predictors_known_at(KnownAt.BASELINE)) - {"primary_resected"}
    assert all(DICTIONARY[name].known_at is KnownAt.BASELINE for name in names(whole, BASELINE))


_TOO_LATE = [name for name, v in DICTIONARY.items() if v.known_at > KnownAt.PRE_SURGERY]


@pytest.mark.parametrize("name", _TOO_LATE)
@pytest.mark.parametrize("known_at", list(KnownAt), ids=lambda k: k.label)
def test_what_is_known_after_surgery_is_refused_by_name_and_time_whatever_the_set_says(name: str, known_at: KnownAt) -> None:
    planted = feature_set(known_at, plain("age", DICTIONARY), plain(name, DICTIONARY))

    with pytest.raises(KnownTooLate) as error:
        build_predictors(reconstructed(), "overall", planted)

    assert f"known later: {name} ({DICTIONARY[name].known_at.label})" in str(error.value)
    assert "planted" in str(error.value)


@pytest.mark.parametrize(
    "name", sorted(set(predictors_known_at(KnownAt.PRE_SURGERY)) - set(predictors_known_at(KnownAt.BASELINE)))
)
def test_a_presurgery_variable_is_refused_at_baseline_and_welcome_before_surgery(name: str) -> None:
    feature = plain(name, DICTIONARY)

    with pytest.raises(KnownTooLate, match=rf"{name} \(pre_surgery\)"):
        build_predictors(reconstructed(), "overall", feature_set(KnownAt.BASELINE, feature))
    assert names(reconstructed(), feature_set(KnownAt.PRE_SURGERY, feature)) == {name}


def test_all_that_is_late_is_named_at_once() -> None:
    planted = feature_set(KnownAt.BASELINE, *(plain(n, DICTIONARY) for n in ("age", "regimen", "relapse", "resection_margin")))

    with pytest.raises(KnownTooLate, match=r"regimen \(pre_surgery\), relapse \(outcome\), resection_margin \(post_surgery\)"):
        build_predictors(reconstructed(), "overall", planted)


def test_a_late_feature_is_refused_even_where_the_cohort_does_not_record_it() -> None:
    with pytest.raises(KnownTooLate, match="relapse_site"):
        build_predictors(cohort(**AGES), "overall", feature_set(KnownAt.BASELINE, plain("relapse_site", DICTIONARY)))


@pytest.mark.parametrize(
    ("inputs", "known_at"),
    [
        (("age",), KnownAt.BASELINE),
        (("baseline_cea", "presurgery_cea"), KnownAt.PRE_SURGERY),
        (("presurgery_cea", "baseline_cea"), KnownAt.PRE_SURGERY),
        (("age", "resection_margin", "regimen"), KnownAt.POST_SURGERY),
        (("age", "os_months"), KnownAt.OUTCOME),
    ],
    ids=["one", "change", "change in reverse", "pathology in the middle", "outcome"],
)
def test_a_feature_is_known_when_its_last_input_is(inputs: tuple[str, ...], known_at: KnownAt) -> None:
    assert Feature("computed", inputs).known_at(DICTIONARY) is known_at


def test_an_outcome_hidden_in_a_computed_feature_is_refused() -> None:
    hidden = Feature("age_group", ("age", "dfs_months"), lambda frame: frame["dfs_months"])

    with pytest.raises(KnownTooLate, match=r"age_group \(outcome\)"):
        build_predictors(cohort(**AGES), "overall", feature_set(KnownAt.PRE_SURGERY, hidden))


@pytest.mark.parametrize("name", ["patient_id", "centre"])
def test_an_identifier_is_no_predictor(name: str) -> None:
    with pytest.raises(KnownTooLate, match=f"identifier: {name}"):
        build_predictors(reconstructed(), "overall", feature_set(KnownAt.PRE_SURGERY, plain(name, DICTIONARY)))


def test_a_feature_without_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="lucky: a feature names its inputs"):
        Feature("lucky", (), lambda frame: frame["os_months"])


def test_a_cohorts_own_variable_joins_the_sets_of_its_time() -> None:
    own = {
        "bmi": Variable("bmi", "BMI", "continuous", KnownAt.PRE_SURGERY),
        "frailty": Variable("frailty", "Frailty", "continuous", KnownAt.BASELINE, low=0, skewed=True),
        "drain": Variable("drain", "Drain", "continuous", KnownAt.POST_SURGERY),
    }
    small = cohort({**DICTIONARY, **own}, **AGES, bmi=[1.0, 2, 3], frailty=[1.0, 2, 3], drain=[1.0, 2, 3])

    assert names(small, BASELINE) == {"age", "frailty"}
    assert names(small, PRE_SURGERY) == {"age", "frailty", "bmi"}
    assert build_predictors(small, "overall", BASELINE).skewed == {"frailty"}


def test_variables_that_the_cohort_lacks_or_never_observed_are_left_out() -> None:
    small = cohort(**AGES, baseline_cea=[np.nan] * 3, baseline_mri=yes_no(None, None, None), baseline_lesions=[1.0, np.nan, 2])

    assert names(small, BASELINE) == {"age", "baseline_lesions"}
    assert build_predictors(small, "overall", BASELINE).skewed == frozenset(), "a log scale for columns that are there"


def test_a_change_never_observed_is_left_out_though_both_sides_are() -> None:
    small = cohort(baseline_segments=[1.0, 2, np.nan], presurgery_segments=[np.nan, np.nan, 3])

    assert names(small, PRE_SURGERY) == {"baseline_segments", "presurgery_segments"}


def test_never_observed_is_judged_within_the_population() -> None:
    small = cohort(**AGES, baseline_cea=[5.0, np.nan, np.nan], primary_resected=yes_no("no", "yes", "yes"))

    assert "baseline_cea" in names(small, BASELINE)
    assert names(small, BASELINE, "primary_resected") == {"age"}


def test_a_cohort_without_any_predictor_is_refused() -> None:
    with pytest.raises(CohortError, match="cohort small holds no predictor of the feature set baseline"):
        build_predictors(cohort(), "overall", BASELINE)


def test_a_feature_that_needs_a_withheld_variable_is_left_out() -> None:
    small = cohort(**AGES, primary_resected=yes_no("no", "yes", "yes"))
    derived = Feature("resected_twice", ("age", "primary_resected"), lambda frame: frame["age"])

    assert names(small, feature_set(KnownAt.BASELINE, plain("age", DICTIONARY), derived), "primary_resected") == {"age"}


def test_two_features_of_one_name_are_refused() -> None:
    twice = feature_set(
        KnownAt.BASELINE, plain("age", DICTIONARY), Feature("age", ("baseline_cea",), lambda f: f["baseline_cea"])
    )

    with pytest.raises(CohortError, match="two features of one name: age"):
        build_predictors(cohort(**AGES), "overall", twice)


@pytest.mark.parametrize("features", [BASELINE, PRE_SURGERY], ids=lambda f: f.name)
def test_the_cohort_is_left_as_it_was(features: FeatureSet) -> None:
    whole = reconstructed()
    before = whole.digest
    build_predictors(whole, "primary_resected", features)

    assert whole.digest == before
