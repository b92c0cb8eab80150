from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort.errors import CohortError
from cohort.simulate import simulate_cohort
from evaluation.resampling import repeated_stratified_splits
from flows.cell_store import CellStore
from flows.config import BenchmarkConfig
from flows.plan import Fit
from flows.splits import SPLIT_HORIZONS_MONTHS, as_replayed, splits_for, write_splits
from flows.work import fit_key, initialise, run_fit

COHORT = simulate_cohort(90, seed=3).cohort
DRAWN = BenchmarkConfig(preset="smoke", n_folds=4, n_repeats=2, seed=5)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_splits(tmp_path / "splits.csv", COHORT, ("overall",), DRAWN)


def replaying(path: Path, **changes: object) -> BenchmarkConfig:
    settings = {"preset": "smoke", "populations": ("overall",), "splits": str(path), "seed": 99, **changes}
    return BenchmarkConfig.model_validate(settings)


def test_without_a_file_the_splits_are_those_of_the_seed():
    drawn = splits_for(COHORT, "overall", DRAWN)
    expected = repeated_stratified_splits(COHORT.outcome("dfs"), SPLIT_HORIZONS_MONTHS, 4, 2, 5)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(drawn, expected, strict=True))


def test_what_was_written_is_replayed_whatever_the_seed_and_the_folds_asked_for(written: Path):
    config = as_replayed(replaying(written), COHORT)
    assert (config.n_folds, config.n_repeats) == (4, 2)
    replayed, drawn = splits_for(COHORT, "overall", config), splits_for(COHORT, "overall", DRAWN)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(replayed, drawn, strict=True))
    other = splits_for(COHORT, "overall", DRAWN.model_copy(update={"seed": 99}))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(replayed, other, strict=True))


def test_other_patients_are_refused_before_anything_is_fitted(written: Path):
    other = replace(COHORT, frame=COHORT.frame.assign(patient_id=[f"z{i}" for i in range(90)]))
    with pytest.raises(CohortError, match="splits are of other patients"):
        as_replayed(replaying(written), other)


def test_a_population_that_the_cohort_cannot_form_is_left_to_the_plan(written: Path):
    without = replace(COHORT, frame=COHORT.frame.drop(columns="primary_resected"))
    assert as_replayed(replaying(written, populations=("overall", "primary_resected")), without).n_folds == 4


def test_patients_ids_are_their_owners_only(written: Path):
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_the_content_of_the_file_and_not_its_place_bears_on_a_run(written: Path, tmp_path: Path):
    copy = tmp_path / "elsewhere.csv"
    copy.write_bytes(written.read_bytes())
    fit, store = Fit("overall", "dfs", "baseline", "paper_cox"), CellStore(tmp_path / "fits")
    keys = {fit_key(store, fit, replaying(path), "x") for path in (written, copy)}
    assert len(keys) == 1
    assert replaying(written).science() == replaying(copy).science()
    assert str(tmp_path) not in str(replaying(written).science())
    pd.read_csv(written, dtype=str).iloc[::-1].to_csv(copy, index=False)
    assert fit_key(store, fit, replaying(copy), "x") not in keys
    assert fit_key(store, fit, DRAWN, "x") not in keys


def test_a_fit_is_tested_in_the_folds_of_the_file(written: Path, tmp_path: Path):
    initialise(COHORT)
    store, fit = CellStore(tmp_path / "fits"), Fit("overall", "dfs", "none", "null_model")
    config = as_replayed(replaying(written), COHORT)
    predictions = store.predictions(run_fit(fit, config, store, fit_key(store, fit, config, COHORT.identity)))
    of_file = pd.read_csv(written, dtype={"patient_id": str})
    merged = predictions.drop_duplicates(["patient_id", "repeat"]).merge(of_file, on=["patient_id", "repeat"])
    assert len(merged) == 180
    assert (merged["fold_x"] == merged["fold_y"]).all()
