"""Logistic recalibration of the predicted risk, for all bootstrap weights at once: what intercept and slope share.

    logit P(event by the horizon) = a + b * logit(risk)

Patients weigh by the inverse probability of censoring; a patient's R repeats share the weight.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from cohort.types import FloatArray, IntArray
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions

_CLIP = 1e-6
_ITERATIONS = 25
#: Newton's method ends with a step shorter than this; what is left then is about its square.
_TOLERANCE = 1e-6
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
    known = status_weights(predictions, weights)
    everybody = status_weights(predictions, np.ones((1, len(known.event)))).weights
    n_repeats = predictions.risk.shape[1]
    lp = _logit(predictions.risk).T.ravel()  # repeat by repeat
    y = np.tile(known.event, n_repeats)
    fit = _fit_both if slope else _fit_intercept

    def fitted(case_weights: FloatArray, start: FloatArray | None) -> FloatArray:
        return fit(lp, y, np.tile(case_weights / n_repeats, (1, n_repeats)), start)

    start = fitted(everybody, None)[0]  # resamples lie near: half the steps are saved
    batches = range(0, len(weights), _BATCH)
    return np.concatenate([fitted(known.weights[i : i + _BATCH], start if np.isfinite(start).all() else None) for i in batches])


def recalibrated(risk: FloatArray, intercept: float, slope: float) -> FloatArray:
    """The ``risk`` (of any shape) that an intercept and a slope of :func:`recalibrate` make of a risk."""
    return np.asarray(expit(intercept + slope * _logit(risk)), dtype=np.float64)


def _logit(risk: FloatArray) -> FloatArray:
    return np.asarray(logit(np.clip(risk, _CLIP, 1 - _CLIP)), dtype=np.float64)


def _fit_both(lp: FloatArray, y: FloatArray, weights: FloatArray, start: FloatArray | None) -> FloatArray:
    """Newton's method for (B, N) ``weights``, on the standardised ``lp`` (N,), from ``start`` (2,) or the null model."""
    centre, scale = lp.mean(), max(float(lp.std()), 1e-12)
    z = (lp - centre) / scale
    powers = np.column_stack([np.ones_like(z), z, z**2])
    a, b = _logit_of_mean(y, weights), np.zeros(len(weights))
    if start is not None:
        a, b = np.where(np.isfinite(a), start[0] + start[1] * centre, np.nan), b + start[1] * scale
    size = np.full(len(weights), np.inf)
    at_work, drawn = np.arange(len(weights)), weights
    for _ in range(_ITERATIONS):
        residual, curvature = _residual_and_curvature(a[at_work, None] + b[at_work, None] * z, y, drawn)
        (g0, g1), (h00, h01, h11) = (residual @ powers[:, :2]).T, (curvature @ powers).T
        with np.errstate(invalid="ignore", divide="ignore"):
            determinant = h00 * h11 - h01**2
            step = np.stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0]) / determinant
            longest = np.abs(step).max(axis=0)
            step *= np.minimum(1, _LONGEST_STEP / np.maximum(longest, 1e-300))
        a[at_work], b[at_work], size[at_work] = a[at_work] + step[0], b[at_work] + step[1], longest
        at_work, drawn = _unfinished(at_work, drawn, longest)
        if not len(at_work):
            break
    failed = ~(size <= _TOLERANCE) | ~(np.abs(b) < _SEPARATED)
    slope = b / scale
    return np.where(failed[:, None], np.nan, np.column_stack([a - slope * centre, slope]))


def _fit_intercept(lp: FloatArray, y: FloatArray, weights: FloatArray, start: FloatArray | None) -> FloatArray:
    """The same with ``lp`` as an offset."""
    a = _logit_of_mean(y, weights)
    a = a - lp.mean() if start is None else np.where(np.isfinite(a), start[0], np.nan)
    size = np.full(len(weights), np.inf)
    at_work, drawn = np.arange(len(weights)), weights
    for _ in range(_ITERATIONS):
        residual, curvature = _residual_and_curvature(a[at_work, None] + lp, y, drawn)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = residual.sum(axis=1) / curvature.sum(axis=1)
        a[at_work], size[at_work] = a[at_work] + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP), np.abs(step)
        at_work, drawn = _unfinished(at_work, drawn, np.abs(step))
        if not len(at_work):
            break
    return np.where((size <= _TOLERANCE)[:, None], np.column_stack([a, np.ones_like(a)]), np.nan)


def _unfinished(at_work: IntArray, drawn: FloatArray, size: FloatArray) -> tuple[IntArray, FloatArray]:
    """The rows whose last step was long, or all as long as most of them are."""
    long = size > _TOLERANCE  # not NaN: that row has no solution
    if not long.any():
        return at_work[:0], drawn[:0]
    return (at_work[long], drawn[long]) if long.mean() < 0.5 else (at_work, drawn)


def _logit_of_mean(y: FloatArray, weights: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weights @ y / weights.sum(axis=1)
        return np.asarray(np.log(mean / (1 - mean)), dtype=np.float64)  # infinite with one status only, and then NaN below


def _residual_and_curvature(eta: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    fitted = 1 / (1 + np.exp(-np.clip(eta, -30, 30)))
    return weights * (y - fitted), weights * fitted * (1 - fitted)
