"""The paper's univariable analysis on a cohort and, where the paper's numbers are about it, beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from cohort.errors import CohortError
from cohort.load import DEFAULT_COHORT, load_cohort
from cohort.reconstruct import published
from cohort.types import POPULATIONS, Cohort
from evaluation.effects import univariable_effects
from evaluation.reproduction import compare
from flows.environment import workspace
from flows.folders import write_atomically
from flows.run_directory import RunDirectory

#: Cohorts that the published tables describe.
DESCRIBED_BY_THE_PAPER = (DEFAULT_COHORT,)


@dataclass(frozen=True, eq=False)
class Reproduction:
    """``effects``: ours, every population. ``comparison``: with the published rows, None where the paper is about others."""

    folder: Path
    effects: pd.DataFrame
    comparison: pd.DataFrame | None
    left_out: tuple[str, ...]


@flow(name="reproduce", description="The paper's univariable analysis, compared number by number.", persist_result=False)
def reproduce(cohort: str = DEFAULT_COHORT, data: str | None = None) -> Reproduction:
    """Load and check, estimate, compare, write."""
    patients = load_cohort(cohort, data)
    effects, left_out = estimate_effects(patients)
    comparison = compare_with_print(effects) if patients.name in DESCRIBED_BY_THE_PAPER else None
    run = RunDirectory.open(workspace() / "runs" / "reproduce", patients.digest, patients.name)
    try:
        write_atomically(run.path / "univariable.csv", effects.to_csv(index=False))
        if comparison is not None:
            write_atomically(run.path / "effects.csv", comparison.to_csv(index=False))
        run.complete()
    finally:
        run.close()
    return Reproduction(run.path, effects, comparison, left_out)


@task(name="estimate-effects", cache_policy=NO_CACHE)
def estimate_effects(cohort: Cohort) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """All populations that the cohort can form, and the reasons for those it cannot."""
    parts: list[pd.DataFrame] = []
    left_out: list[str] = []
    for population in POPULATIONS:
        try:
            parts.append(univariable_effects(cohort, population))
        except CohortError as error:
            left_out.append(f"{population}: {error}")
    if not parts:
        raise CohortError("; ".join(left_out))
    return pd.concat(parts, ignore_index=True), tuple(left_out)


@task(name="compare-with-print", cache_policy=NO_CACHE)
def compare_with_print(effects: pd.DataFrame) -> pd.DataFrame:
    """Tables 2 and 3 are about all patients."""
    return compare(published.effects(), effects[effects["population"] == "overall"])
