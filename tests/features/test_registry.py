"""Every feature set is registered, and every registered one keeps the rules."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

import features
from cohort.dictionary import DICTIONARY, KnownAt
from cohort.load import load_cohort
from cohort.types import Cohort
from features.feature_set import FeatureSet, build_predictors, refuse_later
from features.registry import FEATURE_SETS


@cache
def reconstructed() -> Cohort:
    return load_cohort()


every_set = pytest.mark.parametrize("feature_set", FEATURE_SETS.values(), ids=lambda f: f.name)
POPULATIONS = ("overall", "primary_resected")


def written_sets() -> dict[str, FeatureSet]:
    files = sorted(Path(features.__path__[0]).glob("*.py"))
    modules = [import_module(f"features.{path.stem}") for path in files if path.stem != "__init__"]
    return {value.name: value for module in modules for value in vars(module).values() if isinstance(value, FeatureSet)}


def test_every_feature_set_of_a_file_has_its_line() -> None:
    assert written_sets() == FEATURE_SETS, "a feature set was written and not registered"


def test_the_names_are_the_keys() -> None:
    assert list(FEATURE_SETS) == [feature_set.name for feature_set in FEATURE_SETS.values()]
    assert set(FEATURE_SETS) == {"baseline", "pre_surgery", "paper"}


@every_set
def test_it_predicts_before_surgery_with_what_is_known_then(feature_set: FeatureSet) -> None:
    chosen = feature_set.select(DICTIONARY)

    assert feature_set.known_at <= KnownAt.PRE_SURGERY
    refuse_later(chosen, feature_set, DICTIONARY)
    for feature in chosen:
        assert all(DICTIONARY[name].is_predictor for name in feature.inputs), f"{feature.name} reads what is no predictor"


@every_set
@pytest.mark.parametrize("population", POPULATIONS)
def test_one_row_a_patient_and_nothing_withheld(feature_set: FeatureSet, population: str) -> None:
    cohort = reconstructed()
    built = build_predictors(cohort, population, feature_set)

    assert len(built.frame) == len(cohort.population(population))
    assert len(set(built.names)) == len(built.names)
    assert not cohort.withheld(population) & set(built.names)
    assert built.frame.notna().any().all(), "a column never observed carries nothing"


@every_set
def test_no_predictor_reads_the_future(feature_set: FeatureSet) -> None:
    cohort = reconstructed()
    before = build_predictors(cohort, "overall", feature_set).frame
    later = [name for name, v in DICTIONARY.items() if v.known_at > feature_set.known_at and name in cohort.frame]
    frame = cohort.frame.copy()
    frame[later] = frame[later].iloc[::-1].to_numpy()

    after = build_predictors(Cohort("turned", "Turned", "simulated", frame), "overall", feature_set).frame

    pd.testing.assert_frame_equal(before, after)


@every_set
def test_a_row_depends_on_its_own_patient_only(feature_set: FeatureSet) -> None:
    cohort = reconstructed()
    whole = build_predictors(cohort, "overall", feature_set).frame
    part = Cohort("part", "Part", "simulated", cohort.frame.iloc[::3].reset_index(drop=True))

    alone = build_predictors(part, "overall", feature_set).frame

    pd.testing.assert_frame_equal(alone, whole.iloc[::3].reset_index(drop=True))
