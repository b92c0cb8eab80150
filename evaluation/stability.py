"""How much a model would differ, had it been developed in other patients like these.

From the resample models of :mod:`evaluation.refits`, all asked about the original patients (Riley and Collins, Biom J 2023;
65:2200302): how far a patient's risk moves (prediction instability, MAPE), whether the patient would be called otherwise
(classification instability), how far calibration moves, and, for a model that chooses among predictors, what it would choose
(Heinze, Wallisch and Dunkler, Biom J 2018;60:431). Tables hold aggregates; :class:`Instability` is for drawing and holds no id.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.nonparametric.smoothers_lowess import lowess

from cohort.types import FloatArray
from evaluation.decision_curve import THRESHOLDS
from evaluation.estimate import unsupported
from evaluation.metrics.concordance import TIED
from evaluation.metrics.smooth_calibration import smooth_curves
from evaluation.metrics.status_weights import status_weights
from evaluation.optimism import MAX_FAILED
from evaluation.refits import Refits

_BOUNDS = (2.5, 97.5)
#: Share of the patients behind each point of a smooth bound, as in Riley and Collins' figures.
_SMOOTH = 0.3
#: As many sets of predictors are named, the most frequent first.
_MOST_SETS = 5
NOTHING_SELECTED = "none"
_NAN = float("nan")


@dataclass(frozen=True)
class Stability:
    """Instability of a model's risks at one horizon; NaN values come with a ``note``.

    mape_… : of a patient's mean absolute distance between the resample models' risk and the original one: mean, median and 90th
        percentile over patients, on the scale of the risk.
    range_median : median over patients of the distance between the 2.5th and the 97.5th percentile of a patient's risks.
    reclassified_… : mean share of resample models that call a patient otherwise than the original one does, at the Kaplan-Meier
        risk of the patients (``observed_risk``) and at 50 %.
    ici_… : the ICI (:mod:`evaluation.metrics.ici`) in the original patients, of the original model, and median and 2.5th and
        97.5th percentile of the resample models'.
    """

    horizon_months: float
    n_resamples: int
    n_failed: int
    mape_mean: float = _NAN
    mape_median: float = _NAN
    mape_p90: float = _NAN
    range_median: float = _NAN
    observed_risk: float = _NAN
    reclassified_observed: float = _NAN
    reclassified_50: float = _NAN
    ici_original: float = _NAN
    ici_median: float = _NAN
    ici_low: float = _NAN
    ici_high: float = _NAN
    note: str = ""


@dataclass(frozen=True, eq=False)
class Instability:
    """The arrays behind the figures, n patients in ascending order of the original ``risk`` (n,), without ids.

    resampled : (S, n) risks of the same patients. low, high : (n,) smoothed 2.5th and 97.5th percentiles of them. mape : (n,).
    calibration_risk, calibration_observed : (S + 1, n) the smooth calibration curve of each model, the original one first.
    thresholds, reclassified : (m,) mean share of resample models that call a patient otherwise.
    """

    risk: FloatArray
    resampled: FloatArray
    low: FloatArray
    high: FloatArray
    mape: FloatArray
    calibration_risk: FloatArray
    calibration_observed: FloatArray
    thresholds: FloatArray
    reclassified: FloatArray


def stability(refits: Refits, horizon_months: float) -> Stability:
    """The aggregates at one horizon."""
    failed = len(refits.failures)
    reason = unsupported(refits.outcome, horizon_months) or _too_few(refits)
    if reason:
        return Stability(horizon_months, refits.n_resamples, failed, note=reason)
    original, resampled = refits.original_at(horizon_months), refits.all_at(horizon_months)
    risk, others = original.risk[:, 0], resampled.risk.T
    mape = np.abs(others - risk).mean(axis=0)
    low, high = np.percentile(others, _BOUNDS, axis=0)
    observed = float(status_weights(original, np.ones((1, len(risk)))).observed[0])
    at_observed, at_50 = reclassified(risk, others, np.array([observed, 0.5]))
    curve_risk, curve = smooth_curves(resampled)
    ici = np.abs(curve - curve_risk).mean(axis=1)
    own_risk, own_curve = smooth_curves(original)
    return Stability(
        horizon_months,
        refits.n_resamples,
        failed,
        mape_mean=float(mape.mean()),
        mape_median=float(np.median(mape)),
        mape_p90=float(np.quantile(mape, 0.9)),
        range_median=float(np.median(high - low)),
        observed_risk=observed,
        reclassified_observed=float(at_observed),
        reclassified_50=float(at_50),
        ici_original=float(np.abs(own_curve - own_risk).mean()),
        ici_median=float(np.median(ici)),
        ici_low=float(np.percentile(ici, _BOUNDS[0])),
        ici_high=float(np.percentile(ici, _BOUNDS[1])),
        note=f"{failed} of {refits.n_resamples} resamples failed: {refits.failures[0]}" if failed else "",
    )


def instability(refits: Refits, horizon_months: float) -> Instability:
    """What is drawn at one horizon. Raises ``ValueError`` where :func:`stability` gives a reason instead of numbers."""
    reason = unsupported(refits.outcome, horizon_months) or _too_few(refits)
    if reason:
        raise ValueError(reason)
    original, resampled = refits.original_at(horizon_months), refits.all_at(horizon_months)
    order = np.argsort(original.risk[:, 0], kind="stable")
    risk, others = original.risk[order, 0], resampled.risk.T[:, order]
    low, high = np.percentile(others, _BOUNDS, axis=0)
    curves = [smooth_curves(at) for at in (original, resampled)]
    return Instability(
        risk,
        others,
        _smooth(risk, low),
        _smooth(risk, high),
        np.abs(others - risk).mean(axis=0),
        np.concatenate([curve_risk for curve_risk, _ in curves]),
        np.concatenate([curve for _, curve in curves]),
        THRESHOLDS,
        reclassified(risk, others, THRESHOLDS),
    )


def reclassified(risk: FloatArray, others: FloatArray, thresholds: FloatArray) -> FloatArray:
    """(m,) mean share of ``others`` (S, n) that lie on another side of each threshold (m,) than the patient's ``risk`` (n,)."""
    return np.array([((others >= t - TIED) != (risk >= t - TIED)).mean() for t in thresholds])


SELECTION_COLUMNS = ["kind", "name", "in_original", "n_selected", "share", "n_resamples", "n_failed"]


def selection(refits: Refits) -> pd.DataFrame:
    """How often each predictor, and each set of predictors, was chosen: a row a candidate, then a row for each frequent set.

    ``share`` is of the fitted resamples; rows of a kind stand from the most frequent down. Empty where the model does not choose.
    """
    if refits.selected is None or refits.original_selected is None or not refits.selected:
        return pd.DataFrame(columns=SELECTION_COLUMNS)
    single = Counter(name for chosen in refits.selected for name in chosen)
    sets = Counter(frozenset(chosen) for chosen in refits.selected)
    place = {name: number for number, name in enumerate(refits.candidates)}
    rows = [("predictor", name, name in refits.original_selected, single[name]) for name in refits.candidates]
    rows.sort(key=lambda row: (-row[3], place[row[1]]))
    named = [(count, sorted(chosen, key=place.__getitem__), chosen) for chosen, count in sets.items()]
    named.sort(key=lambda of: (-of[0], len(of[1]), of[1]))
    rows += [
        ("set", " + ".join(names) or NOTHING_SELECTED, chosen == frozenset(refits.original_selected), count)
        for count, names, chosen in named[:_MOST_SETS]
    ]
    fitted = len(refits.selected)
    content = [(*row, row[3] / fitted, refits.n_resamples, len(refits.failures)) for row in rows]
    return pd.DataFrame(content, columns=SELECTION_COLUMNS)


def _too_few(refits: Refits) -> str:
    failed = len(refits.failures)
    if failed > MAX_FAILED * refits.n_resamples:
        return f"{failed} of {refits.n_resamples} resamples failed: {refits.failures[0]}"
    return "" if len(refits.risk) >= 2 else "fewer than two resamples"


def _smooth(risk: FloatArray, bound: FloatArray) -> FloatArray:
    """``bound`` (n,) smoothed over the ascending ``risk``; patients of one risk have one value."""
    _, of_risk = np.unique(risk, return_inverse=True)
    mean_of_tied = (np.bincount(of_risk, bound) / np.bincount(of_risk))[of_risk]
    with np.errstate(invalid="ignore", divide="ignore"):  # a neighbourhood of no width: nothing to smooth
        smoothed = lowess(mean_of_tied, risk, frac=_SMOOTH, it=0, delta=0.01 * np.ptp(risk), is_sorted=True, return_sorted=False)
    return np.where(np.isfinite(smoothed), np.clip(smoothed, 0, 1), mean_of_tied)
