"""``baseline``: what is known at the diagnosis of the metastases, before chemotherapy."""

from __future__ import annotations

from collections.abc import Mapping

from cohort.dictionary import KnownAt, Variable, predictors_known_at
from features.feature_set import Feature, FeatureSet, plain


def _select(variables: Mapping[str, Variable]) -> tuple[Feature, ...]:
    return tuple(plain(name, variables) for name in predictors_known_at(KnownAt.BASELINE, variables.values()))


BASELINE = FeatureSet("baseline", "Known at diagnosis of the metastases", KnownAt.BASELINE, _select)
