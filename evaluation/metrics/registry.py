"""All metrics: one file each, one line here."""

from __future__ import annotations

from evaluation.metrics.auc import AUC
from evaluation.metrics.average_precision import AVERAGE_PRECISION
from evaluation.metrics.brier import BRIER
from evaluation.metrics.c_harrell import C_HARRELL
from evaluation.metrics.c_uno import C_UNO
from evaluation.metrics.calibration_intercept import CALIBRATION_INTERCEPT
from evaluation.metrics.calibration_slope import CALIBRATION_SLOPE
from evaluation.metrics.classification import CLASSIFICATION
from evaluation.metrics.e50 import E50
from evaluation.metrics.e90 import E90
from evaluation.metrics.ici import ICI
from evaluation.metrics.log_loss import LOG_LOSS
from evaluation.metrics.metric import Metric
from evaluation.metrics.o_e import O_E
from evaluation.metrics.scaled_brier import SCALED_BRIER

METRICS: dict[str, Metric] = {
    AUC.name: AUC,
    C_HARRELL.name: C_HARRELL,
    C_UNO.name: C_UNO,
    BRIER.name: BRIER,
    SCALED_BRIER.name: SCALED_BRIER,
    CALIBRATION_INTERCEPT.name: CALIBRATION_INTERCEPT,
    CALIBRATION_SLOPE.name: CALIBRATION_SLOPE,
    O_E.name: O_E,
    ICI.name: ICI,
    E50.name: E50,
    E90.name: E90,
    LOG_LOSS.name: LOG_LOSS,
    AVERAGE_PRECISION.name: AVERAGE_PRECISION,
    **{metric.name: metric for metric in CLASSIFICATION},
}
