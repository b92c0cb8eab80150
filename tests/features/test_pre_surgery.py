"""``pre_surgery`` holds all that is known before surgery, and changes that agree with a calculation by hand."""

from __future__ import annotations

import math
from functools import cache

import pandas as pd
import pytest

from cohort.dictionary import DICTIONARY, KnownAt, predictors_known_at
from cohort.load import load_cohort
from cohort.types import Cohort
from features.baseline import BASELINE
from features.feature_set import KnownTooLate, build_predictors, refuse_later
from features.pre_surgery import CHANGES, PRE_SURGERY

NAN = float("nan")
CHANGE_NAMES = {"change_cea", "change_max_diameter", "change_segments", "change_vessel_contacts"}


@cache
def reconstructed() -> Cohort:
    return load_cohort()


def change(name: str, before: float, after: float) -> float:
    feature = next(f for f in CHANGES if f.name == f"change_{name}")
    assert feature.compute is not None
    frame = pd.DataFrame({f"baseline_{name}": [before], f"presurgery_{name}": [after]}, dtype="float64")
    return float(feature.compute(frame).iloc[0])


@pytest.mark.parametrize("population", ["overall", "primary_resected"])
def test_it_holds_everything_known_before_surgery_and_the_changes(population: str) -> None:
    cohort = reconstructed()
    built = build_predictors(cohort, population, PRE_SURGERY)

    assert set(built.names) == {*predictors_known_at(KnownAt.PRE_SURGERY), *CHANGE_NAMES} - cohort.withheld(population)
    assert built.skewed == {"baseline_cea", "presurgery_cea"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (9.0, 99.0, math.log(10)),
        (99.0, 9.0, -math.log(10)),
        (5.0, 5.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, math.e - 1, 1.0),
        (NAN, 5.0, NAN),
        (5.0, NAN, NAN),
    ],
    ids=["tenfold rise", "tenfold fall", "unchanged", "undetectable twice", "from undetectable", "no baseline", "no later value"],
)
def test_change_of_cea_is_the_log_ratio_of_one_more(before: float, after: float, expected: float) -> None:
    assert change("cea", before, after) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (40.0, 30.0, -0.25),
        (40.0, 50.0, 0.25),
        (40.0, 40.0, 0.0),
        (40.0, 0.0, -1.0),
        (0.0, 10.0, NAN),
        (0.0, 0.0, NAN),
        (NAN, 10.0, NAN),
        (40.0, NAN, NAN),
    ],
    ids=["shrunk", "grown", "unchanged", "vanished", "from nothing", "nothing twice", "no baseline", "no later value"],
)
def test_shrinkage_is_relative_to_baseline_and_unknown_where_that_is_zero(before: float, after: float, expected: float) -> None:
    assert change("max_diameter", before, after) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", ["segments", "vessel_contacts"])
def test_a_change_of_a_count_is_after_less_before(name: str) -> None:
    assert change(name, 5, 2) == -3
    assert change(name, 2, 5) == 3
    assert math.isnan(change(name, NAN, 5))


@pytest.mark.parametrize("feature", CHANGES, ids=lambda f: f.name)
def test_a_change_is_known_before_surgery_and_not_at_baseline(feature: object) -> None:
    assert feature.known_at(DICTIONARY) is KnownAt.PRE_SURGERY  # type: ignore[attr-defined]
    with pytest.raises(KnownTooLate, match=r"change_\w+ \(pre_surgery\)"):
        refuse_later((feature,), BASELINE, DICTIONARY)  # type: ignore[arg-type]
