"""Decoding under a contract, and every rule that a file can break: by name, with a count and ids, without a patient's value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohort.contract import Contract
from cohort.errors import CohortError, ContractViolation

REQUIRED_COLUMNS = {name: name for name in ("patient_id", "dfs_months", "dfs_event", "os_months", "os_event")}


def contract(**fields: Any) -> Contract:
    columns = {**REQUIRED_COLUMNS, **fields.pop("columns", {})}
    return Contract.model_validate({"name": "small", "title": "Small", "evidence": "simulated", "columns": columns, **fields})


def table(n: int = 3, **columns: Any) -> pd.DataFrame:
    """``n`` patients, all well."""
    good = {
        "patient_id": [f"P{i}" for i in range(1, n + 1)],
        "dfs_months": ["2.5"] * n,
        "dfs_event": ["1"] * n,
        "os_months": ["20"] * n,
        "os_event": ["0"] * n,
    }
    return pd.DataFrame({**good, **columns}, dtype=object)


def broken(rules: Contract, cells: pd.DataFrame) -> ContractViolation:
    with pytest.raises(ContractViolation) as error:
        rules.apply(cells, source="small.csv")
    return error.value


# --- decoding


@pytest.mark.parametrize("written", [1, 1.0, "1"], ids=repr)
@pytest.mark.parametrize("cell", [1, 1.0, "1", "1.0", " 1 ", np.int64(1), np.float32(1)], ids=repr)
def test_a_code_is_the_same_however_the_contract_and_the_file_write_it(written: object, cell: object) -> None:
    rules = contract(columns={"sex": {"column": "sex", "codes": {written: "male"}}})

    assert rules.apply(table(sex=[cell, cell, None]), "f")["sex"].tolist()[:2] == ["male", "male"]


@pytest.mark.parametrize("cell", [True, np.True_, "True", "TRUE", "yes"], ids=repr)
def test_true_is_yes(cell: object) -> None:
    rules = contract(columns={"baseline_mri": "mri"})
    frame = rules.apply(table(mri=[cell] * 3, dfs_event=[cell] * 3), "f")

    assert frame["baseline_mri"].tolist() == ["yes"] * 3, "levels no and yes"
    assert frame["dfs_event"].tolist() == [True] * 3


@pytest.mark.parametrize("cell", [True, "True", "yes"], ids=repr)
def test_true_may_be_a_code(cell: object) -> None:
    rules = contract(columns={"sex": {"column": "sex", "codes": {True: "male", False: "female"}}})

    assert rules.apply(table(sex=[cell, False, "FALSE"]), "f")["sex"].tolist() == ["male", "female", "female"]


def test_event_codes_are_the_contracts() -> None:
    rules = contract(columns={"os_event": {"column": "os_event", "codes": {"dead": True, "alive": "no", 2: 1}}})

    assert rules.apply(table(os_event=["dead", "alive", "2.0"]), "f")["os_event"].tolist() == [True, False, True]


def test_a_levels_own_name_needs_no_code() -> None:
    rules = contract(columns={"sex": {"column": "sex", "codes": {1: "male"}}})

    assert rules.apply(table(sex=["female", "1", "male"]), "f")["sex"].tolist() == ["female", "male", "male"]


def test_all_levels_stand_in_the_dictionarys_order_even_if_none_was_seen() -> None:
    frame = contract(columns={"ras_braf": "ras"}).apply(table(ras=[""] * 3), "f")

    assert frame["ras_braf"].cat.categories.tolist() == ["wild_type", "ras_mutated", "braf_mutated"]
    assert frame["ras_braf"].isna().all()


@pytest.mark.parametrize(
    ("variable", "unit", "cell", "expected"),
    [
        ("baseline_max_diameter", "cm", "2.3", 23.0),
        ("baseline_max_diameter", "mm", "23", 23.0),
        ("chemotherapy_duration", "days", "365.25", 12.0),
        ("chemotherapy_duration", "weeks", "4", 4 * 7 * 12 / 365.25),
        ("chemotherapy_duration", "years", "0.5", 6.0),
        ("baseline_cea", "ug/l", "7.5", 7.5),
    ],
    ids=["cm to mm", "mm stay", "days to months", "weeks to months", "years to months", "ug/l is ng/ml"],
)
def test_units_become_the_dictionarys(variable: str, unit: str, cell: str, expected: float) -> None:
    frame = contract(columns={variable: {"column": "x", "unit": unit}}).apply(table(x=[cell] * 3), "f")

    assert frame[variable].tolist() == pytest.approx([expected] * 3, abs=1e-6)


def test_survival_in_days_becomes_months() -> None:
    frame = contract(columns={"dfs_months": {"column": "days", "unit": "days"}}).apply(table(days=[30, 60, 90]), "f")

    assert frame["dfs_months"].tolist() == pytest.approx([30 / 30.4375, 60 / 30.4375, 90 / 30.4375], abs=1e-6)


@pytest.mark.parametrize(
    "cell", ["-999", "-999.0", -999, -999.0, " -999 ", "unknown", "", None, np.nan, np.float32("nan"), pd.NA], ids=repr
)
def test_a_missing_code_is_missing_in_numbers_and_in_categories(cell: object) -> None:
    rules = contract(columns={"age": "age", "sex": "sex"}, missing=["", -999, "unknown"])
    frame = rules.apply(table(age=[cell, 60, 61], sex=[cell, "male", "female"]), "f")

    assert frame["age"].isna().tolist() == frame["sex"].isna().tolist() == [True, False, False]


def test_extra_variables_are_decoded_and_known_when_the_contract_says() -> None:
    rules = contract(
        columns={"bmi": "bmi", "frail": {"column": "frail", "codes": {1: "yes"}}},
        extra_variables={
            "bmi": {"label": "BMI", "kind": "continuous", "known_at": "pre_surgery", "unit": "kg/m2", "low": 10},
            "frail": {"label": "Frailty", "kind": "categorical", "known_at": "baseline", "levels": ["no", "yes"]},
        },
    )
    frame = rules.apply(table(bmi=[21, 22.5, 30], frail=["1", "no", ""]), "f")

    assert frame["bmi"].tolist() == [21, 22.5, 30]
    assert frame["frail"].tolist()[:2] == ["yes", "no"]
    assert rules.variables()["bmi"].known_at.label == "pre_surgery"


# --- broken rules

_FRAIL = {"frailty": {"label": "Frailty", "kind": "continuous", "known_at": "baseline", "low": 0}}


@pytest.mark.parametrize(
    ("columns", "cells", "rule", "ids"),
    [
        ({"sex": "x"}, {"x": ["male", "7731", "7731"]}, "not a code or level of sex", ("P2", "P3")),
        ({}, {"dfs_event": ["1", "7731", "0"]}, "not a code of yes or no", ("P2",)),
        ({"age": "x"}, {"x": ["60", "7731", "61"]}, "outside the plausible range 18 to 100 years", ("P2",)),
        ({"frailty": "x"}, {"x": ["60", "-7731", "61"]}, "outside the plausible range 0 to inf", ("P2",)),
        ({"age": "x"}, {"x": ["60", "7731 years", "7,731"]}, "not a finite number", ("P2", "P3")),
        ({"age": "x"}, {"x": ["inf", "-inf", "7731e999"]}, "not a finite number", ("P1", "P2", "P3")),
        ({"baseline_lesions": "x"}, {"x": ["2", "7.731", "3"]}, "not a whole number", ("P2",)),
        ({}, {"dfs_months": ["2", "0", "3"]}, "a time of 0 months", ("P2",)),
        ({}, {"dfs_months": ["2", "-7731", "3"]}, "outside the plausible range 0 to 600 months", ("P2",)),
        ({}, {"os_event": ["", None, "0"]}, "missing, but required", ("P1", "P2")),
        ({}, {"patient_id": ["P1", "P2", "P1"]}, "not unique: one row a patient", ("P1", "P1")),
        ({}, {"patient_id": ["P1", "", None]}, "missing, but required", ("(no id)", "(no id)")),
        (
            {"pt_stage": "x", "primary_resected": "y"},
            {"x": ["t4", "t4", ""], "y": ["yes", "no", "no"]},
            "known although",
            ("P2",),
        ),
        ({}, {"dfs_months": ["2", "20.2", "20.05"]}, "longer than overall survival", ("P2",)),
        (
            {},
            {"dfs_months": ["2", "20", "2"], "dfs_event": ["1", "0", "0"], "os_event": ["0", "1", "1"]},
            "the patient died at the end",
            ("P2",),
        ),
        ({"relapse": "x"}, {"x": ["yes", "yes", "no"], "dfs_event": ["1", "0", "0"]}, "relapse without", ("P2",)),
        ({"vanished_lesions": "x", "baseline_lesions": "y"}, {"x": [0, 3, 2], "y": [2, 2, 2]}, "more vanished lesions", ("P2",)),
    ],
    ids=[
        *("code", "event code", "range", "one-sided range", "text in a number", "infinity", "fraction of a lesion", "time 0"),
        *("negative time", "event missing", "id twice", "id missing", "only_if", "DFS > OS", "death without event"),
        *("relapse without event", "vanished > baseline"),
    ],
)
def test_a_broken_rule_names_column_rule_count_and_ids_but_no_value(
    columns: dict[str, str], cells: dict[str, list[object]], rule: str, ids: tuple[str, ...]
) -> None:
    rules = contract(columns=columns, extra_variables=_FRAIL if "frailty" in columns else {})
    error = broken(rules, table(**cells))

    assert len(error.violations) == 1, f"one rule is broken: {error}"
    violation = error.violations[0]
    assert rule in violation.rule
    assert violation.column in {*REQUIRED_COLUMNS, "x", "y"}, "the file's own column is named"
    assert (violation.count, violation.ids) == (len(ids), ids)
    assert "7731" not in str(error), "no value of a patient is shown"
    assert f"({len(ids)} patient" in str(error)


def test_all_broken_rules_come_in_one_error() -> None:
    rules = contract(columns={"age": "years", "sex": "gender", "baseline_lesions": "lesions"})
    error = broken(
        rules,
        table(
            years=["7", "x", "60"],
            gender=["male", "male", "m"],
            lesions=[1.5, 200, 2],
            dfs_months=[0, 30, 2],
            patient_id=[1, 1, 2],
        ),
    )
    found = {(v.column, v.rule.split(" ")[0]) for v in error.violations}

    assert found == {
        ("years", "outside"),
        ("years", "not"),
        ("gender", "not"),
        ("lesions", "outside"),
        ("lesions", "not"),
        ("dfs_months", "a"),
        ("dfs_months", "disease-free"),
        ("patient_id", "not"),
    }
    assert str(error).startswith("small.csv breaks 8 rules of its contract:\n")
    assert str(error).count("\n  - ") == 8


def test_five_ids_are_shown_and_that_there_are_more() -> None:
    error = broken(contract(columns={"age": "age"}), table(n=8, age=[5] * 7 + [50]))

    assert "(7 patients: P1, P2, P3, P4, P5, …)" in str(error)


def test_missing_columns_are_all_named_with_what_they_hold() -> None:
    error = broken(contract(columns={"age": "years"}), table().drop(columns=["os_event"]))

    assert {v.column for v in error.violations} == {"years", "os_event"}
    assert "years: column is missing (it holds age)" in str(error)


def test_a_table_without_rows_holds_no_patients() -> None:
    assert "holds no patients" in str(broken(contract(), table().iloc[:0]))


@pytest.mark.parametrize("index", [["x", "y", "z"], [7, 7, 7]], ids=["text", "repeated"])
def test_a_tables_index_does_not_matter(index: list[object]) -> None:
    cells = table(age=[60, 5, 60]).set_axis(index)

    assert broken(contract(columns={"age": "age"}), cells).violations[0].ids == ("P2",)


def test_a_violation_is_a_cohort_error() -> None:
    assert issubclass(ContractViolation, CohortError)
