"""What a benchmark looks at before it fits: gaps, duplicates, single predictors, on the plan's populations and feature sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cohort.types import Cohort
from evaluation.data_audit import (
    DUPLICATE_COLUMNS,
    SINGLE_COLUMNS,
    DataAudit,
    find_duplicates,
    single_predictor_aucs,
)
from evaluation.missingness import missingness, missingness_table
from evaluation.predictions import NO_FEATURES
from evaluation.report_before_fitting import BeforeFitting
from features.feature_set import build_predictors
from features.registry import FEATURE_SETS
from flows.config import BenchmarkConfig
from flows.folders import write_atomically
from flows.plan import Plan
from flows.splits import SPLIT_HORIZONS_MONTHS, splits_for

MISSINGNESS, SINGLE_PREDICTORS, DUPLICATES = "missingness.csv", "single_predictors.csv", "duplicates.csv"


def look_before_fitting(config: BenchmarkConfig, cohort: Cohort, plan: Plan) -> BeforeFitting:
    """Of what is planned; nothing a model sees is learnt here."""
    asked = dict.fromkeys((cell.population, cell.feature_set) for cell in plan.cells if cell.feature_set != NO_FEATURES)
    populations = tuple(dict.fromkeys(cell.population for cell in plan.cells))
    checked: dict[str, int] = {}
    single: list[pd.DataFrame] = []
    for population, feature_set in asked:
        predictors = build_predictors(cohort, population, FEATURE_SETS[feature_set])  # raises for a predictor known too late
        checked[feature_set] = max(checked.get(feature_set, 0), len(predictors.names))
        seen = frozenset(name for table in single for name in table.loc[table["population"] == population, "predictor"])
        outcome = cohort.population(population).outcome("dfs")
        single.append(single_predictor_aucs(predictors, population, outcome, SPLIT_HORIZONS_MONTHS, seen))
    found = [table for table in single if not table.empty]
    audit = DataAudit(
        duplicates=tuple(
            find_duplicates(cohort, population, splits_for(cohort, population, config)) for population in populations
        ),
        single=pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=SINGLE_COLUMNS),
        known_at=tuple(checked.items()),
    )
    return BeforeFitting(missingness(cohort, populations), audit)


def write_before_fitting(found: BeforeFitting, folder: Path) -> tuple[str, ...]:
    """The tables as csv; their names. ``duplicates.csv`` holds ids, nothing else does."""
    tables = [d.table for d in found.audit.duplicates if not d.table.empty]
    duplicates = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=DUPLICATE_COLUMNS)
    written = {MISSINGNESS: missingness_table(found.missingness), SINGLE_PREDICTORS: found.audit.single, DUPLICATES: duplicates}
    for name, table in written.items():
        write_atomically(folder / name, table.to_csv(index=False), private=name == DUPLICATES)
    return tuple(written)
