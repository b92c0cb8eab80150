"""External validation: a model learned from all of one cohort, frozen, and judged in another (TRIPOD type 3).

``frozen`` risks are the model's own. Beside them stand risks updated to the other cohort by logistic recalibration at the horizon
(Steyerberg et al. 2004, Stat Med 23:2567; patients weigh by the inverse probability of censoring):

    logit(updated risk) = a + logit(risk)           ``intercept``: right on average
    logit(updated risk) = a + b * logit(risk)       ``intercept_and_slope``: and spread as it should be

a and b are learned by cross-fitting in the other cohort: in each training part, for the patients of the test part, so that nobody
is judged by an update that saw him. An update cannot change the order of risks (unless b is negative), so what it may gain is
calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from cohort.types import Endpoint, FloatArray, Outcome
from evaluation.comparison import MEASURES, NULL_KEY, Measure, ModelKey, gain_row
from evaluation.estimate import Estimate, bootstrap_weights, estimate_cell, unsupported
from evaluation.metrics.recalibration import recalibrate, recalibrated
from evaluation.metrics.registry import METRICS
from evaluation.multiplicity import holm_within
from evaluation.predictions import HorizonPredictions, at_horizon
from evaluation.resampling import Split
from features.shared import SharedPredictors
from models.procedure import FittedProcedure

FROZEN, INTERCEPT, INTERCEPT_AND_SLOPE = "frozen", "intercept", "intercept_and_slope"

#: How risks are judged, and what it is called.
UPDATES: dict[str, str] = {
    FROZEN: "Frozen",
    INTERCEPT: "Recalibrated: intercept",
    INTERCEPT_AND_SLOPE: "Recalibrated: intercept and slope",
}

NO_SLOPE = "all patients have one risk: only the intercept was updated"

EXTERNAL_COMPARISON_COLUMNS = [
    *("population", "endpoint", "horizon_months", "update", "metric", "feature_set", "model"),
    *("difference", "ci_low", "ci_high", "p_value", "p_holm", "probability_of_practical_gain", "n", "n_events", "note"),
]


def predict_elsewhere(fitted: FittedProcedure, shared: SharedPredictors) -> pd.DataFrame:
    """Frozen risks of the other cohort's patients: repeat, fold (0: one fit for all), row, horizon_months, risk."""
    n = len(shared.test.frame)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "repeat": 0,
                    "fold": 0,
                    "row": np.arange(n),
                    "horizon_months": horizon,
                    "risk": fitted.risk_at(shared.test.frame, horizon),
                }
            )
            for horizon in fitted.horizons_months
        ],
        ignore_index=True,
    )


def update(frozen: pd.DataFrame, splits: Sequence[Split], kind: str) -> tuple[pd.DataFrame, dict[float, str]]:
    """Updated predictions of one model, in the schema of ``frozen`` (:mod:`evaluation.predictions`); horizon -> a remark.

    ``splits`` divide the patients in order of their id. ``repeat`` and ``fold`` become those of the split, for risks of two
    folds come from two updates. A horizon at which some training part allows no update is left out, and its remark says why.
    """
    if kind == FROZEN:
        return frozen, {}
    parts: list[pd.DataFrame] = []
    remarks: dict[float, str] = {}
    for horizon, rows in frozen.groupby("horizon_months", sort=True):
        months = float(str(horizon))
        at = at_horizon(frozen, months, months)
        with_slope = kind == INTERCEPT_AND_SLOPE and at.varies
        if kind == INTERCEPT_AND_SLOPE and not at.varies:
            remarks[months] = NO_SLOPE
        patients = rows.sort_values("patient_id")
        try:
            parts += [_updated_fold(patients, at, split, slope=with_slope) for split in splits]
        except ValueError as error:
            remarks[months] = str(error)
            parts = [part for part in parts if part["horizon_months"].iloc[0] != months]
    table = pd.concat(parts, ignore_index=True) if parts else frozen.iloc[:0]
    return table.astype(dict(frozen.dtypes)), remarks


def _updated_fold(patients: pd.DataFrame, at: HorizonPredictions, split: Split, *, slope: bool) -> pd.DataFrame:
    """The test part of a split under the update that its training part asks for."""
    train = HorizonPredictions(
        at.horizon_months, at.tau_months, at.outcome.subset(split.train), at.risk[split.train], at.fold[split.train]
    )
    a, b = recalibrate(train, np.ones((1, len(split.train))), slope=slope)[0]
    if not np.isfinite([a, b]).all():
        reason = unsupported(train.outcome, at.horizon_months) or "the recalibration does not converge (separation)"
        raise ValueError(f"no update from the training part of repeat {split.repeat} fold {split.fold}: {reason}")
    tested = patients.iloc[split.test]
    return tested.assign(repeat=split.repeat, fold=split.fold, risk=recalibrated(at.risk[split.test, 0], a, b))


def estimate_elsewhere(
    predictions: pd.DataFrame, remarks: Mapping[float, str], outcome: Outcome, endpoint: Endpoint, n_bootstraps: int, seed: int
) -> list[Estimate]:
    """All metrics at all horizons of an endpoint; where there is no prediction, the reason.

    Intervals are those of :func:`evaluation.estimate.estimate_cell`: resamples of the other cohort's patients, the model and the
    update held fixed. ``outcome`` (n,) is theirs.
    """
    predicted = tuple(h for h in endpoint.horizons_months if h in set(predictions["horizon_months"]))
    found: list[Estimate] = []
    if predicted:
        found = estimate_cell(predictions, replace(endpoint, horizons_months=predicted), n_bootstraps, seed)
    for horizon in endpoint.horizons_months:
        if horizon not in predicted:
            reason = remarks.get(horizon) or unsupported(outcome, horizon)
            reason = reason or "the training cohort's follow-up does not support the horizon"
            counts = (len(outcome), outcome.events_by(horizon))
            found += [Estimate(metric, horizon, np.nan, np.nan, np.nan, *counts, reason) for metric in METRICS]
    return sorted(found, key=lambda e: e.horizon_months)


def compare_with_null(
    models: Mapping[ModelKey, HorizonPredictions], kind: str, endpoint: Endpoint, population: str, n_bootstraps: int, seed: int
) -> pd.DataFrame:
    """Every model against the null model of the training cohort, both frozen or both updated alike, in the same patients.

    Columns :data:`EXTERNAL_COMPARISON_COLUMNS`. A difference is positive where the model is better; its interval is a
    percentile interval of the differences within each resample, its P value of the normal test with their standard deviation
    (the model did not see these patients, so no correction for overlapping training sets is due), corrected by Holm over the
    models of one question, update and metric. Ranks are compared for frozen risks only: an update does not change them.
    Empty where the null model is absent or the horizon cannot be evaluated.
    """
    null = models.get(NULL_KEY)
    if null is None or unsupported(null.outcome, null.horizon_months):
        return pd.DataFrame(columns=EXTERNAL_COMPARISON_COLUMNS)
    weights = np.concatenate(
        [np.ones((1, len(null.outcome))), bootstrap_weights(len(null.outcome), n_bootstraps, seed)]
    )  # the patients themselves first
    question = {"population": population, "endpoint": endpoint.name, "horizon_months": null.horizon_months, "update": kind}
    counts = {"n": len(null.outcome), "n_events": null.outcome.events_by(null.horizon_months)}
    rows = []
    for measure in MEASURES[endpoint.kind]:
        if kind != FROZEN and not measure.skill:
            continue
        of_null = measure.metric.compute(null, weights)
        for (feature_set, model), at in models.items():
            if (feature_set, model) == NULL_KEY:
                continue
            names = {"metric": measure.name, "feature_set": feature_set, "model": model}
            gained = measure.gain(measure.metric.compute(at, weights), of_null, of_null)
            rows.append(question | names | _difference(measure, gained) | counts)
    table = pd.DataFrame(rows, columns=EXTERNAL_COMPARISON_COLUMNS)
    return table.assign(p_holm=holm_within(table, ["metric"]))


def _difference(measure: Measure, gained: FloatArray) -> dict[str, object]:
    """``gained`` (1 + B,): in the patients themselves, then in each resample."""
    difference, resampled = float(gained[0]), gained[1:]
    row, note = gain_row(measure, difference, resampled)
    p_value = np.nan
    if np.isfinite([row["ci_low"], difference]).all():
        spread = float(resampled[np.isfinite(resampled)].std(ddof=1))
        p_value = 2 * float(norm.sf(abs(difference) / spread)) if spread > 1e-12 else float(abs(difference) <= 1e-12)
    return {**row, "p_value": p_value, "note": note}
