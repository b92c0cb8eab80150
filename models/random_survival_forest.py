"""scikit-survival's random survival forest (Ishwaran et al. 2008), on gridded event times."""

from __future__ import annotations

from sksurv.ensemble import RandomSurvivalForest

from models.risk_model import ModelSpec
from models.survival_forest import FOREST_DEFAULTS, WHILE_TUNING, SurvivalForest, search_forest

RANDOM_SURVIVAL_FOREST = ModelSpec(
    name="random_survival_forest",
    label="Random survival forest",
    role="challenger",
    answers="any_time",
    build=lambda params, seed: SurvivalForest(RandomSurvivalForest, params, seed),
    search=search_forest,
    defaults=FOREST_DEFAULTS,
    while_tuning=WHILE_TUNING,
    relative_cost=20.0,
)
