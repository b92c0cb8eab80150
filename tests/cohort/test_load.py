"""One cohort whatever its file; every file that cannot be read has its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from cohort import load
from cohort.errors import CohortError
from cohort.load import load_cohort
from cohort.types import Cohort

TCIA = Path(__file__).parents[2].parent / "shared/data/tcia_crlm.csv"

PATIENTS = pd.DataFrame(
    {
        "patient_id": ["007", "P2", "Ünal, M."],
        "age": [61.0, np.nan, 70.5],
        "sex": ["male", "female", None],
        "relapse": [True, False, True],
        "baseline_lesions": [1, 4, 12],
        "baseline_cea": [0.1, np.nan, 1234.56789],
        "dfs_months": [2.5, 4.0, 8.25],
        "dfs_event": [1.0, 0.0, 1.0],
        "os_months": [30.0, 4.0, 9.0],
        "os_event": [True, False, False],
    }
)


def write_contract(folder: Path, **fields: Any) -> str:
    content = {"name": "small", "title": "Small", "evidence": "simulated", "columns": {c: c for c in PATIENTS.columns}, **fields}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def write_csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "patients.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(contract: str, data: Path) -> str:
    with pytest.raises(CohortError) as error:
        load_cohort(contract, data)
    return str(error.value)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("csv")
    return load_cohort(write_contract(folder), write_csv(folder, PATIENTS.to_csv(index=False)))


def test_csv_values_arrive_as_written(original: Cohort) -> None:
    assert original.patient_ids.tolist() == ["007", "P2", "Ünal, M."]
    assert original.frame["baseline_cea"].tolist() == pytest.approx([0.1, np.nan, 1234.56789], nan_ok=True)
    assert original.frame["relapse"].tolist() == ["yes", "no", "yes"]
    assert original.outcome("dfs").event.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("p.parquet", lambda frame, path: frame.to_parquet(path)),
        ("p.parquet", lambda frame, path: frame.set_index("patient_id").to_parquet(path)),
        ("p.parquet", lambda frame, path: frame.set_axis(["x", "y", "z"]).to_parquet(path)),
        ("p.parquet", lambda frame, path: frame.astype({"sex": "category", "baseline_lesions": "Int8"}).to_parquet(path)),
        ("p.xlsx", lambda frame, path: frame.to_excel(path, index=False)),
        ("p.CSV", lambda frame, path: frame[frame.columns[::-1]].to_csv(path, index=False, encoding="utf-8-sig")),
    ],
    ids=["parquet", "parquet with ids as index", "parquet with row names", "parquet of narrow types", "xlsx", "csv with BOM"],
)
def test_the_same_patients_have_the_same_digest_whatever_the_file(tmp_path: Path, original: Cohort, name: str, save: Any) -> None:
    save(PATIENTS, tmp_path / name)

    assert load_cohort(write_contract(tmp_path), tmp_path / name).digest == original.digest


@pytest.mark.parametrize(("separator", "encoding"), [(";", "latin-1"), ("\t", "utf-16")], ids=["semicolon latin-1", "tab utf-16"])
def test_separator_and_encoding_are_the_contracts(tmp_path: Path, original: Cohort, separator: str, encoding: str) -> None:
    data = write_csv(tmp_path, PATIENTS.to_csv(index=False, sep=separator).encode(encoding))
    rules = write_contract(tmp_path, separator=separator, encoding=encoding)

    assert load_cohort(rules, data).digest == original.digest


def test_a_sheet_is_found_by_name(tmp_path: Path, original: Cohort) -> None:
    with pd.ExcelWriter(tmp_path / "p.xlsx") as book:
        pd.DataFrame({"note": ["see next sheet"]}).to_excel(book, sheet_name="notes", index=False)
        PATIENTS.to_excel(book, sheet_name="patients", index=False)

    assert load_cohort(write_contract(tmp_path, sheet="patients"), tmp_path / "p.xlsx").digest == original.digest
    assert "cannot be read as xlsx" in refused(write_contract(tmp_path, sheet="elsewhere"), tmp_path / "p.xlsx")
    assert "column is missing" in refused(write_contract(tmp_path), tmp_path / "p.xlsx")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("p.csv", b"", "p.csv is empty"),
        ("p.csv", b"\n\n", "cannot be read as csv"),
        ("p.csv", "patient_id\nMüller".encode("latin-1"), "cannot be read as csv"),
        ("p.csv", bytes(range(256)) * 9, "cannot be read as csv"),
        ("p.csv", b"\x00\x01\x02" * 99, "column is missing"),
        ("p.csv", b"patient_id;age\nMueller;60\n", "column is missing"),
        ("p.csv", b'patient_id,age\n"Mueller,60\n', "cannot be read as csv"),
        ("p.csv", PATIENTS.to_csv(index=False).splitlines()[0].encode(), "holds no patients"),
        ("p.xlsx", b"PK\x03\x04 and then nothing", "cannot be read as xlsx"),
        ("p.parquet", b"PAR1 and then nothing", "cannot be read as parquet"),
        ("p.sav", b"Mueller", "no csv, parquet or xlsx"),
        ("p", b"Mueller", "no csv, parquet or xlsx"),
    ],
    ids=[
        *(
            "empty",
            "blank lines",
            "wrong encoding",
            "binary",
            "control characters",
            "wrong separator",
            "open quote",
            "only a header",
        ),
        *("broken xlsx", "broken parquet", "another format", "no suffix"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    message = refused(write_contract(tmp_path), tmp_path / name)

    assert why in message
    assert "Mueller" not in message, "a reader's message quotes no patient"


@pytest.mark.parametrize("name", ["nowhere.csv", "."], ids=["missing", "folder"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    assert "no file" in refused(write_contract(tmp_path), tmp_path / name)


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAX_FILE_BYTES", 10)

    assert "GiB" in refused(write_contract(tmp_path), write_csv(tmp_path, PATIENTS.to_csv(index=False)))


@pytest.mark.parametrize("name", ["p.csv", "p.xlsx"])
def test_a_repeated_column_is_refused(tmp_path: Path, name: str) -> None:
    twice = pd.concat([PATIENTS, PATIENTS[["age", "sex"]]], axis=1)
    twice.to_csv(tmp_path / name, index=False) if name == "p.csv" else twice.to_excel(tmp_path / name, index=False)

    assert "repeats the columns age, sex" in refused(write_contract(tmp_path), tmp_path / name)


def test_a_repeated_column_that_the_contract_does_not_read_does_no_harm(tmp_path: Path, original: Cohort) -> None:
    data = write_csv(tmp_path, PATIENTS.assign(a=1, b=2).rename(columns={"a": "", "b": ""}).to_csv(index=False))

    assert load_cohort(write_contract(tmp_path), data).digest == original.digest


def test_rows_longer_than_the_header_are_refused_not_shifted(tmp_path: Path) -> None:
    header, *rows = PATIENTS.to_csv(index=False).splitlines()
    data = write_csv(tmp_path, "\n".join([header, *(f"{row},surplus" for row in rows)]))

    assert "cannot be read as csv" in refused(write_contract(tmp_path), data)


def test_a_contract_without_data_asks_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="small ships no data: name its file with --data FILE"):
        load_cohort(write_contract(tmp_path))


def test_data_stands_beside_its_contract(tmp_path: Path, original: Cohort) -> None:
    write_csv(tmp_path, PATIENTS.to_csv(index=False))

    assert load_cohort(write_contract(tmp_path, data="patients.csv")).digest == original.digest


def test_the_reconstructed_cohort_is_the_default() -> None:
    cohort = load_cohort()

    assert (cohort.name, cohort.evidence, len(cohort)) == ("reconstructed", "reconstructed", 268)
    assert [cohort.outcome("dfs").events_by(h) for h in (6, 12)] == [96, 161], "as the paper counts them"
    assert cohort.digest == load_cohort("reconstructed").digest


@pytest.mark.skipif(not TCIA.is_file(), reason="the TCIA table is not shipped: it belongs at ../shared/data/tcia_crlm.csv")
def test_the_tcia_table_loads_under_its_contract() -> None:
    cohort = load_cohort("tcia_crlm", TCIA)
    dfs, overall = cohort.outcome("dfs"), cohort.outcome("os")

    assert (cohort.evidence, len(cohort)) == ("real", 197)
    assert (dfs.events_by(6), dfs.events_by(12), int(dfs.event.sum()), int(overall.event.sum())) == (22, 58, 138, 107)
