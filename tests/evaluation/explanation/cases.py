"""Fits and kept tables that the tests of the explanation share."""

from __future__ import annotations

from functools import cache

import pandas as pd

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Outcome
from evaluation.cross_validation import cross_validate
from evaluation.explanation.cell import regression_tables
from evaluation.explanation.observer import FoldExplainer
from evaluation.resampling import Split, repeated_stratified_splits
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS
from models.procedure import FittedProcedure, Procedure
from models.registry import MODELS

COHORT = simulate_cohort(150, signal=2.0, seed=4, missing_cea=0.2).cohort
OUTCOME: Outcome = COHORT.outcome("dfs")
PREDICTORS: Predictors = build_predictors(COHORT, "overall", FEATURE_SETS["pre_surgery"])
SPLITS: tuple[Split, ...] = repeated_stratified_splits(OUTCOME, (6.0, 12.0), 3, 2, seed=1)


def procedure(name: str) -> Procedure:
    endpoint = ENDPOINTS["relapse_12m" if MODELS[name].answers == "horizon" else "dfs"]
    return Procedure(MODELS[name], endpoint, endpoint.horizons_months)


@cache
def fitted(name: str) -> FittedProcedure:
    """On the training patients of the first split."""
    return procedure(name).fit(PREDICTORS.take(SPLITS[0].train), OUTCOME.subset(SPLITS[0].train), seed=0)


def explainer(horizons: tuple[float, ...] = (12.0,), n_permutations: int = 2) -> FoldExplainer:
    return FoldExplainer(PREDICTORS, OUTCOME, horizons, n_permutations, seed=7)


@cache
def _kept(name: str) -> dict[str, pd.DataFrame]:
    watching = explainer()
    cross_validate(procedure(name), PREDICTORS, OUTCOME, SPLITS, 0, watching)
    tables = watching.tables()
    return {**tables, **regression_tables(fitted(name), PREDICTORS, tables["grid"])}


def kept(name: str) -> dict[str, pd.DataFrame]:
    return {table: rows.copy() for table, rows in _kept(name).items()}
