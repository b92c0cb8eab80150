"""What the published scores ask for, and where it stands among a cohort's predictors, in clinical units.

Number, size and CEA are those of the feature set's own time: before surgery where any of them was measured then, else at
baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

_MEASURED_TWICE = ("lesions", "max_diameter", "cea")


@dataclass(frozen=True)
class Input:
    """``columns`` : predictor -> how its values are read as numbers; the first that the cohort holds is taken. ``{time}`` stands
    for ``baseline`` or ``presurgery``.

    ``unrecorded`` : the value of everybody where the cohort holds none of the columns; None makes the score not computable.
    """

    label: str
    columns: tuple[tuple[str, Callable[[pd.Series], pd.Series]], ...]
    unrecorded: float | None = None


def _number(values: pd.Series) -> pd.Series:
    return values.astype("float64")


def _is(level: str) -> Callable[[pd.Series], pd.Series]:
    """1 for the level, 0 for another."""
    return lambda values: (values == level).astype("float64").where(values.notna())


def _more_than_one(values: pd.Series) -> pd.Series:
    return (values > 1).astype("float64").where(values.notna())


INPUTS: dict[str, Input] = {
    "lesions": Input("number of metastases", (("{time}_lesions", _number),)),
    # A contract may declare ``multiple_metastases`` (no, yes) where it has no number.
    "multiple": Input("number of metastases", (("{time}_lesions", _more_than_one), ("multiple_metastases", _is("yes")))),
    "diameter_mm": Input("largest diameter", (("{time}_max_diameter", _number),)),
    "cea": Input("CEA", (("{time}_cea", _number),)),
    "age": Input("age", (("age", _number),)),
    "node_positive": Input("node-positive primary", (("pn_stage", _is("n1_2")),)),
    "t4": Input("pT4 primary", (("pt_stage", _is("t4")),)),
    "synchronous": Input("time of metastases", (("synchronous", _is("synchronous")),)),
    "ras_mutated": Input("RAS status", (("ras_braf", _is("ras_mutated")),)),
    # Liver-limited disease is what makes the patients of the paper eligible; a contract with others declares the variable.
    "extrahepatic": Input("extrahepatic disease", (("extrahepatic_disease", _is("yes")),), unrecorded=0.0),
}


def time_of(predictors: Iterable[str]) -> str:
    """``presurgery`` or ``baseline``: the prefix of number, size and CEA among the predictors' names."""
    return "presurgery" if {f"presurgery_{name}" for name in _MEASURED_TWICE} & set(predictors) else "baseline"


def missing_inputs(wanted: Iterable[str], predictors: Iterable[str]) -> tuple[str, ...]:
    """Inputs that the predictors do not hold, in words, each with the variables looked for."""
    held, found = set(predictors), []
    time = time_of(held)
    for name in wanted:
        names = [column.format(time=time) for column, _ in INPUTS[name].columns]
        if INPUTS[name].unrecorded is None and not held & set(names):
            found.append(f"{INPUTS[name].label} ({' or '.join(names)})")
    return tuple(dict.fromkeys(found))


def unrecorded_inputs(wanted: Iterable[str], predictors: Iterable[str]) -> tuple[str, ...]:
    """Inputs whose value everybody is given because the predictors hold none of their columns, in words."""
    held = set(predictors)
    return tuple(
        INPUTS[name].label
        for name in wanted
        if INPUTS[name].unrecorded is not None and not held & {column for column, _ in INPUTS[name].columns}
    )


def read_inputs(predictors: pd.DataFrame, wanted: Iterable[str]) -> pd.DataFrame:
    """(n, inputs) numbers in clinical units (mm, ng/ml, years; 1 = yes), NaN where a patient's is not known.

    Raises ``ValueError`` where the predictors do not hold an input.
    """
    wanted = list(wanted)
    if lacking := missing_inputs(wanted, predictors.columns):
        raise ValueError(f"the predictors do not hold {', '.join(lacking)}")
    time, columns = time_of(predictors.columns), {}
    for name in wanted:
        held = [(c, read) for column, read in INPUTS[name].columns if (c := column.format(time=time)) in predictors]
        if held:
            column, read = held[0]
            columns[name] = read(predictors[column]).to_numpy(dtype=np.float64)
        else:
            columns[name] = np.full(len(predictors), INPUTS[name].unrecorded)
    return pd.DataFrame(columns, index=predictors.index)
