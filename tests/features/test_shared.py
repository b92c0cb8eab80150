from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from cohort.dictionary import KnownAt, Variable
from cohort.errors import CohortError
from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from features.baseline import BASELINE
from features.feature_set import KnownTooLate, build_predictors
from features.pre_surgery import PRE_SURGERY
from features.shared import shared_predictors, shared_variables


def without(cohort: Cohort, *names: str) -> Cohort:
    return replace(cohort, frame=cohort.frame.drop(columns=list(names)))


# So rare a level may be absent from a small cohort.
TRAIN = without(replace(simulate_cohort(60, seed=1).cohort, name="ours"), "mmr_status")
TEST = without(replace(simulate_cohort(40, seed=2).cohort, name="theirs"), "mmr_status")


def with_own(cohort: Cohort, values: object, **changes: object) -> Cohort:
    """A cohort that records albumin, declared with ``changes``."""
    declared = {"kind": "continuous", "known_at": KnownAt.BASELINE, "unit": "g/l", **changes}
    variable = Variable("albumin", "Albumin", **declared)
    return replace(cohort, frame=cohort.frame.assign(albumin=values), variables={**cohort.variables, "albumin": variable})


def reasons(train: Cohort, test: Cohort) -> dict[str, str]:
    return {d.name: d.reason for d in shared_predictors(train, test, "overall", BASELINE).dropped}


def test_both_get_the_same_columns_in_the_same_order_and_each_its_own_patients():
    shared = shared_predictors(TRAIN, TEST, "overall", PRE_SURGERY)
    assert shared.train.names == shared.test.names
    assert shared.dropped == ()
    for ours, cohort in ((shared.train, TRAIN), (shared.test, TEST)):
        alone = build_predictors(cohort, "overall", PRE_SURGERY)
        pd.testing.assert_frame_equal(ours.frame, alone.frame[list(ours.names)])
    assert shared.train.skewed == build_predictors(TRAIN, "overall", PRE_SURGERY).skewed


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_what_one_cohort_does_not_record_is_dropped_with_the_reason(lacking: str):
    train, test = (without(c, "ras_braf") if lacking == who else c for who, c in (("train", TRAIN), ("test", TEST)))
    assert reasons(train, test) == {"ras_braf": f"{'ours' if lacking == 'train' else 'theirs'} does not record ras_braf"}


def test_a_computed_predictor_goes_with_either_of_its_inputs():
    dropped = {d.name for d in shared_predictors(TRAIN, without(TEST, "baseline_cea"), "overall", PRE_SURGERY).dropped}
    assert dropped == {"baseline_cea", "change_cea"}


def test_what_neither_records_is_not_told():
    assert reasons(without(TRAIN, "sex"), without(TEST, "sex")) == {}


@pytest.mark.parametrize(
    ("changes", "differing"),
    [({"unit": "g/dl"}, "unit"), ({"kind": "count"}, "kind"), ({"known_at": KnownAt.PRE_SURGERY}, None)],
)
def test_one_name_under_two_definitions_is_not_shared(changes: dict[str, object], differing: str | None):
    train, test = with_own(TRAIN, range(60)), with_own(TEST, range(40), **changes)
    if differing:
        assert reasons(train, test) == {"albumin": f"the cohorts define albumin with another {differing}"}
        assert "albumin" not in {v.name for v in shared_variables(train, test, "overall")}
    else:  # at baseline only one of them has it at all
        assert "albumin" in reasons(train, test)
    assert "albumin" in shared_predictors(train, with_own(TEST, range(40)), "overall", BASELINE).train.names


def test_a_predictor_missing_for_everybody_elsewhere_is_dropped():
    everybody = replace(TEST, frame=TEST.frame.assign(baseline_cea=float("nan")))
    assert reasons(TRAIN, everybody) == {"baseline_cea": "it is missing for every patient of theirs"}


def test_what_cannot_be_computed_for_anybody_is_dropped():
    """A largest diameter of 0 has no relative change."""
    zero = replace(TEST, frame=TEST.frame.assign(baseline_max_diameter=0.0))
    dropped = {d.name: d.reason for d in shared_predictors(TRAIN, zero, "overall", PRE_SURGERY).dropped}
    assert dropped == {"change_max_diameter": "it cannot be computed for any patient of theirs"}


def test_a_predictor_without_variation_in_training_is_dropped_since_nothing_can_be_learned():
    constant = replace(TRAIN, frame=TRAIN.frame.assign(age=60.0))
    assert reasons(constant, TEST) == {"age": "it has one value in ours, so that nothing can be learned from it"}


def test_what_a_population_must_not_use_is_dropped_by_name():
    frame = TRAIN.frame.assign(pn_stage=pd.Categorical(["n0", "n1_2"] * 30, categories=["n0", "n1_2"]))
    theirs = without(replace(TEST, frame=TEST.frame.assign(pn_stage=frame["pn_stage"][:40])), "primary_resected")
    said = reasons(replace(TRAIN, frame=frame), theirs)
    assert said["pn_stage"] == "pn_stage is not used in the population overall of ours"


def test_cohorts_that_share_nothing_are_refused():
    keep = ["patient_id", "dfs_months", "dfs_event", "os_months", "os_event"]
    one = replace(TRAIN, frame=TRAIN.frame[[*keep, "age"]])
    other = replace(TEST, frame=TEST.frame[[*keep, "sex"]])
    with pytest.raises(CohortError, match="ours and theirs share no predictor of the feature set baseline"):
        shared_predictors(one, other, "overall", BASELINE)


def test_a_predictor_known_too_late_in_the_test_cohort_stops_all():
    late = replace(BASELINE, select=PRE_SURGERY.select)
    with pytest.raises(KnownTooLate):
        shared_predictors(TRAIN, TEST, "overall", late)


def test_shared_variables_are_predictors_recorded_in_both():
    names = {v.name for v in shared_variables(TRAIN, without(TEST, "sex"), "overall")}
    assert {"age", "baseline_lesions"} <= names
    assert names.isdisjoint({"sex", "patient_id", "dfs_months", "dfs_event"})
