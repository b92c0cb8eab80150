"""What is looked at before fitting is what is planned, and ids go to one file only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from cohort.simulate import simulate_cohort
from flows.before_fitting import DUPLICATES, look_before_fitting, write_before_fitting
from flows.config import BenchmarkConfig
from flows.plan import make_plan

COHORT = simulate_cohort(120, seed=6).cohort
CONFIG = BenchmarkConfig(
    preset="smoke",
    populations=("overall",),
    endpoints=("relapse_6m",),
    feature_sets=("baseline", "paper"),
    models=("paper_logistic",),
)


def test_only_what_is_planned_is_looked_at_and_each_predictor_once() -> None:
    found = look_before_fitting(CONFIG, COHORT, make_plan(CONFIG, COHORT))
    single = found.audit.single

    assert [m.population for m in found.missingness] == ["overall"]
    assert [name for name, _ in found.audit.known_at] == ["baseline", "paper"]
    assert not single.duplicated(["predictor", "horizon_months"]).any()
    assert set(single["feature_set"]) == {"baseline", "paper"}


def test_a_planted_duplicate_is_warned_of_and_its_ids_are_in_one_file_only(tmp_path: Path) -> None:
    frame = COHORT.frame.copy()
    for name in frame.columns.drop("patient_id"):
        frame.loc[8, name] = frame.loc[3, name]
    cohort = replace(COHORT, frame=frame)
    found = look_before_fitting(CONFIG, cohort, make_plan(CONFIG, cohort))
    names = write_before_fitting(found, tmp_path)

    assert len(found.audit.warnings) == 1
    assert sorted(pd.read_csv(tmp_path / DUPLICATES)["patient_id"]) == [frame.loc[3, "patient_id"], frame.loc[8, "patient_id"]]
    for name in set(names) - {DUPLICATES}:
        assert not any(patient in (tmp_path / name).read_text(encoding="utf-8") for patient in cohort.patient_ids)
