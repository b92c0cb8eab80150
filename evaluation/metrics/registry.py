"""All metrics: one file each, one line here."""

from __future__ import annotations

from evaluation.metrics.auc import AUC
from evaluation.metrics.brier import BRIER
from evaluation.metrics.c_harrell import C_HARRELL
from evaluation.metrics.c_uno import C_UNO
from evaluation.metrics.calibration_intercept import CALIBRATION_INTERCEPT
from evaluation.metrics.calibration_slope import CALIBRATION_SLOPE
from evaluation.metrics.metric import Metric
from evaluation.metrics.o_e import O_E

METRICS: dict[str, Metric] = {
    AUC.name: AUC,
    C_HARRELL.name: C_HARRELL,
    C_UNO.name: C_UNO,
    BRIER.name: BRIER,
    CALIBRATION_INTERCEPT.name: CALIBRATION_INTERCEPT,
    CALIBRATION_SLOPE.name: CALIBRATION_SLOPE,
    O_E.name: O_E,
}
