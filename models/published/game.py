"""GAME: genetic and morphological evaluation."""

from __future__ import annotations

from models.published.frozen import frozen
from models.published.questions import (
    BURDEN_3_TO_9,
    BURDEN_FROM_9,
    CEA_FROM_20,
    EXTRAHEPATIC,
    KRAS_MUTATED,
    NODE_POSITIVE,
)
from models.published.recalibrated import recalibrated
from models.published.score import FrozenRisk, Item, Score


def _risk(
    horizon_months: float, intercept: float, kras: float, cea: float, node: float, burden: tuple[float, float], beyond: float
) -> FrozenRisk:
    coefficients = {
        KRAS_MUTATED: kras,
        CEA_FROM_20: cea,
        NODE_POSITIVE: node,
        BURDEN_3_TO_9: burden[0],
        BURDEN_FROM_9: burden[1],
        EXTRAHEPATIC: beyond,
    }
    return FrozenRisk(horizon_months, intercept, coefficients)


SCORE = Score(
    name="game_score",
    label="GAME score",
    source="Margonis 2018, Br J Surg 105:1210",
    certainty="a tumour burden of 8 to 9 is left open by the abstract (3-8, >= 9); here it belongs below 9",
    groups=(("0-1 low", 0, "from"), ("2-3 medium", 2, "from"), (">= 4 high", 4, "from")),
    items=(
        Item(KRAS_MUTATED, 1),
        Item(CEA_FROM_20, 1),
        Item(NODE_POSITIVE, 1),
        Item(BURDEN_3_TO_9, 1),
        Item(BURDEN_FROM_9, 2),
        Item(EXTRAHEPATIC, 2),
    ),
    # PLATO 2026
    frozen=(
        _risk(6.0, -2.2698, kras=0.3281, cea=0.2676, node=0.6581, burden=(0.2165, 1.4392), beyond=0.8799),
        _risk(12.0, -1.3878, kras=0.2255, cea=0.3401, node=0.7891, burden=(0.4788, 1.4248), beyond=0.7408),
    ),
)

GAME_SCORE = recalibrated(SCORE)
GAME_SCORE_FROZEN = frozen(SCORE)
