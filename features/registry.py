"""All feature sets: one file each, one line here."""

from __future__ import annotations

from features.baseline import BASELINE
from features.feature_set import FeatureSet
from features.paper import PAPER
from features.pre_surgery import PRE_SURGERY

FEATURE_SETS: dict[str, FeatureSet] = {
    BASELINE.name: BASELINE,
    PRE_SURGERY.name: PRE_SURGERY,
    PAPER.name: PAPER,
}
