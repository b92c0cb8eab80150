"""The predictors that two cohorts share: what a model of one can be asked in the other."""

from __future__ import annotations

from dataclasses import dataclass

from cohort.dictionary import Variable
from cohort.errors import CohortError
from cohort.types import Cohort
from features.feature_set import Feature, FeatureSet, Predictors, build_predictors


@dataclass(frozen=True)
class Dropped:
    """A predictor of one cohort's feature set that the other cannot be asked, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class SharedPredictors:
    """``train`` and ``test`` have the same columns in the same order; ``dropped`` are all others of either cohort's set."""

    train: Predictors
    test: Predictors
    dropped: tuple[Dropped, ...]


def shared_predictors(train: Cohort, test: Cohort, population: str, feature_set: FeatureSet) -> SharedPredictors:
    """A feature set's predictors that both cohorts hold, under one definition: kind, unit, levels and the time it is known.

    Raises ``KnownTooLate`` for a feature known later than the set's time in either cohort, and ``CohortError`` where they share
    none.
    """
    in_train = build_predictors(train, population, feature_set)
    in_test = build_predictors(test, population, feature_set)
    features = {f.name: f for cohort in (test, train) for f in feature_set.select(cohort.variables)}
    order = dict.fromkeys((*in_train.names, *in_test.names, *features))
    held: list[str] = []
    dropped: list[Dropped] = []
    for name in order:
        reasons = [
            _why_absent(features[name], cohort, population) or f"it cannot be computed for any patient of {cohort.name}"
            for cohort, predictors in ((train, in_train), (test, in_test))
            if name not in predictors.names
        ]
        reasons = reasons or _different(features[name], train, test)
        if not reasons and in_train.frame[name].nunique(dropna=True) < 2:
            reasons = [f"it has one value in {train.name}, so that nothing can be learned from it"]
        if reasons:
            dropped.append(Dropped(name, "; ".join(reasons)))
        else:
            held.append(name)
    # What neither cohort records is no loss of the comparison.
    told = tuple(d for d in dropped if d.name in in_train.names or d.name in in_test.names)
    if not held:
        raise CohortError(f"cohorts {train.name} and {test.name} share no predictor of the feature set {feature_set.name}")
    skewed = in_train.skewed & frozenset(held)
    return SharedPredictors(
        Predictors(feature_set.name, in_train.frame[held], skewed),
        Predictors(feature_set.name, in_test.frame[held], skewed),
        told,
    )


def shared_variables(train: Cohort, test: Cohort, population: str) -> tuple[Variable, ...]:
    """The variables that may predict and that both cohorts record, under one definition, in the population."""
    shared = []
    for variable in train.variables.values():
        feature = Feature(variable.name, (variable.name,))
        recorded = not any(_why_absent(feature, cohort, population) for cohort in (train, test))
        if variable.is_predictor and recorded and not _different(feature, train, test):
            shared.append(variable)
    return tuple(shared)


def _why_absent(feature: Feature, cohort: Cohort, population: str) -> str:
    """Why a cohort cannot compute a feature, or an empty text."""
    absent = [name for name in feature.inputs if name not in cohort.frame]
    if absent:
        return f"{cohort.name} does not record {', '.join(absent)}"
    withheld = sorted(set(feature.inputs) & cohort.withheld(population))
    if withheld:
        return f"{', '.join(withheld)} is not used in the population {population} of {cohort.name}"
    frame = cohort.population(population).frame
    if not frame[list(feature.inputs)].notna().any().all():
        return f"it is missing for every patient of {cohort.name}"
    return ""


def _different(feature: Feature, train: Cohort, test: Cohort) -> list[str]:
    """What the cohorts' dictionaries say differently of a feature's inputs."""
    found = []
    for name in feature.inputs:
        ours, theirs = train.variables.get(name), test.variables.get(name)
        if ours is None or theirs is None:
            continue
        differing = [what for what in ("kind", "unit", "levels", "known_at") if getattr(ours, what) != getattr(theirs, what)]
        if differing:
            found.append(f"the cohorts define {name} with another {', '.join(differing)}")
    return found
