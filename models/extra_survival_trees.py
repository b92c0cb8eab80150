"""scikit-survival's extremely randomised survival trees (cut-points drawn, not sought), on gridded event times."""

from __future__ import annotations

from sksurv.ensemble import ExtraSurvivalTrees

from models.risk_model import ModelSpec
from models.survival_forest import FOREST_DEFAULTS, WHILE_TUNING, SurvivalForest, search_forest

EXTRA_SURVIVAL_TREES = ModelSpec(
    name="extra_survival_trees",
    label="Extra survival trees",
    role="challenger",
    answers="any_time",
    build=lambda params, seed: SurvivalForest(ExtraSurvivalTrees, params, seed),
    search=search_forest,
    defaults=FOREST_DEFAULTS,
    while_tuning=WHILE_TUNING,
    relative_cost=10.0,
)
