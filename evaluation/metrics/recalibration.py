"""Logistic recalibration of the predicted risk, for all bootstrap weights at once: what intercept and slope share.

    logit P(event by the horizon) = a + b * logit(risk)

Patients weigh by the inverse probability of censoring; a patient's R repeats share the weight.
"""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import horizon_weights

_CLIP = 1e-6
_ITERATIONS = 25
_TOLERANCE = 1e-9
#: A step longer than this, in standard deviations of the logit, can overshoot.
_LONGEST_STEP = 3.0
#: Beyond this slope per standard deviation a resample is separated and the value would depend on the optimiser.
_SEPARATED = 10.0
#: Rows of weights handled at once, to bound memory.
_BATCH = 256


def recalibrate(predictions: HorizonPredictions, weights: FloatArray, *, slope: bool) -> FloatArray:
    """(B, 2) intercept and slope; with ``slope`` False the slope is held at 1 (calibration in the large).

    NaN where a resample has one status only, or is separated.
    """
    status = np.nan_to_num(predictions.outcome.status_at(predictions.horizon_months))
    case_weights = horizon_weights(predictions.outcome, predictions.horizon_months, weights)
    n_repeats = predictions.risk.shape[1]
    risk = np.clip(predictions.risk, _CLIP, 1 - _CLIP)
    lp = np.log(risk / (1 - risk)).T.ravel()  # repeat by repeat
    y = np.tile(status, n_repeats)
    fit = _fit_both if slope else _fit_intercept
    return np.concatenate(
        [
            fit(lp, y, np.tile(case_weights[start : start + _BATCH] / n_repeats, (1, n_repeats)))
            for start in range(0, len(weights), _BATCH)
        ]
    )


def _fit_both(lp: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Newton's method for (B, N) ``weights``, on the standardised ``lp`` (N,) and from the null model: both keep it stable."""
    centre, scale = lp.mean(), max(float(lp.std()), 1e-12)
    z = (lp - centre) / scale
    a, b = _logit_of_mean(y, weights), np.zeros(len(weights))
    size = np.full(len(weights), np.inf)
    for _ in range(_ITERATIONS):
        residual, curvature = _residual_and_curvature(a[:, None] + b[:, None] * z, y, weights)
        g0, g1 = residual.sum(axis=1), residual @ z
        h00, h01, h11 = curvature.sum(axis=1), curvature @ z, curvature @ z**2
        with np.errstate(invalid="ignore", divide="ignore"):
            determinant = h00 * h11 - h01**2
            step = np.stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0]) / determinant
            size = np.abs(step).max(axis=0)
            step *= np.minimum(1, _LONGEST_STEP / np.maximum(size, 1e-300))
        a, b = a + step[0], b + step[1]
        if not (size > _TOLERANCE).any():
            break
    failed = ~(size <= 1e-6) | ~(np.abs(b) < _SEPARATED)
    slope = b / scale
    return np.where(failed[:, None], np.nan, np.column_stack([a - slope * centre, slope]))


def _fit_intercept(lp: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """The same with ``lp`` as an offset."""
    a = _logit_of_mean(y, weights) - lp.mean()
    size = np.full(len(weights), np.inf)
    for _ in range(_ITERATIONS):
        residual, curvature = _residual_and_curvature(a[:, None] + lp, y, weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = residual.sum(axis=1) / curvature.sum(axis=1)
        size = np.abs(step)
        a = a + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if not (size > _TOLERANCE).any():
            break
    return np.where((size <= 1e-6)[:, None], np.column_stack([a, np.ones_like(a)]), np.nan)


def _logit_of_mean(y: FloatArray, weights: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weights @ y / weights.sum(axis=1)
        return np.asarray(np.log(mean / (1 - mean)), dtype=np.float64)  # infinite with one status only, and then NaN below


def _residual_and_curvature(eta: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    fitted = 1 / (1 + np.exp(-np.clip(eta, -30, 30)))
    return weights * (y - fitted), weights * fitted * (1 - fitted)
