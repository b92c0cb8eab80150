"""The tumour burden score: number and size of the metastases in one figure, which goes beyond its three zones."""

from __future__ import annotations

from models.published.questions import tumour_burden
from models.published.recalibrated import recalibrated
from models.published.score import Score

SCORE = Score(
    name="tumour_burden_score",
    label="Tumour burden score",
    source="Sasaki 2018, Ann Surg 267:132",
    certainty="good",
    groups=(("zone 1, < 3", 0, "from"), ("zone 2, 3 to < 9", 3, "from"), ("zone 3, >= 9", 9, "from")),
    total=tumour_burden,
    total_inputs=("lesions", "diameter_mm"),
    # 60 metastases are no twenty times the hazard's step of three.
    skewed=True,
)

TUMOUR_BURDEN_SCORE = recalibrated(SCORE)
