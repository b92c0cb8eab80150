"""What a feature set is, and the guard that refuses a predictor known too late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from cohort.dictionary import KnownAt, Variable
from cohort.errors import CohortError
from cohort.types import BoolArray, Cohort, IntArray


class KnownTooLate(CohortError):
    """A predictor that is not known when the prediction is made."""


@dataclass(frozen=True)
class Feature:
    """One predictor of a feature set: a plain variable, or one computed row by row from others.

    ``compute`` (frame -> column) must use one row at a time, so that it can learn nothing from other patients.
    A feature is known when the last of its ``inputs`` is.
    """

    name: str
    inputs: tuple[str, ...]
    compute: Callable[[pd.DataFrame], pd.Series] | None = None
    skewed: bool = False

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError(f"{self.name}: a feature names its inputs, so that the time it is known can be checked")

    def known_at(self, variables: Mapping[str, Variable]) -> KnownAt:
        return max(variables[name].known_at for name in self.inputs)


def plain(name: str, variables: Mapping[str, Variable]) -> Feature:
    """The variable itself."""
    return Feature(name, (name,), skewed=variables[name].skewed)


@dataclass(frozen=True)
class FeatureSet:
    """The predictors available at one time.

    ``select`` lists the features for a dictionary of variables; those whose inputs a cohort does not hold are left out.
    """

    name: str
    label: str
    known_at: KnownAt
    select: Callable[[Mapping[str, Variable]], tuple[Feature, ...]]


@dataclass(frozen=True)
class Predictors:
    """Predictors before any fitting: ``frame`` (n, p), one column a feature; ``skewed`` names those for the log scale."""

    feature_set: str
    frame: pd.DataFrame
    skewed: frozenset[str]

    def take(self, rows: IntArray | BoolArray) -> Predictors:
        """The predictors of some patients, by place or by mask."""
        return Predictors(self.feature_set, self.frame.iloc[rows], self.skewed)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.frame.columns))


def build_predictors(cohort: Cohort, population: str, feature_set: FeatureSet) -> Predictors:
    """Compute a feature set's predictors for one population.

    Row by row only. Raises ``KnownTooLate`` for a feature known later than the set's time, and ``CohortError`` where the cohort
    holds none of the features.
    """
    frame = cohort.population(population).frame
    withheld = cohort.withheld(population)
    features = feature_set.select(cohort.variables)
    refuse_later(features, feature_set, cohort.variables)
    repeated = sorted(name for name, count in Counter(f.name for f in features).items() if count > 1)
    if repeated:
        raise CohortError(f"feature set {feature_set.name} has two features of one name: {', '.join(repeated)}")
    usable = [f for f in features if set(f.inputs) <= set(frame.columns) and not withheld & set(f.inputs)]
    # A variable that the cohort never records carries nothing.
    columns = {f.name: _column(f, frame) for f in usable if frame[list(f.inputs)].notna().any().all()}
    columns = {name: column for name, column in columns.items() if column.notna().any()}
    if not columns:
        raise CohortError(f"cohort {cohort.name} holds no predictor of the feature set {feature_set.name}")
    skewed = frozenset(f.name for f in usable if f.skewed and f.name in columns)
    return Predictors(feature_set.name, pd.DataFrame(columns), skewed)


def refuse_later(features: tuple[Feature, ...], feature_set: FeatureSet, variables: Mapping[str, Variable]) -> None:
    """Raise ``KnownTooLate`` if any feature is known later than the feature set's time, or is no predictor at all."""
    no_predictor = [f.name for f in features if any(variables[name].kind == "identifier" for name in f.inputs)]
    if no_predictor:
        raise KnownTooLate(f"feature set {feature_set.name} predicts with an identifier: {', '.join(no_predictor)}. Take it out")
    late = [
        f"{f.name} ({f.known_at(variables).label})"
        for f in features
        if f.known_at(variables) > min(feature_set.known_at, KnownAt.PRE_SURGERY)
    ]
    if late:
        raise KnownTooLate(
            f"feature set {feature_set.name} predicts with what is known at {feature_set.known_at.label};"
            f" known later: {', '.join(late)}. Take them out, or correct their known_at if it is wrong"
        )


def _column(feature: Feature, frame: pd.DataFrame) -> pd.Series:
    column = frame[feature.name] if feature.compute is None else feature.compute(frame)
    return column.rename(feature.name)
