"""Any damage to a file ends in a lawful cohort or in a CohortError, and in nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohort.errors import CohortError
from cohort.load import load_cohort
from cohort.simulate import simulate_cohort

_BASE = simulate_cohort(8, seed=1).cohort
_CONTRACT = {"name": "small", "title": "Small", "evidence": "simulated", "columns": {c: c for c in _BASE.frame.columns}}
_CELLS = st.sampled_from(
    ["", "NaN", "inf", "-inf", "-1", "1e308", "9" * 400, "0", "1.5", "yes", "garbage", "ä\x00", '"', ",", "\n", "S0000001"]
)
_DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["drop", "duplicate", "cell", "cell", "column", "row"]), st.integers(0, 40), st.integers(0, 7), _CELLS
    ),
    min_size=1,
    max_size=4,
)


def damaged(steps: list[tuple[str, int, int, str]]) -> pd.DataFrame:
    frame = _BASE.frame.astype(object)
    for step, column, row, cell in steps:
        column %= frame.shape[1]
        if step == "drop" and frame.shape[1] > 1:
            frame = frame.drop(columns=frame.columns[column])
        elif step == "duplicate":
            frame = pd.concat([frame, frame.iloc[:, [column]]], axis=1)
        elif step == "cell" and len(frame):
            frame.iloc[row % len(frame), column] = cell
        elif step == "column":
            frame.isetitem(column, [cell] * len(frame))
        elif step == "row":
            frame = frame.iloc[:row]
    return frame


@settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=_DAMAGE, separator=st.sampled_from([",", ",", ";"]))
def test_a_damaged_file_gives_a_lawful_cohort_or_a_cohort_error(
    tmp_path: Path, steps: list[tuple[str, int, int, str]], separator: str
) -> None:
    rules = tmp_path / "small.yaml"
    rules.write_text(yaml.safe_dump(_CONTRACT), encoding="utf-8")
    data = tmp_path / "patients.csv"
    damaged(steps).to_csv(data, index=False, sep=separator)
    try:
        cohort = load_cohort(str(rules), data)
    except CohortError:
        return
    for name, values in cohort.frame.items():
        variable, known = cohort.variables[str(name)], values.dropna()
        if variable.is_numeric:
            assert np.isfinite(known).all()
            assert known.between(variable.low, variable.high).all()
        elif variable.kind == "categorical":
            assert set(known) <= set(variable.levels)
        elif variable.kind == "event":
            assert values.dtype == bool
    for source in ("dfs", "os"):
        assert len(cohort.outcome(source)) == len(cohort)
    assert cohort.frame["patient_id"].is_unique


def test_without_damage_the_cohort_comes_back(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(_CONTRACT), encoding="utf-8")
    damaged([]).to_csv(tmp_path / "patients.csv", index=False)

    assert load_cohort(str(tmp_path / "small.yaml"), tmp_path / "patients.csv").digest == _BASE.digest
