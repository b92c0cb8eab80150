"""What an external validation fits and judges, and why not the rest."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cohort.errors import CohortError
from cohort.types import Cohort
from evaluation.predictions import NO_FEATURES
from features.feature_set import KnownTooLate, Predictors
from features.registry import FEATURE_SETS
from features.shared import SharedPredictors, shared_predictors
from flows.plan import Plan, plan_of, why_not
from flows.validation_config import ValidationConfig

Question = tuple[str, str]
"""population, feature set"""


def make_validation_plan(config: ValidationConfig, train: Cohort, test: Cohort) -> Plan:
    """All cells that both cohorts can answer.

    Raises ``CohortError`` where there is none, and ``KnownTooLate`` for a predictor known too late.
    """
    return plan_of(config, partial(_why_not, train, test), f"cohorts {train.name} and {test.name}")


def shared_by_question(plan: Plan, train: Cohort, test: Cohort) -> dict[Question, SharedPredictors]:
    """The predictors of every population and feature set that is planned."""
    asked = dict.fromkeys((f.population, f.feature_set) for f in plan.fits if f.feature_set != NO_FEATURES)
    return {question: shared_by(train, test, *question) for question in asked}


def shared_by(train: Cohort, test: Cohort, population: str, feature_set: str) -> SharedPredictors:
    """What a fit learns from and is asked; for the null model frames with the right number of rows and no column."""
    if feature_set != NO_FEATURES:
        return shared_predictors(train, test, population, FEATURE_SETS[feature_set])
    ours, theirs = (
        Predictors(NO_FEATURES, pd.DataFrame(index=range(len(cohort.population(population)))), frozenset())
        for cohort in (train, test)
    )
    return SharedPredictors(ours, theirs, dropped=())


def _why_not(train: Cohort, test: Cohort, population: str, feature_set: str, endpoint: str) -> tuple[str, tuple[str, ...]]:
    """Why the two cohorts cannot answer, whatever the model, or an empty text; and the names of the predictors they share."""
    for role, cohort in (("train", train), ("test", test)):
        reason, _ = why_not(cohort, population, feature_set, endpoint)
        if reason:
            return f"{role}: {reason}", ()
    try:
        return "", shared_predictors(train, test, population, FEATURE_SETS[feature_set]).train.names
    except KnownTooLate:
        raise
    except CohortError as error:
        return str(error), ()
