"""``pre_surgery``: all that is known the day before surgery, and the changes under chemotherapy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cohort.dictionary import KnownAt, Variable, predictors_known_at
from features.feature_set import Feature, FeatureSet, plain


def _log_ratio_cea(frame: pd.DataFrame) -> pd.Series:
    """Fold change of CEA on the log scale; 1 ng/ml is added so that an undetectable value stays finite."""
    change: pd.Series = np.log1p(frame["presurgery_cea"]) - np.log1p(frame["baseline_cea"])
    return change


def _shrinkage(frame: pd.DataFrame) -> pd.Series:
    """Relative change of the largest diameter: -1 = vanished, 0 = unchanged, above 0 = grown."""
    return (frame["presurgery_max_diameter"] / frame["baseline_max_diameter"].where(lambda d: d > 0)) - 1


def _difference(name: str) -> Feature:
    before, after = f"baseline_{name}", f"presurgery_{name}"
    return Feature(f"change_{name}", (before, after), lambda frame: frame[after] - frame[before])


#: Changes between baseline and surgery. Lesions are absent: that change is ``vanished_lesions``.
CHANGES: tuple[Feature, ...] = (
    Feature("change_cea", ("baseline_cea", "presurgery_cea"), _log_ratio_cea),
    Feature("change_max_diameter", ("baseline_max_diameter", "presurgery_max_diameter"), _shrinkage),
    _difference("segments"),
    _difference("vessel_contacts"),
)


def _select(variables: Mapping[str, Variable]) -> tuple[Feature, ...]:
    known = predictors_known_at(KnownAt.PRE_SURGERY, variables.values())
    return (*(plain(name, variables) for name in known), *CHANGES)


PRE_SURGERY = FeatureSet("pre_surgery", "Known the day before surgery", KnownAt.PRE_SURGERY, _select)
