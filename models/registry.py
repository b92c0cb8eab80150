"""All models: one file each, one line here."""

from __future__ import annotations

from models.gradient_boosted_survival import GRADIENT_BOOSTED_SURVIVAL
from models.null_model import NULL_MODEL
from models.paper_cox import PAPER_COX
from models.paper_logistic import PAPER_LOGISTIC
from models.random_survival_forest import RANDOM_SURVIVAL_FOREST
from models.risk_model import ModelSpec
from models.xgboost_classifier import XGBOOST_CLASSIFIER
from models.xgboost_survival import XGBOOST_SURVIVAL

MODELS: dict[str, ModelSpec] = {
    NULL_MODEL.name: NULL_MODEL,
    PAPER_LOGISTIC.name: PAPER_LOGISTIC,
    PAPER_COX.name: PAPER_COX,
    XGBOOST_CLASSIFIER.name: XGBOOST_CLASSIFIER,
    XGBOOST_SURVIVAL.name: XGBOOST_SURVIVAL,
    RANDOM_SURVIVAL_FOREST.name: RANDOM_SURVIVAL_FOREST,
    GRADIENT_BOOSTED_SURVIVAL.name: GRADIENT_BOOSTED_SURVIVAL,
}
