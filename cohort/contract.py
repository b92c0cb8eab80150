"""A cohort's contract: which column of its file holds which variable of the dictionary, in which codes and units.

The contract is YAML, checked by pydantic; unknown keys are refused. The file's values are read as text, decoded column
by column, and the result is checked against the dictionary with pandera. All broken rules come back in one error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cohort.dictionary import DICTIONARY, REQUIRED, KnownAt, Variable
from cohort.errors import CohortError, ContractViolation, Violation

CONTRACTS = Path(__file__).parent / "contracts"

#: Factor from a file's unit to the dictionary's.
UNIT_FACTORS: dict[tuple[str, str], float] = {
    ("cm", "mm"): 10.0,
    ("days", "months"): 12 / 365.25,
    ("weeks", "months"): 7 * 12 / 365.25,
    ("years", "months"): 12.0,
    ("ug/l", "ng/ml"): 1.0,
}

_TRUE, _FALSE = frozenset({"1", "yes", "true"}), frozenset({"0", "no", "false"})
_EVENT_WORDS = _TRUE | _FALSE
_WHOLE = re.compile(r"(?<=\d)\.0+$")
_NAME = re.compile(r"[a-z][a-z0-9_]*")

#: Rounding in a file's months may put a relapse a little after death; more than this is a contradiction.
MONTHS_TOLERANCE = 0.1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnContract(_Strict):
    """One variable: the file's column, its codes (file value -> level) and its unit where it is not the dictionary's."""

    column: str = Field(min_length=1)
    codes: dict[str, str] = Field(default_factory=dict)
    unit: str | None = None
    note: str = ""

    @field_validator("codes", mode="before")
    @classmethod
    def _codes_are_text(cls, value: Any) -> Any:
        return {_as_text(k): _as_text(v) for k, v in value.items()} if isinstance(value, Mapping) else value


class ExtraVariable(_Strict):
    """A predictor beyond the dictionary. Its ``known_at`` is the hospital's statement, and the leak audit's first suspect."""

    label: str
    kind: Literal["continuous", "count", "categorical"]
    known_at: Literal["baseline", "pre_surgery", "post_surgery", "outcome"]
    unit: str = ""
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    skewed: bool = False

    def variable(self, name: str) -> Variable:
        known_at = KnownAt.parse(self.known_at)
        return Variable(name, self.label, self.kind, known_at, self.unit, self.levels, self.low, self.high, skewed=self.skewed)


class Contract(_Strict):
    """The whole contract of one cohort."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    title: str
    evidence: Literal["real", "reconstructed", "simulated"]
    citation: str = ""
    data: str | None = None  # a file that ships with the contract, beside it
    missing: tuple[str, ...] = ("", "NA")
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    sheet: str | int = 0
    columns: dict[str, ColumnContract]
    extra_variables: dict[str, ExtraVariable] = Field(default_factory=dict)

    @field_validator("missing", mode="before")
    @classmethod
    def _missing_is_text(cls, value: Any) -> Any:
        return tuple(_as_text(v) for v in value) if isinstance(value, list | tuple) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """``age: age_at_operation`` is short for ``age: {column: age_at_operation}``."""
        if isinstance(value, Mapping):
            return {k: {"column": v} if isinstance(v, str) else v for k, v in value.items()}
        return value

    @model_validator(mode="after")
    def _agrees_with_dictionary(self) -> Contract:
        problems: list[str] = []
        overlap = sorted(set(self.extra_variables) & set(DICTIONARY))
        if overlap:
            problems.append(f"extra_variables redefine variables of the dictionary: {', '.join(overlap)}")
        unfit = sorted(name for name in self.extra_variables if not _NAME.fullmatch(name))
        if unfit:
            problems.append(f"extra_variables are named in lower case, digits and _; got {', '.join(unfit)}")
        variables = dict(DICTIONARY)
        for name, extra in self.extra_variables.items():
            try:
                variables[name] = extra.variable(name)
            except ValueError as error:
                problems.append(f"extra_variables.{error}")
        absent = [name for name in REQUIRED if name not in self.columns]
        if absent:
            problems.append(f"columns lack the required {', '.join(absent)}")
        for name, column in self.columns.items():
            variable = variables.get(name)
            if variable is None and name in self.extra_variables:
                continue  # already reported
            if variable is None:
                problems.append(f"columns.{name}: not in the data dictionary nor in extra_variables")
                continue
            if variable.kind == "categorical":
                wrong = sorted(set(column.codes.values()) - set(variable.levels))
                if wrong:
                    problems.append(f"columns.{name}.codes: {', '.join(wrong)} is no level; levels: {', '.join(variable.levels)}")
            elif variable.kind == "event":
                wrong = sorted(v for v in column.codes.values() if v.lower() not in _EVENT_WORDS)
                if wrong:
                    problems.append(f"columns.{name}.codes: an event is yes or no; got {', '.join(wrong)}")
            elif column.codes:
                problems.append(f"columns.{name}.codes: only categorical variables and events have codes")
            if column.unit and column.unit != variable.unit and (column.unit, variable.unit) not in UNIT_FACTORS:
                problems.append(f"columns.{name}.unit: no conversion from {column.unit} to {variable.unit or 'a number'}")
        unmapped = sorted(set(self.extra_variables) - set(self.columns))
        if unmapped:
            problems.append(f"extra_variables without a column: {', '.join(unmapped)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def variables(self) -> dict[str, Variable]:
        """The dictionary, and this cohort's own variables."""
        return {**DICTIONARY, **{name: extra.variable(name) for name, extra in self.extra_variables.items()}}

    def apply(self, table: pd.DataFrame, source: str) -> pd.DataFrame:
        """Decode a file's ``table`` and check it; returns the dictionary's columns, or raises ``ContractViolation``."""
        columns = {name: c.column for name, c in self.columns.items()}
        absent = [
            Violation(column, f"column is missing (it holds {name})", 0, cure="Add it, or correct the contract's columns.")
            for name, column in columns.items()
            if column not in table.columns
        ]
        if absent:
            raise ContractViolation(source, absent)
        if table.empty:
            raise ContractViolation(source, [Violation("(file)", "holds no patients", 0)])

        table = table.reset_index(drop=True)
        text = {name: _as_text_series(table[column]) for name, column in columns.items()}
        ids = text["patient_id"].mask(text["patient_id"].isin(self.missing)).fillna("(no id)")
        variables = self.variables()
        decoded: dict[str, pd.Series] = {}
        violations: list[Violation] = []
        for name, column in self.columns.items():
            absent_cells = text[name].isin(self.missing)
            if variables[name].kind != "identifier":
                absent_cells |= text[name].map(_without_decimals, na_action="ignore").isin(self.missing)
            raw = text[name].mask(absent_cells)
            series, broken = _decode(raw, variables[name], column, ids)
            decoded[name] = series
            violations += broken
            if name in REQUIRED:
                violations += _violation(raw.isna(), ids, column.column, "missing, but required")
        frame = pd.DataFrame(decoded)
        violations += _check_with_pandera(frame, variables, columns, ids)
        violations += _check_across_columns(frame, variables, columns, ids)
        if violations:
            raise ContractViolation(source, violations)
        return frame.astype({name: "bool" for name in frame.columns if variables[name].kind == "event"})


def load_contract(name_or_path: str) -> tuple[Contract, Path]:
    """Read a shipped contract by name, or any contract by the path of its YAML file; returns it and its folder.

    Raises ``CohortError`` with the pydantic messages of a contract that does not hold.
    """
    shipped = {p.stem: p for p in CONTRACTS.glob("*.yaml")}
    path = shipped.get(name_or_path) or Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        known = ", ".join(sorted(shipped))
        raise CohortError(f"no contract {name_or_path!r}: give one of {known}, or the path of a .yaml file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CohortError(f"no contract at {path}") from None
    except OSError as error:
        raise CohortError(f"{path} cannot be opened ({type(error).__name__})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # yaml raises ValueError for an impossible date
        raise CohortError(f"{path} is not readable YAML: {error}") from error
    try:
        return Contract.model_validate(content), path.parent
    except ValidationError as error:
        details = "\n".join(
            f"  - {'.'.join(map(str, e['loc'])) or '(contract)'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise CohortError(f"{path} is not a valid contract:\n{details}") from None


def _as_text(value: Any) -> str:
    """YAML and spreadsheets give 1, 1.0, True or '1' for one code: all become '1' (True becomes 'yes')."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating) and math.isfinite(value) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _without_decimals(text: str) -> str:
    """``1.0`` in a csv is the code 1: a table with gaps is often written so."""
    return _WHOLE.sub("", text)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float | np.floating) and math.isnan(value))


def _as_text_series(series: pd.Series) -> pd.Series:
    return pd.Series([None if _is_missing(v) else _as_text(v) for v in series], index=series.index, dtype=object)


def _violation(mask: pd.Series, ids: pd.Series, column: str, rule: str, cure: str = "") -> list[Violation]:
    hit = mask.fillna(False).to_numpy(dtype=bool)
    if not hit.any():
        return []
    return [Violation(column, rule, int(hit.sum()), tuple(ids[hit].astype(str).head(5)), cure)]


def _decode(raw: pd.Series, variable: Variable, column: ColumnContract, ids: pd.Series) -> tuple[pd.Series, list[Violation]]:
    """Text to the variable's own type; what cannot be read becomes missing and a violation."""
    if variable.kind == "identifier":
        return raw.astype("str"), []
    if variable.is_numeric:
        numbers = pd.to_numeric(raw, errors="coerce").astype("float64")
        unreadable = raw.notna() & ~np.isfinite(numbers)
        factor = UNIT_FACTORS.get((column.unit, variable.unit), 1.0) if column.unit else 1.0
        if factor != 1.0:
            numbers = (numbers * factor).round(6)
        return numbers.mask(unreadable), _violation(unreadable, ids, column.column, "not a finite number")
    codes = column.codes

    def meaning(cell: str) -> str:
        if cell in codes or cell in variable.levels:
            return codes.get(cell, cell)
        plain = {"true": "yes", "false": "no"}.get(cell.lower(), _without_decimals(cell))
        return codes.get(plain, plain)

    if variable.kind == "event":
        words = raw.map(lambda v: meaning(v).lower(), na_action="ignore")
        event = words.map({**dict.fromkeys(_TRUE, 1.0), **dict.fromkeys(_FALSE, 0.0)}).astype("float64")
        unknown = raw.notna() & event.isna()
        cure = "Give its codes in the contract: codes: {code: yes, code: no}."
        return event, _violation(unknown, ids, column.column, "not a code of yes or no", cure)
    levels = raw.map(meaning, na_action="ignore")
    unknown = raw.notna() & ~levels.isin(variable.levels)
    rule = f"not a code or level of {variable.name} ({', '.join(variable.levels)})"
    values = pd.Series(pd.Categorical(levels.mask(unknown), categories=list(variable.levels)), index=raw.index)
    return values, _violation(unknown, ids, column.column, rule, "Correct the value or give its code in the contract.")


def _check_with_pandera(
    frame: pd.DataFrame, variables: Mapping[str, Variable], columns: Mapping[str, str], ids: pd.Series
) -> list[Violation]:
    """Ranges, whole numbers and uniqueness, one pandera column a variable."""
    import pandera.pandas as pa

    schema: dict[str, pa.Column] = {}
    for name in frame.columns:
        variable, checks = variables[name], []
        if variable.is_numeric and (variable.low is not None or variable.high is not None):
            low = -math.inf if variable.low is None else variable.low
            high = math.inf if variable.high is None else variable.high
            unit = f" {variable.unit}" if variable.unit else ""
            rule = f"outside the plausible range {low:g} to {high:g}{unit}"
            checks.append(pa.Check.in_range(low, high, error=rule))
        if variable.kind == "count":
            checks.append(pa.Check(lambda s: s == s.round(), error="not a whole number"))
        if name == "patient_id":
            once = pa.Check(lambda s: ~s.duplicated(keep=False), error="not unique: one row a patient")
            checks.append(once)
        if variable.kind == "time":
            checks.append(pa.Check(lambda s: s != 0, error="a time of 0 months; every follow-up time is above 0"))
        schema[name] = pa.Column(nullable=True, checks=checks)
    try:
        pa.DataFrameSchema(schema).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        violations: list[Violation] = []
        for (name, rule), group in cases.groupby(["column", "check"], sort=False):
            rows = group["index"].dropna().astype(int)
            violations.append(Violation(columns[name], rule, len(rows), tuple(ids.loc[rows].astype(str).head(5))))
        return violations
    return []


def _check_across_columns(
    frame: pd.DataFrame, variables: Mapping[str, Variable], columns: Mapping[str, str], ids: pd.Series
) -> list[Violation]:
    """Rules that two variables must keep together."""
    violations: list[Violation] = []
    for name in frame.columns:
        condition = variables[name].only_if
        if condition and condition[0] in frame:
            known_without = frame[name].notna() & (frame[condition[0]] != condition[1])
            rule = f"known although {condition[0]} is not {condition[1]}"
            violations += _violation(known_without, ids, columns[name], rule, "Leave it missing for these patients.")
    too_late = frame["dfs_months"] > frame["os_months"] + MONTHS_TOLERANCE
    violations += _violation(too_late, ids, columns["dfs_months"], "disease-free survival longer than overall survival")
    # Without an event the disease-free follow-up may end before the vital status does, but never with an unrecorded death.
    died_unrelapsed = (frame["os_event"] == 1) & (frame["dfs_event"] == 0)
    violations += _violation(
        died_unrelapsed & (frame["dfs_months"] >= frame["os_months"] - MONTHS_TOLERANCE),
        ids,
        columns["dfs_event"],
        "no event although the patient died at the end of the disease-free time (death counts as an event)",
    )
    if "relapse" in frame:
        relapsed_without_event = (frame["relapse"] == "yes") & (frame["dfs_event"] == 0)
        violations += _violation(relapsed_without_event, ids, columns["relapse"], "relapse without a disease-free survival event")
    if {"vanished_lesions", "baseline_lesions"} <= set(frame.columns):
        too_many = frame["vanished_lesions"] > frame["baseline_lesions"]
        violations += _violation(too_many, ids, columns["vanished_lesions"], "more vanished lesions than there were at baseline")
    return violations
