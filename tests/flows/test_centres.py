from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohort.simulate import simulate_cohort
from cohort.types import Cohort
from evaluation.internal_external import INTERNAL_EXTERNAL_COLUMNS, POOLED
from flows import centres as module
from flows.cell_store import CellStore
from flows.centres import leave_centres_out
from flows.config import BenchmarkConfig
from flows.plan import make_plan
from flows.work import initialise

CENTRES = np.array(["north", "south", "west"])[np.arange(180) % 3]
FRAME = simulate_cohort(180, seed=3).cohort.frame
COHORT: Cohort = replace(simulate_cohort(180, seed=3).cohort, frame=FRAME.assign(centre=CENTRES))
CONFIG = BenchmarkConfig(
    preset="smoke",
    internal_external=True,
    models=("null_model", "paper_cox"),
    endpoints=("relapse_6m", "dfs"),
    internal_external_models=None,
)


class Here:
    """A pool of this process."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def submit(self, function: Any, *args: Any) -> Future[Any]:
        self.asked.append(function.__name__)
        future: Future[Any] = Future()
        future.set_result(function(*args))
        return future


def left_out(
    config: BenchmarkConfig, cohort: Cohort, folder: Path, pool: Here | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    initialise(cohort)
    plan = make_plan(config, cohort)
    return leave_centres_out(config, cohort, plan, list(plan.cells), CellStore(folder), pool or Here())  # type: ignore[arg-type]


def test_every_cell_has_its_centres_and_their_mean(tmp_path: Path):
    table, reasons = left_out(CONFIG, COHORT, tmp_path)
    assert reasons == ()
    assert list(table.columns) == INTERNAL_EXTERNAL_COLUMNS
    cells = table[["endpoint", "model"]].drop_duplicates()
    assert len(cells) == 4
    for _, rows in table.groupby(["endpoint", "model", "horizon_months", "metric"]):
        assert list(rows["centre"]) == ["north", "south", "west", POOLED]
    judged = table[table["centre"] != POOLED].drop_duplicates(["endpoint", "model", "horizon_months", "centre"])
    assert (judged["n"] == 60).all()
    assert table.loc[table["estimate"].isna(), "note"].str.len().min() > 0, "no estimate without a reason"


def test_a_model_learns_from_the_other_centres_only(tmp_path: Path):
    """The null model's risk in a centre is the Kaplan-Meier risk of the others: O/E is that of the two shares."""
    table, _ = left_out(CONFIG, COHORT, tmp_path)
    relapsed = (COHORT.frame["dfs_months"] <= 6).to_numpy() & COHORT.frame["dfs_event"].to_numpy(dtype=bool)
    assert (COHORT.frame["dfs_months"][~relapsed] > 6).all(), "nobody was censored before"
    rows = table[(table["endpoint"] == "relapse_6m") & (table["model"] == "null_model") & (table["metric"] == "o_e")]
    for centre, estimate in rows.set_index("centre")["estimate"].drop(POOLED).items():
        inside = centre == CENTRES
        assert estimate == pytest.approx(relapsed[inside].mean() / relapsed[~inside].mean())


def test_fits_are_kept_and_not_done_twice(tmp_path: Path):
    first, second = Here(), Here()
    one, _ = left_out(CONFIG, COHORT, tmp_path, first)
    again, _ = left_out(CONFIG, COHORT, tmp_path, second)
    assert first.asked.count("run_centre_fit") == 2, "null and Cox, on DFS, for both endpoints"
    assert "run_centre_fit" not in second.asked
    pd.testing.assert_frame_equal(one, again)


def test_only_the_models_asked_for_are_fitted(tmp_path: Path):
    table, _ = left_out(CONFIG.model_copy(update={"internal_external_models": ("paper_cox",)}), COHORT, tmp_path)
    assert set(table["model"]) == {"paper_cox"}


def test_switched_off_nothing_is_done(tmp_path: Path):
    pool = Here()
    table, reasons = left_out(CONFIG.model_copy(update={"internal_external": False}), COHORT, tmp_path, pool)
    assert (len(table), reasons, pool.asked) == (0, (), [])


@pytest.mark.parametrize(
    ("centre", "says"),
    [(None, "cohort simulated does not record the centre"), ("one", "needs two or more; the cohort names 1")],
)
def test_a_cohort_without_centres_is_left_out_with_the_reason(centre: str | None, says: str, tmp_path: Path):
    frame = FRAME if centre is None else FRAME.assign(centre=centre)
    table, (reason,) = left_out(CONFIG, replace(COHORT, frame=frame), tmp_path)
    assert table.empty
    assert reason.startswith("leave-one-centre-out, overall: ")
    assert says in reason


def test_a_centre_whose_fit_fails_says_why_and_the_others_are_pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    original = module.cross_validate

    def failing(procedure: Any, predictors: Any, outcome: Any, splits: Any, seed: int) -> Any:
        validated = original(procedure, predictors, outcome, splits, seed)
        kept = validated.predictions[validated.predictions["fold"] != 1]
        return replace(validated, predictions=kept, failures=("repeat 0 fold 1: ValueError: the matrix is singular",))

    monkeypatch.setattr(module, "cross_validate", failing)
    table, _ = left_out(CONFIG, COHORT, tmp_path)
    south = table[table["centre"] == "south"]
    assert south["note"].str.contains("ValueError: the matrix is singular").all()
    pooled = table[(table["centre"] == POOLED) & (table["metric"] == "o_e")]
    assert (pooled["n_centres"] == 2).all()
    assert pooled["note"].str.contains("left out: south").all()
