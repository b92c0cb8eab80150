"""The distance from predicted risk to a smooth calibration curve, for all bootstrap weights at once: what ICI, E50 and E90 share.

    logit P(event by the horizon) = restricted cubic spline, with three knots, of logit(risk)

as in Austin and Steyerberg (2019) and in Austin, Harrell and van Klaveren (2020), who for survival fit the spline in a Cox model.
Here the logistic regression is weighted by the inverse probability of censoring instead: proportional hazards are not asked for,
and without censoring it is the curve of binary outcomes. Knots are the 10th, 50th and 90th percentile of the drawn patients'
logits, so every resample has its own curve. One curve a repeat.

The distances are those of all drawn patients, the censored too. None is negative, so chance alone keeps them above 0, in
resamples more than in the patients they are drawn from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohort.types import FloatArray
from evaluation.metrics.memo import last_results_kept
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions

KNOTS = (0.1, 0.5, 0.9)
#: A curve has to be fitted to every resample of every repeat, which no other metric asks: this many resamples make the interval.
MOST_RESAMPLES = 500
_CLIP = 1e-6
_ITERATIONS = 60
#: Newton's method ends with a step that promises less than this gain in the mean log likelihood; what is left is its square.
_TOLERANCE = 1e-9
_LONGEST_STEP = 3.0
#: Added to the information, as a share of the weight: holds the coefficient of a term that is 0 throughout at 0, alters no curve.
_RIDGE = 1e-12
#: Shares of weight nearer than this are one: sums of weights round.
_SAME_SHARE = 1e-9
#: Rows of weights handled at once, to stay near the processor.
_BATCH = 256


@dataclass(frozen=True, eq=False)
class CalibrationErrors:
    """Mean, median and 90th percentile of the distances, (B,) each."""

    ici: FloatArray
    e50: FloatArray
    e90: FloatArray


@last_results_kept
def calibration_errors(predictions: HorizonPredictions, weights: FloatArray) -> CalibrationErrors:
    """Averaged over repeats. NaN where a row of weights has one status only."""
    known = status_weights(predictions, weights)
    everybody = np.ones((1, len(known.event)))
    case_weights_of_everybody = status_weights(predictions, everybody).weights
    sums = np.zeros((3, len(weights)))
    for risk in predictions.risk.T:
        by_risk = np.argsort(risk, kind="stable")
        z, event, risk_in_order = _standardised_logit(risk[by_risk]), known.event[by_risk], risk[by_risk]
        start = _curve(z, _bend(z, everybody), event, case_weights_of_everybody[:, by_risk], np.zeros_like(z))[0]
        for first in range(0, len(weights), _BATCH):
            rows = slice(first, first + _BATCH)
            drawn = np.take(weights[rows], by_risk, axis=1)
            curve = _risk(_curve(z, _bend(z, drawn), event, np.take(known.weights[rows], by_risk, axis=1), start))
            sums[:, rows] += _mean_median_and_90th(np.abs(curve - risk_in_order), drawn)
    sums[:, np.isnan(known.observed)] = np.nan
    return CalibrationErrors(*(sums / predictions.risk.shape[1]))


def smooth_curves(predictions: HorizonPredictions) -> tuple[FloatArray, FloatArray]:
    """(R, n) risks of every repeat in ascending order, and the observed risk that its smooth curve has at each."""
    everybody = np.ones((1, len(predictions.outcome)))
    known = status_weights(predictions, everybody)
    curves = np.empty(predictions.risk.shape[::-1])
    for curve, risk in zip(curves, predictions.risk.T, strict=True):
        by_risk = np.argsort(risk, kind="stable")
        z = _standardised_logit(risk[by_risk])
        weights = known.weights[:, by_risk]
        curve[:] = _risk(_curve(z, _bend(z, everybody), known.event[by_risk], weights, np.zeros_like(z)))[0]
    return np.sort(predictions.risk.T, axis=1), curves


def _standardised_logit(risk: FloatArray) -> FloatArray:
    clipped = np.clip(risk, _CLIP, 1 - _CLIP)
    logit = np.log(clipped / (1 - clipped))
    return np.asarray((logit - logit.mean()) / max(float(logit.std()), 1e-12), dtype=np.float64)


def _bend(z: FloatArray, drawn: FloatArray) -> FloatArray:
    """(B, n) what a restricted cubic spline adds to a straight line in ``z`` (n,), which rises; 0 where knots coincide.

    ``drawn`` (B, n) are patient weights; a knot is the smallest value by which its share of them is reached.
    """
    low, middle, high = (z[place][:, None] for place in _places(drawn, KNOTS))
    distinct = (low < middle) & (middle < high)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(distinct, (middle - low) / (high - low), 0.5)
        scale = np.where(distinct, 1 / ((1 - share) * (high - low) ** 2), 0.0)
    bend = np.zeros_like(drawn)
    for knot, factor in ((low, (1 - share) * scale), (middle, -scale), (high, share * scale)):
        beyond = np.maximum(z - knot, 0)
        cubed = beyond * beyond
        cubed *= beyond
        cubed *= factor
        bend += cubed
    return bend


def _places(drawn: FloatArray, shares: tuple[float, ...]) -> list[npt.NDArray[np.intp]]:
    """For each of ``shares`` (B,): the first place by which that share of a row of weights ``drawn`` (B, n) is reached."""
    rising = np.cumsum(drawn, axis=1)
    row = np.arange(len(drawn))
    rising *= 1 / rising[:, -1:]
    rising += row[:, None]  # every row a unit above the one before: all are one sorted array
    return [np.searchsorted(rising.ravel(), row + share - _SAME_SHARE) - row * drawn.shape[1] for share in shares]


def _risk(eta: FloatArray) -> FloatArray:
    """Logistic function of ``eta``, in its place."""
    np.clip(eta, -30, 30, out=eta)
    np.negative(eta, out=eta)
    np.exp(eta, out=eta)
    eta += 1
    return np.reciprocal(eta, out=eta)


def _curve(z: FloatArray, bend: FloatArray, event: FloatArray, weights: FloatArray, start: FloatArray) -> FloatArray:
    """(B, n) logit of the risk by weighted logistic regressions on ``z`` (n,) and ``bend`` (B, n), by Newton's method.

    ``start`` (n,) is a first guess of that logit, not needfully a curve of this kind: the better, the fewer steps. Where risks
    separate the events from the rest the coefficients have no end but the curve has: it is then near its limit.
    """
    powers = np.column_stack([np.ones_like(z), z, z * z])
    coefficients = np.zeros((len(weights), 3))
    at_work, bends = np.arange(len(weights)), bend
    for number in range(_ITERATIONS):
        total = weights.sum(axis=1)
        fitted = _risk(_eta(z, bends, coefficients[at_work]) if number else start[None, :].copy())
        residual, variance = event - fitted, fitted * (1 - fitted)
        if not number:
            residual += variance * start  # the score at coefficients of 0, as the information at the guess foretells it
        residual, information = residual * weights, variance * weights
        score = np.column_stack([residual @ powers[:, :2], np.einsum("bi,bi->b", residual, bends)])
        step = _solved(powers, bends, information, _RIDGE * total, score)
        if number:
            step *= np.minimum(1, _LONGEST_STEP / np.maximum(np.abs(step).max(axis=1), _LONGEST_STEP))[:, None]
        coefficients[at_work] += step
        unfinished = np.einsum("bk,bk->b", score, step) > _TOLERANCE * total
        if number and not unfinished.any():
            break
        if number and unfinished.mean() < 0.7:
            at_work, weights, bends = at_work[unfinished], weights[unfinished], bends[unfinished]
    return _eta(z, bend, coefficients)


def _eta(z: FloatArray, bend: FloatArray, coefficients: FloatArray) -> FloatArray:
    level, slope, curvature = (coefficients[:, [k]] for k in range(3))
    eta = bend * curvature
    eta += slope * z
    eta += level
    return eta


def _solved(powers: FloatArray, bend: FloatArray, information: FloatArray, ridge: FloatArray, score: FloatArray) -> FloatArray:
    """(B, 3) Newton's steps for ``score`` (B, 3): level, slope and bend eliminated in turn."""
    bent = information * bend
    h00, h01, h11 = (information @ powers).T
    h02, h12 = (bent @ powers[:, :2]).T
    h22 = np.einsum("bi,bi->b", bent, bend)
    g0, g1, g2 = score.T
    ridge = ridge + np.finfo(np.float64).tiny
    h00 = h00 + ridge
    slope, curvature = h01 / h00, h02 / h00
    h11, h12, h22 = np.maximum(h11 - slope * h01, ridge), h12 - slope * h02, h22 - curvature * h02
    g1, g2 = g1 - slope * g0, g2 - curvature * g0
    h22, g2 = np.maximum(h22 - h12 * h12 / h11, ridge), g2 - h12 * g1 / h11
    bend_step = np.where(h22 > ridge, g2 / h22, 0.0)
    slope_step = np.where(h11 > ridge, (g1 - h12 * bend_step) / h11, 0.0)
    return np.column_stack([(g0 - h01 * slope_step - h02 * bend_step) / h00, slope_step, bend_step])


def _mean_median_and_90th(distance: FloatArray, drawn: FloatArray) -> FloatArray:
    """(3, B) weighted mean and percentiles of ``distance`` (B, n), a percentile being the smallest value that a share reaches."""
    order, row = _argsort(distance), np.arange(len(distance))
    median, high = (distance[row, order[row, at]] for at in _places(np.take_along_axis(drawn, order, axis=1), (0.5, 0.9)))
    return np.stack([np.einsum("bi,bi->b", distance, drawn) / drawn.sum(axis=1), median, high])


def _argsort(positive: FloatArray) -> npt.NDArray[np.int64]:
    """Order of each row of numbers above or at 0: whole numbers with the place in their last bits sort far faster than places do.

    Numbers that differ in those bits alone, by less than one part in 10^9 up to a million patients, may change places.
    """
    n_bits = positive.shape[1].bit_length()
    mask = (1 << n_bits) - 1
    packed = (positive.view(np.int64) & ~mask) | np.arange(positive.shape[1])
    packed.sort(axis=1)
    return np.asarray(packed & mask, dtype=np.int64)
