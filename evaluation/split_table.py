"""Splits as a table, to be shown, kept, and replayed: ``splits.csv``.

One row a patient, population and repeat: ``population``, ``repeat``, ``fold`` (both from 0) and ``patient_id``; the fold is the
one in which the patient is tested, all other folds of the repeat are trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohort.errors import CohortError
from cohort.types import IntArray
from evaluation.resampling import Split

SPLIT_COLUMNS = ["population", "repeat", "fold", "patient_id"]
_IDS_SHOWN = 5


def split_table(splits: Mapping[str, Sequence[Split]], patient_ids: Mapping[str, npt.NDArray[np.str_]]) -> pd.DataFrame:
    """The table of every population's ``splits``; ``patient_ids`` (n,) are in the order of their rows."""
    parts = [
        pd.DataFrame(
            {"population": population, "repeat": s.repeat, "fold": s.fold, "patient_id": patient_ids[population][s.test]}
        )
        for population, of_population in splits.items()
        for s in of_population
    ]
    return pd.concat(parts, ignore_index=True)[SPLIT_COLUMNS] if parts else pd.DataFrame(columns=SPLIT_COLUMNS)


def read_split_table(path: Path) -> pd.DataFrame:
    """A table written by :func:`split_table`; raises ``CohortError`` for a file that is none."""
    try:
        table = pd.read_csv(path, dtype={"population": str, "patient_id": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise CohortError(f"splits {path.name}: the file cannot be read as csv ({type(error).__name__})") from None
    absent = [column for column in SPLIT_COLUMNS if column not in table]
    if absent:
        raise CohortError(f"splits {path.name}: no column {', '.join(absent)}; needed are {', '.join(SPLIT_COLUMNS)}")
    numbers = table[["repeat", "fold"]].apply(pd.to_numeric, errors="coerce")
    wrong = int((numbers.isna() | (numbers < 0) | (numbers % 1 != 0)).any(axis=1).sum())
    if wrong:
        raise CohortError(f"splits {path.name}: repeat and fold are whole numbers from 0; in {wrong} rows they are not")
    return table.assign(**numbers.astype("int64"))[SPLIT_COLUMNS]


def shape(table: pd.DataFrame) -> tuple[int, int]:
    """Folds of each repeat, and repeats; raises ``CohortError`` where they differ between repeats or populations."""
    folds = table.groupby(["population", "repeat"])["fold"].nunique()
    repeats = table.groupby("population")["repeat"].nunique()
    if table.empty or len(set(folds)) > 1 or len(set(repeats)) > 1:
        raise CohortError("splits: every repeat has as many folds as every other, and every population as many repeats")
    if folds.iloc[0] < 2:
        raise CohortError("splits: a repeat has two folds or more; with one, nobody is trained on")
    return int(folds.iloc[0]), int(repeats.iloc[0])


def replay(table: pd.DataFrame, population: str, patient_ids: npt.NDArray[np.str_]) -> tuple[Split, ...]:
    """The splits of a population whose patients are ``patient_ids`` (n,), in the order of their rows.

    Raises ``CohortError`` if the table is about other patients, or does not test each of them once in every repeat.
    """
    rows = table[table["population"] == population]
    if rows.empty:
        raise CohortError(f"splits: none for the population {population}; there are {', '.join(table['population'].unique())}")
    place = pd.Series(np.arange(len(patient_ids)), index=pd.Index(patient_ids, dtype=object))
    _require_same_patients(population, set(rows["patient_id"]), set(patient_ids))
    splits: list[Split] = []
    everybody: IntArray = np.arange(len(patient_ids))
    for repeat, of_repeat in rows.groupby("repeat", sort=True):
        times = of_repeat["patient_id"].value_counts().reindex(patient_ids, fill_value=0)
        wrong = list(times.index[times != 1])
        if wrong:
            raise CohortError(
                f"splits, population {population}, repeat {repeat}: every patient is tested once; {_ids(wrong)} not so"
            )
        for fold, of_fold in of_repeat.groupby("fold", sort=True):
            test = np.sort(place.loc[of_fold["patient_id"]].to_numpy(dtype=np.intp))
            splits.append(Split(int(str(repeat)), int(str(fold)), np.setdiff1d(everybody, test), test))
    return tuple(splits)


def _require_same_patients(population: str, told: set[str], held: set[str]) -> None:
    unknown, absent = sorted(told - held), sorted(held - told)
    found = [f"{_ids(unknown)} not in the cohort"] if unknown else []
    found += [f"{_ids(absent)} of the cohort in no split"] if absent else []
    if found:
        raise CohortError(f"splits are of other patients (population {population}): {'; '.join(found)}")


def _ids(patients: Sequence[str]) -> str:
    more = ", …" if len(patients) > _IDS_SHOWN else ""
    return f"{len(patients)} ({', '.join(patients[:_IDS_SHOWN])}{more})"
