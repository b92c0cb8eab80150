"""Nordlinger's score, without its seventh item: a resection margin below 10 mm is not known before surgery.

For the same reason its published recalibrated risk, which has a coefficient for the margin, is no model here.
"""

from __future__ import annotations

from models.published.questions import INTERVAL_BELOW_24, LARGER_THAN_50_MM, MORE_THAN_3, NODE_POSITIVE, OLDER_THAN_60, T4
from models.published.recalibrated import recalibrated
from models.published.score import Item, Score

SCORE = Score(
    name="nordlinger_score",
    label="Nordlinger score",
    source="Nordlinger 1996, Cancer 77:1254",
    certainty="whether its cut-points are > or >= is uncertain; groups were published for seven items",
    groups=(("0-2 low", 0, "from"), ("3-4 intermediate", 3, "from"), ("5-6 high", 5, "from")),
    items=tuple(
        Item(question, 1) for question in (OLDER_THAN_60, T4, NODE_POSITIVE, INTERVAL_BELOW_24, MORE_THAN_3, LARGER_THAN_50_MM)
    ),
)

NORDLINGER_SCORE = recalibrated(SCORE)
