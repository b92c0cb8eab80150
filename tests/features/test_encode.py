"""Encoding by hand: names, references, logs, and medians that come from the training rows alone."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from cohort.load import load_cohort
from cohort.types import POPULATIONS, Cohort
from features.encode import PredictorEncoder, factor_of
from features.feature_set import build_predictors
from features.registry import FEATURE_SETS

NAN = float("nan")
LEVELS = {"ras_braf": ["wild_type", "ras_mutated", "braf_mutated"], "sex": ["female", "male"]}


@cache
def reconstructed() -> Cohort:
    return load_cohort()


def predictors(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.Categorical(values, categories=LEVELS[name]) if name in LEVELS else np.array(values, dtype=float)
            for name, values in columns.items()
        }
    )


def encode(train: pd.DataFrame, other: pd.DataFrame | None = None, **options: Any) -> dict[str, list[float]]:
    encoder = PredictorEncoder(**options).fit(train)
    return {str(name): values.tolist() for name, values in encoder.transform(train if other is None else other).items()}


@pytest.mark.parametrize(
    ("column", "factor"),
    [
        ("age", "age"),
        ("age>=65", "age>=65"),
        ("ras_braf=braf_mutated", "ras_braf"),
        ("baseline_cea=missing", "baseline_cea"),
        ("baseline_cea>=10=missing", "baseline_cea>=10"),
        ("duration<=3.7", "duration<=3.7"),
        ("grade=>=3", "grade"),
        ("grade=a=b", "grade"),
    ],
)
def test_a_column_knows_its_predictor(column: str, factor: str) -> None:
    assert factor_of(column) == factor


def test_the_reference_level_has_no_column() -> None:
    train = predictors(ras_braf=["wild_type", "ras_mutated", "braf_mutated"], sex=["male", "female", "male"])

    assert encode(train) == {"ras_braf=ras_mutated": [0, 1, 0], "ras_braf=braf_mutated": [0, 0, 1], "sex=male": [1, 0, 1]}


def test_a_level_that_no_training_patient_has_gets_no_column() -> None:
    assert list(encode(predictors(ras_braf=["wild_type", "ras_mutated"]))) == ["ras_braf=ras_mutated"]


def test_skewed_predictors_are_taken_as_log_of_one_more() -> None:
    train = predictors(cea=[0, math.e - 1, 99], age=[0, 1, 99])

    assert encode(train, skewed=frozenset({"cea"})) == {"cea": pytest.approx([0, 1, math.log(100)]), "age": [0, 1, 99]}


def test_the_median_of_a_skewed_predictor_is_that_of_its_logs() -> None:
    train = predictors(cea=[0, 99, NAN])

    assert encode(train, skewed=frozenset({"cea"}))["cea"][2] == pytest.approx(math.log(100) / 2)


def test_missing_values_become_the_training_median_and_leave_a_mark() -> None:
    assert encode(predictors(age=[50, NAN, 60, 90])) == {"age": [50, 60, 60, 90], "age=missing": [0, 1, 0, 0]}


@pytest.mark.parametrize(
    ("known", "filled"),
    [(["male", "male", "female"], 1.0), (["female", "male", "female"], 0.0), (["female", "male"], 0.5)],
    ids=["more men", "more women", "a tie"],
)
def test_a_missing_level_becomes_the_more_frequent_one(known: list[str], filled: float) -> None:
    encoded = encode(predictors(sex=[*known, None]))

    assert encoded["sex=male"][-1] == filled
    assert encoded["sex=missing"] == [0.0] * len(known) + [1.0]


def test_a_factor_of_three_levels_has_one_mark() -> None:
    encoded = encode(predictors(ras_braf=["wild_type", "ras_mutated", "braf_mutated", "ras_mutated", "ras_mutated", None]))

    assert encoded["ras_braf=missing"] == [0, 0, 0, 0, 0, 1]
    assert (encoded["ras_braf=ras_mutated"][-1], encoded["ras_braf=braf_mutated"][-1]) == (1, 0)
    assert len(encoded) == 3


def test_a_cut_predictor_has_its_own_mark() -> None:
    assert list(encode(predictors(**{"baseline_cea": [1, 20, NAN], "baseline_cea>=10": [0, 1, NAN]}))) == [
        *("baseline_cea", "baseline_cea>=10", "baseline_cea=missing", "baseline_cea>=10=missing"),
    ]


def test_medians_and_columns_are_the_training_rows_alone() -> None:
    train = predictors(age=[50, NAN, 70, 90], height=[1, 1, 1, 1])
    other = predictors(age=[NAN, 1000, 2000], height=[1, 2, 3])

    assert encode(train, other) == {"age": [70, 1000, 2000], "age=missing": [1, 0, 0]}
    assert encode(train, other.iloc[:1]) == {"age": [70], "age=missing": [1]}


def test_transforming_leaves_the_encoder_as_it_was() -> None:
    train = predictors(age=[50, NAN, 70, 90])
    encoder = PredictorEncoder().fit(train)
    before = encoder.transform(train)
    encoder.transform(predictors(age=[NAN, 1000, 2000]))

    pd.testing.assert_frame_equal(encoder.transform(train), before)


def test_a_value_missing_only_later_is_filled_without_a_mark() -> None:
    assert encode(predictors(age=[50, 60, 90]), predictors(age=[NAN, 50, 90])) == {"age": [60, 50, 90]}


def test_without_imputation_missing_stays_missing_and_unmarked() -> None:
    encoded = encode(predictors(age=[50, NAN, 70], sex=["male", "female", None]), impute=False)

    assert encoded == {"age": pytest.approx([50, NAN, 70], nan_ok=True), "sex=male": pytest.approx([1, 0, NAN], nan_ok=True)}


@pytest.mark.parametrize("impute", [True, False], ids=["imputed", "not imputed"])
def test_columns_that_do_not_vary_in_training_are_dropped(impute: bool) -> None:
    train = predictors(age=[50, 60, 70], same=[1, 1, 1], never=[NAN, NAN, NAN], sex=["male"] * 3)

    assert list(encode(train, impute=impute)) == ["age"]


def test_only_that_it_is_missing_may_vary() -> None:
    assert encode(predictors(age=[50, 50, NAN])) == {"age=missing": [0, 0, 1]}
    assert encode(predictors(age=[50, 50, NAN]), impute=False) == {}


def test_nothing_that_varies_gives_no_columns_but_all_rows() -> None:
    train = predictors(same=[1, 1], never=[NAN, NAN])

    assert PredictorEncoder().fit(train).transform(train).shape == (2, 0)


def test_columns_are_found_by_name_whatever_their_order_and_surplus_is_ignored() -> None:
    train = predictors(age=[50, 60], height=[1, 2])
    other = predictors(surplus=[9, 9], height=[3, 4], age=[70, 80])

    assert encode(train, other) == {"age": [70, 80], "height": [3, 4]}


def test_a_predictor_that_is_absent_is_an_error() -> None:
    train = predictors(age=[50, 60], height=[1, 2], weight=[1, 2])

    with pytest.raises(ValueError, match="predictors are missing: age, weight"):
        encode(train, train[["height"]])


def test_a_level_unknown_to_the_training_factor_is_an_error_not_the_reference() -> None:
    other = pd.DataFrame({"sex": pd.Categorical(["male", "unheard"])})

    with pytest.raises(ValueError, match=r"sex: a level .* levels: female, male"):
        encode(predictors(sex=["male", "female"]), other)


def test_transform_before_fit_is_an_error() -> None:
    with pytest.raises(NotFittedError):
        PredictorEncoder().transform(predictors(age=[1]))


def test_a_clone_has_the_settings_and_not_the_fit() -> None:
    fitted = PredictorEncoder(skewed=frozenset({"cea"}), impute=False).fit(predictors(cea=[1, 2]))
    copy = clone(fitted)

    assert copy.get_params() == {"skewed": frozenset({"cea"}), "impute": False}
    with pytest.raises(NotFittedError):
        copy.get_feature_names_out()


def test_the_index_is_that_of_the_patients() -> None:
    train = predictors(age=[50, NAN, 70]).set_axis(["x", "y", "z"])

    assert PredictorEncoder().fit(train).transform(train.iloc[::-1]).index.tolist() == ["z", "y", "x"]


@pytest.mark.parametrize("impute", [True, False], ids=["imputed", "not imputed"])
@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("name", FEATURE_SETS)
def test_every_feature_set_encodes_to_the_same_floats_each_time(name: str, population: str, impute: bool) -> None:
    built = build_predictors(reconstructed(), population, FEATURE_SETS[name])
    train = built.frame.iloc[:150]
    first, second = (PredictorEncoder(built.skewed, impute).fit(train) for _ in range(2))
    encoded = first.transform(built.frame)

    pd.testing.assert_frame_equal(encoded, second.transform(built.frame))
    assert encoded.columns.tolist() == first.get_feature_names_out().tolist()
    assert encoded.columns.is_unique
    assert (encoded.dtypes == np.float64).all()
    assert not np.isinf(encoded.to_numpy()).any()
    assert bool(encoded.isna().any(axis=None)) is not impute
    assert {factor_of(column) for column in encoded} <= set(built.names)
