"""The dictionary holds every variable of the paper, and refuses a line that makes no sense."""

from __future__ import annotations

import pytest

from cohort.dictionary import DICTIONARY, REQUIRED, KnownAt, Variable, predictors_known_at

_TAKEN_TWICE = ("mri", "cea", "lobes", "segments", "lesions", "max_diameter", "vessel_contacts")

BASELINE = (
    *("age", "sex", "ecog_ps", "primary_location", "synchronous", "primary_resected", "pt_stage", "pn_stage", "ras_braf"),
    *("mmr_status", "adjuvant_chemotherapy"),
    *(f"baseline_{name}" for name in _TAKEN_TWICE),
)
PRE_SURGERY = (
    *("regimen", "biologic_agent", "chemotherapy_duration", "objective_response", "vanished_lesions", "surgery_steps"),
    *(f"presurgery_{name}" for name in _TAKEN_TWICE),
)
POST_SURGERY = ("resection_margin", "concurrent_ablation", "postoperative_chemotherapy")
OUTCOME = (
    "dfs_months", "dfs_event", "relapse", "relapse_site", "os_months", "os_event", "locoregional_treatment", "locoregional_kind",
    "locoregional_repeated",
)  # fmt: skip


@pytest.mark.parametrize(
    ("known_at", "names"),
    [
        (KnownAt.BASELINE, ("patient_id", "centre", *BASELINE)),
        (KnownAt.PRE_SURGERY, PRE_SURGERY),
        (KnownAt.POST_SURGERY, POST_SURGERY),
        (KnownAt.OUTCOME, OUTCOME),
    ],
    ids=lambda value: value.label if isinstance(value, KnownAt) else "",
)
def test_every_variable_of_the_paper_is_known_at_its_time_and_no_other_is(known_at: KnownAt, names: tuple[str, ...]) -> None:
    held = {name for name, variable in DICTIONARY.items() if variable.known_at is known_at}

    assert held == set(names)


def test_names_are_the_keys() -> None:
    assert all(variable.name == name for name, variable in DICTIONARY.items())


# The reference levels of Tables 2 and 3: the level that is printed with an odds ratio of 1.
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sex", "female"),
        ("ecog_ps", "0"),
        ("primary_location", "right"),
        ("synchronous", "metachronous"),
        ("primary_resected", "no"),
        ("pt_stage", "t1_3"),
        ("pn_stage", "n0"),
        ("ras_braf", "wild_type"),
        ("mmr_status", "proficient"),
        ("adjuvant_chemotherapy", "no"),
        ("baseline_mri", "no"),
        ("baseline_lobes", "bilobar"),
        ("presurgery_lobes", "bilobar"),
        ("regimen", "doublet"),
        ("biologic_agent", "none"),
        ("objective_response", "no"),
        ("surgery_steps", "two"),
        ("resection_margin", "r0"),
        ("relapse", "no"),
    ],
)
def test_the_reference_level_stands_first(name: str, reference: str) -> None:
    assert DICTIONARY[name].levels[0] == reference


def test_both_measurements_of_one_thing_have_one_coding() -> None:
    for name in _TAKEN_TWICE:
        before, after = DICTIONARY[f"baseline_{name}"], DICTIONARY[f"presurgery_{name}"]
        assert (before.kind, before.unit, before.levels, before.high) == (after.kind, after.unit, after.levels, after.high)


def test_a_lesion_may_vanish_before_surgery_but_there_is_one_at_baseline() -> None:
    for name in ("lesions", "segments"):
        assert DICTIONARY[f"baseline_{name}"].low == 1
        assert DICTIONARY[f"presurgery_{name}"].low == 0


def test_a_condition_names_a_level_of_another_variable() -> None:
    conditions = {name: variable.only_if for name, variable in DICTIONARY.items() if variable.only_if}

    treatment = {"locoregional_treatment", "locoregional_kind", "locoregional_repeated"}
    assert set(conditions) == {"pt_stage", "pn_stage", "relapse_site", *treatment}
    for name, (other, level) in conditions.items():
        assert level in DICTIONARY[other].levels, f"{name} waits for a level that {other} does not have"


def test_every_number_has_a_range_and_all_but_a_count_of_its_own_a_unit() -> None:
    for variable in DICTIONARY.values():
        if variable.is_numeric:
            assert variable.low is not None, f"{variable.name} could be negative"
            assert variable.high is not None, f"{variable.name} could be absurd"
            assert variable.unit, f"{variable.name} has no unit"


def test_the_required_variables_identify_a_patient_and_give_both_outcomes() -> None:
    assert REQUIRED == ("patient_id", "dfs_months", "dfs_event", "os_months", "os_event")


def test_known_at_is_in_the_order_of_time() -> None:
    assert KnownAt.BASELINE < KnownAt.PRE_SURGERY < KnownAt.POST_SURGERY < KnownAt.OUTCOME


@pytest.mark.parametrize("known_at", list(KnownAt), ids=lambda k: k.label)
def test_known_at_is_read_back_from_its_label(known_at: KnownAt) -> None:
    assert KnownAt.parse(known_at.label) is known_at


@pytest.mark.parametrize("text", ["", "before", "pre-surgery", "0"])
def test_an_unknown_time_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ValueError, match="baseline, pre_surgery, post_surgery, outcome") as error:
        KnownAt.parse(text)

    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kind": "categorical", "levels": ()}, "two or more levels"),
        ({"kind": "categorical", "levels": ("only",)}, "two or more levels"),
        ({"kind": "continuous", "levels": ("a", "b")}, "any other none"),
        ({"kind": "categorical", "levels": ("a", "b", "a")}, "listed twice"),
        ({"kind": "continuous", "low": 2, "high": 1}, "range 2 to 1 is empty"),
        ({"kind": "continuous", "skewed": True}, "low of 0 or more"),
        ({"kind": "continuous", "skewed": True, "low": -1}, "low of 0 or more"),
        ({"kind": "categorical", "levels": ("a", "b"), "skewed": True}, "log scale is a number"),
    ],
    ids=[
        *("no levels", "one level", "levels of a number", "level twice", "empty range", "log without low", "log of negative"),
        "log of a category",
    ],
)
def test_a_variable_that_makes_no_sense_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why) as error:
        Variable("grade", "Grade", known_at=KnownAt.BASELINE, **fields)  # type: ignore[arg-type]

    assert str(error.value).startswith("grade:"), "the message names the variable"


def test_a_range_of_one_value_is_a_range() -> None:
    assert Variable("x", "X", "count", KnownAt.BASELINE, low=1, high=1).low == 1


@pytest.mark.parametrize(
    ("known_at", "expected"),
    [
        (KnownAt.BASELINE, set(BASELINE)),
        (KnownAt.PRE_SURGERY, {*BASELINE, *PRE_SURGERY}),
        (KnownAt.POST_SURGERY, {*BASELINE, *PRE_SURGERY}),
        (KnownAt.OUTCOME, {*BASELINE, *PRE_SURGERY}),
    ],
    ids=lambda value: value.label if isinstance(value, KnownAt) else "",
)
def test_predictors_are_known_by_then_and_before_surgery_and_never_an_identifier(known_at: KnownAt, expected: set[str]) -> None:
    assert set(predictors_known_at(known_at)) == expected
