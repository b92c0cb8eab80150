"""Fong's clinical risk score."""

from __future__ import annotations

from models.published.frozen import frozen
from models.published.questions import CEA_ABOVE_200, INTERVAL_BELOW_12, LARGER_THAN_50_MM, MORE_THAN_1, NODE_POSITIVE
from models.published.recalibrated import recalibrated
from models.published.score import FrozenRisk, Item, Score


def _risk(
    horizon_months: float, intercept: float, node: float, interval: float, several: float, large: float, cea: float
) -> FrozenRisk:
    coefficients = {
        NODE_POSITIVE: node,
        INTERVAL_BELOW_12: interval,
        MORE_THAN_1: several,
        LARGER_THAN_50_MM: large,
        CEA_ABOVE_200: cea,
    }
    return FrozenRisk(horizon_months, intercept, coefficients)


SCORE = Score(
    name="fong_score",
    label="Fong score",
    source="Fong 1999, Ann Surg 230:309",
    certainty="good",
    groups=(("0-2 low", 0, "from"), ("3-5 high", 3, "from")),
    items=tuple(
        Item(question, 1) for question in (NODE_POSITIVE, INTERVAL_BELOW_12, MORE_THAN_1, LARGER_THAN_50_MM, CEA_ABOVE_200)
    ),
    # PLATO 2026
    frozen=(
        _risk(6.0, -2.4674, node=0.5193, interval=0.7504, several=0.7139, large=0.0677, cea=-0.1351),
        _risk(12.0, -1.3617, node=0.6639, interval=0.4970, several=0.7321, large=0.1261, cea=-0.1354),
    ),
)

FONG_SCORE = recalibrated(SCORE)
FONG_SCORE_FROZEN = frozen(SCORE)
