"""Leave one centre out: learn from all centres but one, judge in it, and pool what was found.

This internal-external cross-validation asks whether a model holds in a centre that it has not seen, which folds drawn over all
centres do not (Royston, Parmar and Sylvester 2004, Stat Med 23:907; Debray et al. 2013, Stat Med 32:3158). Each centre's metrics
have a bootstrap of its own patients; they are pooled by random effects on the scale on which they are roughly normal (Debray et
al. 2019, Stat Methods Med Res 28:2768): logit for AUC and C, log for O/E, calibration slope and intercept as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from cohort.errors import CohortError
from cohort.types import Endpoint, FloatArray, IntArray
from evaluation.estimate import bootstrap_weights, percentile_interval, unsupported
from evaluation.meta_analysis import pool
from evaluation.metrics.metric import Metric
from evaluation.metrics.registry import METRICS
from evaluation.predictions import HorizonPredictions, at_horizon
from evaluation.resampling import Split

#: A centre with fewer patients with the event by the horizon, or without it, is not judged alone: it is named.
FEWEST = 10

CENTRE_COLUMNS = [
    *("population", "endpoint", "feature_set", "model", "horizon_months", "metric", "centre"),
    *("n", "n_events", "estimate", "ci_low", "ci_high", "error", "note"),
]
POOLED_COLUMNS = [
    *("population", "endpoint", "feature_set", "model", "horizon_months", "metric"),
    *("n_centres", "estimate", "ci_low", "ci_high", "prediction_low", "prediction_high", "tau2", "i2", "p_heterogeneity", "note"),
]


#: In place of a centre's name.
POOLED = "pooled"
INTERNAL_EXTERNAL_COLUMNS = [
    *(*CENTRE_COLUMNS[:-1], "n_centres"),
    *("prediction_low", "prediction_high", "tau2", "i2", "p_heterogeneity", "note"),
]


@dataclass(frozen=True)
class _Scale:
    """The scale on which a metric is pooled, and the way back."""

    to: Callable[[npt.ArrayLike], FloatArray]
    back: Callable[[npt.ArrayLike], FloatArray]


def _as_it_is(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


_LOGIT, _LOG, _PLAIN = _Scale(logit, expit), _Scale(np.log, np.exp), _Scale(_as_it_is, _as_it_is)

#: What is pooled, and on which scale. ``error`` and ``tau2`` are on that scale, all else on the metric's own.
POOLED_METRICS: dict[str, _Scale] = {
    "auc": _LOGIT,
    "c_harrell": _LOGIT,
    "c_uno": _LOGIT,
    "o_e": _LOG,
    "calibration_slope": _PLAIN,
    "calibration_intercept": _PLAIN,
}


def centre_splits(centres: Sequence[str] | npt.NDArray[np.object_]) -> tuple[tuple[Split, ...], tuple[str, ...]]:
    """One split a centre, whose patients are its test part, and the centres' names; ``fold`` is the place in them.

    Patients whose centre is not known are trained on, and tested nowhere. Raises ``CohortError`` for fewer than two centres.
    """
    named = pd.Series(list(centres), dtype=object)
    names = tuple(sorted(map(str, named.dropna().unique())))
    if len(names) < 2:
        raise CohortError(f"leaving one centre out needs two or more; the cohort names {len(names)}")
    of_patient = named.map(lambda centre: None if pd.isna(centre) else str(centre))
    rows: IntArray = np.arange(len(named))
    splits = []
    for number, name in enumerate(names):
        inside = (of_patient == name).to_numpy(dtype=np.bool_)
        splits.append(Split(0, number, rows[~inside], rows[inside]))
    return tuple(splits), names


def centre_estimates(
    predictions: pd.DataFrame,
    centres: Sequence[str],
    endpoint: Endpoint,
    n_bootstraps: int,
    seed: int,
    failures: Mapping[int, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """Every metric of :data:`POOLED_METRICS` in every centre: columns :data:`CENTRE_COLUMNS` without the cell's names.

    ``predictions`` (:mod:`evaluation.predictions`) have the centre's place in ``centres`` as ``fold``. A centre that cannot be
    judged has rows with the reason. Patients are those tested; a centre's interval is the percentile interval over resamples of
    its patients, ``error`` the standard deviation over them on the scale of pooling. ``failures``: why a centre, by its place,
    has no predictions.
    """
    rows = []
    for horizon in endpoint.horizons_months:
        for number, centre in enumerate(centres):
            inside = predictions[predictions["fold"] == number]
            absent = failures.get(number, "the follow-up of all patients does not support the horizon")
            rows += _of_centre(inside, centre, horizon, endpoint, n_bootstraps, seed, absent)
    return pd.DataFrame(rows, columns=CENTRE_COLUMNS[4:])


def centre_table(centres: pd.DataFrame, pooled: pd.DataFrame) -> pd.DataFrame:
    """The centres of :func:`centre_estimates`, and below them, as the centre :data:`POOLED`, those of :func:`pool_centres`."""
    rows = [*centres.to_dict("records"), *pooled.assign(centre=POOLED).to_dict("records")]
    return pd.DataFrame(rows, columns=INTERNAL_EXTERNAL_COLUMNS[4:])


def _of_centre(
    inside: pd.DataFrame, centre: str, horizon: float, endpoint: Endpoint, n_bootstraps: int, seed: int, absent: str
) -> list[dict[str, object]]:
    named: dict[str, object] = {"horizon_months": horizon, "centre": centre}
    if horizon not in set(inside["horizon_months"]):
        note = f"no prediction: {absent}"
        return [{**named, "metric": metric, "n": 0, "n_events": 0, "note": note} for metric in POOLED_METRICS]
    at = at_horizon(inside, horizon, endpoint.tau_months)
    status = at.outcome.status_at(horizon)
    n_events, n_free = int((status == 1).sum()), int((status == 0).sum())
    counts: dict[str, object] = {"n": len(at.outcome), "n_events": n_events}
    too_few = f"{n_events} patients with the event and {n_free} without it by {horizon:g} months: fewer than {FEWEST} of either"
    reason = unsupported(at.outcome, horizon) or (too_few if min(n_events, n_free) < FEWEST else "")
    if reason:
        return [{**named, **counts, "metric": metric, "note": reason} for metric in POOLED_METRICS]
    weights = bootstrap_weights(len(at.outcome), n_bootstraps, seed)
    return [{**named, **counts, **_judged(METRICS[metric], at, weights)} for metric in POOLED_METRICS]


def _judged(metric: Metric, at: HorizonPredictions, weights: FloatArray) -> dict[str, object]:
    row: dict[str, object] = {"metric": metric.name}
    if metric.needs_variation and not at.varies:
        return row | {"note": "all patients of the centre have one risk"}
    value = float(metric.compute(at, np.ones((1, len(at.outcome))))[0])
    if not np.isfinite(value):
        return row | {"note": metric.undefined}
    resampled = metric.compute(at, weights)
    low, high, note = percentile_interval(resampled)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = POOLED_METRICS[metric.name].to(resampled)
    usable = scaled[np.isfinite(scaled)]
    error = float(usable.std(ddof=1)) if np.isfinite(low) and len(usable) > 1 else np.nan
    return row | {"estimate": value, "ci_low": low, "ci_high": high, "error": error, "note": note}


def pool_centres(estimates: pd.DataFrame) -> pd.DataFrame:
    """Every metric and horizon over the centres judged: columns :data:`POOLED_COLUMNS` without the cell's names.

    ``note`` names the centres that are left out, with the reason. ``tau2`` is on the scale of pooling.
    """
    rows = []
    for (horizon, metric), of_metric in estimates.groupby(["horizon_months", "metric"], sort=False):
        scale = POOLED_METRICS[str(metric)]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = scale.to(of_metric["estimate"].to_numpy(dtype=np.float64))
        errors = of_metric["error"].to_numpy(dtype=np.float64)
        usable = np.isfinite(values) & np.isfinite(errors) & (errors > 1e-9)
        left_out = [
            f"{row['centre']} ({row['note'] or 'no standard error: all resamples agree'})"
            for _, row in of_metric[~usable].iterrows()
        ]
        notes = [f"left out: {'; '.join(left_out)}"] if left_out else []
        found: dict[str, object] = {"horizon_months": horizon, "metric": metric, "n_centres": int(usable.sum())}
        if usable.sum() < 2:
            notes.insert(0, "fewer than two centres could be judged")
        else:
            pooled = pool(values[usable], errors[usable])
            own = ("mean", "ci_low", "ci_high", "prediction_low", "prediction_high")
            names = ("estimate", *own[1:])
            found |= {name: float(scale.back(getattr(pooled, part))) for name, part in zip(names, own, strict=True)}
            found |= {"tau2": pooled.tau2, "i2": pooled.i2, "p_heterogeneity": pooled.p_heterogeneity}
            if pooled.n_studies < 3:
                notes.append("no prediction interval from fewer than three centres")
        rows.append({**found, "note": "; ".join(notes)})
    return pd.DataFrame(rows, columns=POOLED_COLUMNS[4:])
