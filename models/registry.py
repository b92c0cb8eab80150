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
from models.published.fong import FONG_SCORE, FONG_SCORE_FROZEN
from models.published.game import GAME_SCORE, GAME_SCORE_FROZEN
from models.published.konopke import KONOPKE_SCORE, KONOPKE_SCORE_FROZEN
from models.published.m_cs import M_CS_SCORE, M_CS_SCORE_FROZEN
from models.published.nagashima import NAGASHIMA_SCORE
from models.published.nordlinger import NORDLINGER_SCORE
from models.published.tumour_burden import TUMOUR_BURDEN_SCORE
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
    FONG_SCORE.name: FONG_SCORE,
    GAME_SCORE.name: GAME_SCORE,
    TUMOUR_BURDEN_SCORE.name: TUMOUR_BURDEN_SCORE,
    M_CS_SCORE.name: M_CS_SCORE,
    NORDLINGER_SCORE.name: NORDLINGER_SCORE,
    KONOPKE_SCORE.name: KONOPKE_SCORE,
    NAGASHIMA_SCORE.name: NAGASHIMA_SCORE,
    FONG_SCORE_FROZEN.name: FONG_SCORE_FROZEN,
    GAME_SCORE_FROZEN.name: GAME_SCORE_FROZEN,
    M_CS_SCORE_FROZEN.name: M_CS_SCORE_FROZEN,
    KONOPKE_SCORE_FROZEN.name: KONOPKE_SCORE_FROZEN,
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
