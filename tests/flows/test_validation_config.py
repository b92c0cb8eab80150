from __future__ import annotations

import pytest
from pydantic import ValidationError

from flows.config import BenchmarkConfig
from flows.validation_config import ValidationConfig


@pytest.mark.parametrize("preset", ["smoke", "default", "full"])
def test_a_preset_fills_what_a_validation_knows_of_a_benchmarks_settings(preset: str):
    ours, benchmark = ValidationConfig(preset=preset, test="x"), BenchmarkConfig(preset=preset)
    for name in ("populations", "endpoints", "feature_sets", "n_folds", "n_repeats", "n_trials", "n_inner_folds", "n_bootstraps"):
        assert getattr(ours, name) == getattr(benchmark, name)


def test_what_is_given_wins_over_the_preset():
    assert ValidationConfig(preset="smoke", test="x", n_folds=7).n_folds == 7


def test_a_test_cohort_is_needed():
    with pytest.raises(ValidationError, match="test\n  Field required"):
        ValidationConfig.model_validate({"preset": "smoke"})


@pytest.mark.parametrize("files", [{}, {"train_data": "a.csv", "test_data": "a.csv"}])
def test_one_cohort_is_no_external_validation(files: dict[str, str]):
    with pytest.raises(ValidationError, match="train and test are the same cohort"):
        ValidationConfig(train="x", test="x", **files)


def test_two_files_under_one_contract_are_two_cohorts():
    assert ValidationConfig(train="x", test="x", train_data="a.csv", test_data="b.csv").train_data == "a.csv"


@pytest.mark.parametrize("name", ["models", "feature_sets", "endpoints", "populations"])
def test_an_unknown_name_is_refused(name: str):
    with pytest.raises(ValidationError, match="unknown nonsense; known: "):
        ValidationConfig(test="x", **{name: ("nonsense",)})


def test_science_holds_no_path():
    config = ValidationConfig(test="x", train_data="/home/me/a.csv", test_data="/home/me/b.csv")
    assert not {"train_data", "test_data", "workers", "fresh"} & set(config.science())
    assert "/home" not in str(config.science())
