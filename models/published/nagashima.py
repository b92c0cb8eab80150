"""Nagashima's score, whose points are regression coefficients."""

from __future__ import annotations

from models.published.questions import EXTRAHEPATIC, INTERVAL_BELOW_12, LARGER_THAN_50_MM, MORE_THAN_1, NODE_POSITIVE, T4
from models.published.recalibrated import recalibrated
from models.published.score import Item, Score

SCORE = Score(
    name="nagashima_score",
    label="Nagashima score",
    source="Nagashima 2006; points as recalibrated elsewhere",
    certainty="points and groups come from a later study, not from the first publication",
    groups=(("<= 3", 0, "from"), ("3 to 5", 3, "above"), ("> 5", 5, "above")),
    items=(
        Item(NODE_POSITIVE, 0.60034),
        Item(T4, 0.54877),
        Item(LARGER_THAN_50_MM, 1.35657),
        Item(EXTRAHEPATIC, 1.19430),
        Item(INTERVAL_BELOW_12, 0.67838),
        Item(MORE_THAN_1, 0.85412),
    ),
)

NAGASHIMA_SCORE = recalibrated(SCORE)
