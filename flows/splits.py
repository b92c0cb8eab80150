"""Where a benchmark's splits come from: drawn by the seed, or replayed from a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cohort.errors import CohortError
from cohort.types import Cohort
from evaluation.resampling import Split, repeated_stratified_splits
from evaluation.split_table import read_split_table, replay, shape, split_table
from flows.config import BenchmarkConfig
from flows.folders import write_atomically

#: The DFS horizons: every population's splits are stratified by them, whatever the endpoint.
SPLIT_HORIZONS_MONTHS = (6.0, 12.0)

SPLITS = "splits.csv"


def as_replayed(config: BenchmarkConfig, cohort: Cohort) -> BenchmarkConfig:
    """The configuration with the folds and repeats of its splits' file, so that all that counts them counts those.

    Raises ``CohortError`` where the file cannot be replayed with these patients, before anything is fitted.
    """
    if config.splits is None:
        return config
    table = read_split_table(Path(config.splits))
    n_folds, n_repeats = shape(table)
    for population in config.populations:
        try:
            patients = cohort.population(population)
        except CohortError:
            continue  # the plan skips it, with the reason
        replay(table, population, patients.patient_ids)
    return config.model_copy(update={"n_folds": n_folds, "n_repeats": n_repeats})


def splits_for(cohort: Cohort, population: str, config: BenchmarkConfig) -> tuple[Split, ...]:
    """A population's splits, the same for all models, endpoints and feature sets."""
    patients = cohort.population(population)
    if config.splits is not None:
        return replay(read_split_table(Path(config.splits)), population, patients.patient_ids)
    return repeated_stratified_splits(
        patients.outcome("dfs"), SPLIT_HORIZONS_MONTHS, config.n_folds, config.n_repeats, config.seed
    )


def write_splits(path: Path, cohort: Cohort, populations: Iterable[str], config: BenchmarkConfig) -> Path:
    """All splits as a table; its owner's only, for it holds patients' ids."""
    names = tuple(dict.fromkeys(populations))
    table = split_table(
        {name: splits_for(cohort, name, config) for name in names},
        {name: cohort.population(name).patient_ids for name in names},
    )
    write_atomically(path, table.to_csv(index=False), private=True)
    return path
