"""csv, parquet or xlsx under a contract -> a checked Cohort."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cohort.contract import Contract, load_contract
from cohort.errors import CohortError
from cohort.types import Cohort

DEFAULT_COHORT = "reconstructed"

#: A cohort of this kind is megabytes; a larger file is a mistake or an attack.
MAX_FILE_BYTES = 2 * 1024**3


def load_cohort(contract: str = DEFAULT_COHORT, data: str | Path | None = None) -> Cohort:
    """Load a cohort under a shipped contract's name or a contract file's path.

    ``data`` is the cohort's file; it may be left out where the contract ships its own.
    Raises ``ContractViolation`` with all broken rules, or ``CohortError`` for a file that cannot be read.
    """
    rules, folder = load_contract(contract)
    if data is None:
        if rules.data is None:
            raise CohortError(f"the contract {rules.name} ships no data: name its file with --data FILE")
        path = folder / rules.data
    else:
        path = Path(data)
    table = read_table(path, rules)
    return Cohort(
        name=rules.name,
        title=rules.title,
        evidence=rules.evidence,
        frame=rules.apply(table, source=path.name),
        citation=rules.citation,
        variables=rules.variables(),
    )


def read_table(path: Path, rules: Contract) -> pd.DataFrame:
    """A file's cells, undecoded: text from csv, the file's own types from parquet and xlsx."""
    if not path.is_file():
        raise CohortError(f"no file {path}: name the cohort's csv, parquet or xlsx file")
    size = path.stat().st_size
    if size == 0:
        raise CohortError(f"{path.name} is empty")
    if size > MAX_FILE_BYTES:
        raise CohortError(f"{path.name} has {size / 1024**3:.1f} GiB; a cohort file has at most {MAX_FILE_BYTES // 1024**3} GiB")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet", ".xlsx"):
        raise CohortError(f"{path.name} is no csv, parquet or xlsx file")
    try:
        if suffix == ".csv":
            # Text only: nothing is guessed, so "007" stays an id and "NA" is missing only where the contract says so.
            cells = pd.read_csv(path, sep=rules.separator, encoding=rules.encoding, dtype=str, keep_default_na=False, header=None)
            table = _first_row_as_names(cells)
        elif suffix == ".parquet":
            table = pd.read_parquet(path)
            if any(name is not None for name in table.index.names):
                table = table.reset_index()  # pandas stores a named index as one more column of the file
        else:
            cells = pd.read_excel(
                path, sheet_name=rules.sheet, dtype=object, keep_default_na=False, engine="openpyxl", header=None
            )
            table = _first_row_as_names(cells)
    except Exception as error:  # noqa: BLE001 - three readers' whole variety of errors means one thing here
        # A reader's own text may quote cells: name its kind, not its message.
        raise CohortError(
            f"{path.name} cannot be read as {suffix[1:]} ({type(error).__name__}); check the contract's separator,"
            f" encoding and sheet, or save the file again"
        ) from None
    # Only the contract's columns are named: without a header, the first row is a patient's.
    repeated = sorted({c.column for c in rules.columns.values()} & set(table.columns[table.columns.duplicated()]))
    if repeated:
        raise CohortError(f"{path.name} repeats the columns {', '.join(repeated)}")
    return table


def _first_row_as_names(cells: pd.DataFrame) -> pd.DataFrame:
    """pandas' own header renames repeated columns, and shifts all of them where rows are longer than the header."""
    if cells.empty:
        raise pd.errors.EmptyDataError
    table = cells.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index([str(name) for name in cells.iloc[0]], dtype=object)
    return table
