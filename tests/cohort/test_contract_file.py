"""The contract's own YAML: what it may say, and that all its faults come in one error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cohort.contract import CONTRACTS, load_contract
from cohort.dictionary import REQUIRED
from cohort.errors import CohortError

GOOD: dict[str, Any] = {
    "name": "small",
    "title": "Small",
    "evidence": "simulated",
    "columns": {name: name for name in REQUIRED},
}
EXTRA = {"label": "Grade", "kind": "continuous", "known_at": "baseline"}


def write(folder: Path, content: Any) -> str:
    path = folder / "contract.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def refused(folder: Path, content: Any) -> str:
    with pytest.raises(CohortError) as error:
        load_contract(write(folder, content))
    return str(error.value)


def with_columns(**columns: Any) -> dict[str, Any]:
    return {**GOOD, "columns": {**GOOD["columns"], **columns}}


def with_extra(name: str = "grade", **fields: Any) -> dict[str, Any]:
    return {**with_columns(**{name: "g"}), "extra_variables": {name: {**EXTRA, **fields}}}


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_contract_holds_and_has_the_name_of_its_file(path: Path) -> None:
    rules, folder = load_contract(path.stem)

    assert rules.name == path.stem
    assert folder == CONTRACTS
    assert rules.data is None or (folder / rules.data).is_file()


def test_the_short_form_of_a_column_is_its_name() -> None:
    assert load_contract("tcia_crlm")[0].columns["patient_id"].column == "Patient-ID"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({**GOOD, "colour": "red"}, ("colour", "not permitted")),
        (with_columns(age={"column": "age", "unti": "years"}), ("columns.age.unti", "not permitted")),
        (with_extra(knwon_at="baseline"), ("extra_variables.grade.knwon_at", "not permitted")),
        ({**GOOD, "evidence": "solid"}, ("evidence", "real", "reconstructed", "simulated")),
        ({**GOOD, "name": "Small Cohort"}, ("name",)),
        ({**GOOD, "separator": "::"}, ("separator",)),
        ({**GOOD, "columns": {"patient_id": "id"}}, ("lack the required dfs_months, dfs_event, os_months, os_event",)),
        (with_columns(shoe_size="shoe"), ("columns.shoe_size", "not in the data dictionary")),
        (with_columns(sex={"column": "s", "codes": {1: "man"}}), ("columns.sex.codes", "man is no level", "female, male")),
        (with_columns(os_event={"column": "o", "codes": {1: "dead"}}), ("columns.os_event.codes", "yes or no", "dead")),
        (with_columns(age={"column": "a", "codes": {1: "x"}}), ("columns.age.codes", "only categorical")),
        (with_columns(age={"column": "a", "unit": "mm"}), ("columns.age.unit", "from mm to years")),
        (with_columns(sex={"column": "s", "unit": "mm"}), ("columns.sex.unit", "from mm to a number")),
        (with_columns(age=""), ("columns.age.column",)),
        (with_extra("age"), ("redefine variables of the dictionary: age",)),
        ({**GOOD, "extra_variables": {"grade": EXTRA}}, ("extra_variables without a column: grade",)),
        (with_extra(kind="categorical", levels=["one"]), ("extra_variables.grade", "two or more levels")),
        (with_extra(low=3, high=1), ("extra_variables.grade", "empty")),
        (with_extra(skewed=True), ("extra_variables.grade", "low of 0 or more")),
        (with_extra(kind="event"), ("extra_variables.grade.kind",)),
        (with_extra(known_at="yesterday"), ("extra_variables.grade.known_at",)),
        (with_extra("grade=high"), ("extra_variables are named in lower case", "grade=high")),
        ("", ("(contract)",)),
        ("just words", ("(contract)",)),
        ("- a\n- b\n", ("(contract)",)),
    ],
    ids=[
        *(
            "unknown key",
            "unknown column key",
            "unknown extra key",
            "evidence",
            "name",
            "separator",
            "required",
            "unknown variable",
        ),
        *(
            "level",
            "event code",
            "codes of a number",
            "unit",
            "unit of a category",
            "empty column",
            "redefined",
            "unmapped extra",
        ),
        *("one level", "empty range", "log scale", "extra event", "extra time", "sign in a name", "empty", "text", "list"),
    ],
)
def test_a_contract_that_does_not_hold_is_refused_with_place_and_rule(
    tmp_path: Path, content: Any, says: tuple[str, ...]
) -> None:
    message = refused(tmp_path, content)

    assert "contract.yaml is not a valid contract" in message
    for words in says:
        assert words in message


def test_a_message_lists_every_problem(tmp_path: Path) -> None:
    unknown = refused(tmp_path, {**with_columns(age={"colunm": "a"}), "colour": "red", "evidence": "solid"})
    disagreeing = refused(
        tmp_path,
        {
            **with_columns(shoe="s", sex={"column": "s", "codes": {1: "man"}}, one="o", two="t"),
            "extra_variables": {"one": {**EXTRA, "low": 3, "high": 1}, "two": {**EXTRA, "kind": "categorical"}},
        },
    )

    assert [place for place in ("colour", "evidence", "columns.age.colunm", "columns.age.column") if place not in unknown] == []
    assert [place for place in ("columns.shoe", "man is no level", "one:", "two:") if place not in disagreeing] == []


@pytest.mark.parametrize(
    "text",
    [
        "name: !!python/object/apply:os.system ['touch {}']",
        "name: !!python/name:os.system",
        "name: [",
        "date: 2024-13-45",
        "[" * 5000,
    ],
    ids=["python call", "python name", "broken", "impossible date", "very deep"],
)
def test_hostile_or_broken_yaml_is_refused_and_runs_nothing(tmp_path: Path, text: str) -> None:
    planted = tmp_path / "planted"

    assert "not readable YAML" in refused(tmp_path, text.format(planted) if "{}" in text else text)
    assert not planted.exists()


def test_a_contract_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_bytes("title: Zürich".encode("latin-1"))

    with pytest.raises(CohortError, match="not readable YAML"):
        load_contract(str(path))


@pytest.mark.parametrize("name", ["atlantis", "", "reconstructed.csv"])
def test_an_unknown_name_is_refused_with_the_shipped_ones(name: str) -> None:
    with pytest.raises(CohortError, match=r"give one of .*reconstructed.*tcia_crlm, or the path of a \.yaml file"):
        load_contract(name)


def test_a_missing_contract_is_named_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"no contract at .*nowhere\.yaml"):
        load_contract(str(tmp_path / "nowhere.yaml"))


def test_a_folder_is_no_contract(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()

    with pytest.raises(CohortError, match=r"folder\.yaml cannot be opened"):
        load_contract(str(tmp_path / "folder.yaml"))
