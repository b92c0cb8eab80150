"""m-CS: the modified clinical score, with RAS."""

from __future__ import annotations

from models.published.frozen import frozen
from models.published.questions import LARGER_THAN_50_MM, NODE_POSITIVE, RAS_MUTATED
from models.published.recalibrated import recalibrated
from models.published.score import FrozenRisk, Item, Score


def _risk(horizon_months: float, intercept: float, ras: float, node: float, large: float) -> FrozenRisk:
    return FrozenRisk(horizon_months, intercept, {RAS_MUTATED: ras, NODE_POSITIVE: node, LARGER_THAN_50_MM: large})


SCORE = Score(
    name="m_cs_score",
    label="m-CS score",
    source="Brudvik 2019, Ann Surg 269:120",
    certainty="good",
    groups=(("0", 0, "from"), ("1", 1, "from"), ("2", 2, "from"), ("3", 3, "from")),
    items=tuple(Item(question, 1) for question in (RAS_MUTATED, NODE_POSITIVE, LARGER_THAN_50_MM)),
    # PLATO 2026
    frozen=(
        _risk(6.0, -1.5807, ras=0.2153, node=0.6054, large=0.1270),
        _risk(12.0, -0.6323, ras=0.0909, node=0.7303, large=0.1700),
    ),
)

M_CS_SCORE = recalibrated(SCORE)
M_CS_SCORE_FROZEN = frozen(SCORE)
