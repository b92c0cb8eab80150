from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort.errors import CohortError
from cohort.types import Outcome
from evaluation.resampling import Split, repeated_stratified_splits
from evaluation.split_table import SPLIT_COLUMNS, read_split_table, replay, shape, split_table

IDS = np.array([f"{i:03d}" for i in range(30)])  # leading zeros must survive the file
OUTCOME = Outcome(np.linspace(1, 40, 30), np.arange(30) % 3 > 0)
SPLITS = repeated_stratified_splits(OUTCOME, (6.0, 12.0), 3, 2, 1)


@pytest.fixture
def table() -> pd.DataFrame:
    return split_table({"overall": SPLITS}, {"overall": IDS})


def same(ours: tuple[Split, ...], theirs: tuple[Split, ...]) -> bool:
    return len(ours) == len(theirs) and all(
        (a.repeat, a.fold) == (b.repeat, b.fold) and np.array_equal(a.train, b.train) and np.array_equal(a.test, b.test)
        for a, b in zip(ours, theirs, strict=True)
    )


def test_what_was_written_is_replayed_exactly(table: pd.DataFrame, tmp_path: Path):
    table.to_csv(tmp_path / "splits.csv", index=False)
    read = read_split_table(tmp_path / "splits.csv")
    assert list(read.columns) == SPLIT_COLUMNS
    assert same(replay(read, "overall", IDS), SPLITS)
    assert shape(read) == (3, 2)


def test_patients_are_found_by_their_id_whatever_their_order(table: pd.DataFrame):
    order = np.random.default_rng(0).permutation(30)
    shuffled = replay(table.sample(frac=1, random_state=1), "overall", IDS[order])
    for ours, theirs in zip(shuffled, SPLITS, strict=True):
        assert set(IDS[order][ours.test]) == set(IDS[theirs.test])
        assert set(IDS[order][ours.train]) == set(IDS[theirs.train])


def test_other_patients_are_refused_with_words(table: pd.DataFrame):
    renamed = np.where(np.isin(IDS, ["003", "007"]), "x" + IDS.astype(object), IDS)
    with pytest.raises(CohortError) as error:
        replay(table, "overall", renamed.astype(str))
    assert str(error.value) == (
        "splits are of other patients (population overall): 2 (003, 007) not in the cohort;"
        " 2 (x003, x007) of the cohort in no split"
    )


def test_at_most_five_ids_are_named(table: pd.DataFrame):
    with pytest.raises(CohortError, match=r"10 \(020, 021, 022, 023, 024, …\) not in the cohort"):
        replay(table, "overall", IDS[:20])


def test_a_patient_tested_twice_in_a_repeat_is_refused(table: pd.DataFrame):
    twice = pd.concat([table, table.iloc[:1].assign(fold=2)])
    with pytest.raises(CohortError, match=r"repeat 0: every patient is tested once; 1 \("):
        replay(twice, "overall", IDS)


def test_a_patient_absent_from_one_repeat_is_refused(table: pd.DataFrame):
    lacking = table[~((table["repeat"] == 1) & (table["patient_id"] == "004"))]
    with pytest.raises(CohortError, match=r"repeat 1: every patient is tested once; 1 \(004\)"):
        replay(lacking, "overall", IDS)


def test_a_population_without_splits_is_refused(table: pd.DataFrame):
    with pytest.raises(CohortError, match=r"none for the population primary_resected; there are overall"):
        replay(table, "primary_resected", IDS)


def test_repeats_of_unequal_folds_are_refused(table: pd.DataFrame):
    with pytest.raises(CohortError, match="as many folds"):
        shape(table.assign(fold=table["fold"].where(table["repeat"] == 0, table["fold"].clip(upper=1))))
    with pytest.raises(CohortError, match="with one, nobody is trained on"):
        shape(table.assign(fold=0))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read as csv"),
        ("population,repeat\noverall,0\n", "no column fold, patient_id"),
        ("population,repeat,fold,patient_id\noverall,0,x,a\n", "whole numbers from 0; in 1 rows they are not"),
        ("population,repeat,fold,patient_id\noverall,-1,0,a\noverall,0.5,0,a\n", "in 2 rows they are not"),
    ],
)
def test_a_file_that_is_no_table_of_splits_is_refused(content: str, says: str, tmp_path: Path):
    (tmp_path / "splits.csv").write_text(content)
    with pytest.raises(CohortError, match=says):
        read_split_table(tmp_path / "splits.csv")


def test_no_file_is_refused(tmp_path: Path):
    with pytest.raises(CohortError, match=r"splits none.csv: the file cannot be read"):
        read_split_table(tmp_path / "none.csv")
