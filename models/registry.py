"""All models: one file each, one line here."""

from __future__ import annotations

from models.extra_survival_trees import EXTRA_SURVIVAL_TREES
from models.gradient_boosted_survival import GRADIENT_BOOSTED_SURVIVAL
from models.histogram_gradient_boosting import HISTOGRAM_GRADIENT_BOOSTING
from models.null_model import NULL_MODEL
from models.paper_cox import PAPER_COX
from models.paper_logistic import PAPER_LOGISTIC
from models.penalised_cox import PENALISED_COX
from models.penalised_logistic import PENALISED_LOGISTIC
from models.random_forest_classifier import RANDOM_FOREST_CLASSIFIER
from models.random_survival_forest import RANDOM_SURVIVAL_FOREST
from models.risk_model import ModelSpec
from models.xgboost_aft import XGBOOST_AFT
from models.xgboost_classifier import XGBOOST_CLASSIFIER
from models.xgboost_survival import XGBOOST_SURVIVAL

MODELS: dict[str, ModelSpec] = {
    NULL_MODEL.name: NULL_MODEL,
    PAPER_LOGISTIC.name: PAPER_LOGISTIC,
    PAPER_COX.name: PAPER_COX,
    PENALISED_LOGISTIC.name: PENALISED_LOGISTIC,
    PENALISED_COX.name: PENALISED_COX,
    XGBOOST_CLASSIFIER.name: XGBOOST_CLASSIFIER,
    XGBOOST_SURVIVAL.name: XGBOOST_SURVIVAL,
    XGBOOST_AFT.name: XGBOOST_AFT,
    RANDOM_SURVIVAL_FOREST.name: RANDOM_SURVIVAL_FOREST,
    EXTRA_SURVIVAL_TREES.name: EXTRA_SURVIVAL_TREES,
    GRADIENT_BOOSTED_SURVIVAL.name: GRADIENT_BOOSTED_SURVIVAL,
    HISTOGRAM_GRADIENT_BOOSTING.name: HISTOGRAM_GRADIENT_BOOSTING,
    RANDOM_FOREST_CLASSIFIER.name: RANDOM_FOREST_CLASSIFIER,
}
