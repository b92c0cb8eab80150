"""Konopke's score."""

from __future__ import annotations

from models.published.frozen import frozen
from models.published.questions import CEA_FROM_200, MORE_THAN_3, SYNCHRONOUS
from models.published.recalibrated import recalibrated
from models.published.score import FrozenRisk, Item, Score


def _risk(horizon_months: float, intercept: float, many: float, cea: float, synchronous: float) -> FrozenRisk:
    return FrozenRisk(horizon_months, intercept, {MORE_THAN_3: many, CEA_FROM_200: cea, SYNCHRONOUS: synchronous})


SCORE = Score(
    name="konopke_score",
    label="Konopke score",
    source="Konopke 2009, Liver Int 29:89",
    certainty="good",
    groups=(("0 low", 0, "from"), ("1 intermediate", 1, "from"), (">= 2 high", 2, "from")),
    items=tuple(Item(question, 1) for question in (MORE_THAN_3, CEA_FROM_200, SYNCHRONOUS)),
    # PLATO 2026
    frozen=(
        _risk(6.0, -1.7025, many=0.9349, cea=-0.0678, synchronous=0.5888),
        _risk(12.0, -0.5814, many=0.9654, cea=-0.0529, synchronous=0.4151),
    ),
)

KONOPKE_SCORE = recalibrated(SCORE)
KONOPKE_SCORE_FROZEN = frozen(SCORE)
