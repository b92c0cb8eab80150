"""How two cohorts differ: in their predictors, in their outcome, and whether a model can tell their patients apart.

A model may do worse elsewhere because it is wrong there, or because the patients are others: more alike (ranks are harder), or of
another risk. These tables say how much of the second there is (Debray et al. 2015, J Clin Epidemiol 68:279).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cohort.describe import kaplan_meier_steps
from cohort.dictionary import Variable
from cohort.intervals import Z_95
from cohort.types import ENDPOINTS, Cohort, FloatArray, Outcome
from evaluation.estimate import bootstrap_weights, percentile_interval, unsupported
from evaluation.metrics.auc import AUC
from evaluation.predictions import HorizonPredictions
from features.encode import MISSING, PredictorEncoder
from features.shared import SharedPredictors, shared_variables

#: Folds and repeats of the membership model.
_FOLDS, _REPEATS = 5, 4

CASE_MIX_COLUMNS = [
    *("population", "what", "name", "level", "unit", "horizon_months"),
    *("train_n", "train_n_missing", "train_value", "train_spread", "test_n", "test_n_missing", "test_value", "test_spread"),
    *("difference", "ci_low", "ci_high", "note"),
]
"""``what`` is one of

``mean``        of a number: value its mean, spread its standard deviation; difference: standardised (SMD).
``log_mean``    of a number that the dictionary calls skewed: the same of log(1 + number).
``share``       of a level: value in [0, 1]; difference: standardised (SMD).
``risk``        Kaplan-Meier risk of an endpoint by a horizon: spread its standard error; difference: of the two risks.
``membership``  how well a model tells the cohorts' patients apart: difference: its C statistic; 0.5 = not at all.

Differences are of the test cohort to the training cohort.
"""


def case_mix(
    train: Cohort, test: Cohort, population: str, shared: Iterable[SharedPredictors], n_bootstraps: int, seed: int
) -> pd.DataFrame:
    """All differences in one population, columns :data:`CASE_MIX_COLUMNS`. ``shared`` holds each feature set's predictors."""
    ours, theirs = train.population(population), test.population(population)
    rows = [row for v in shared_variables(train, test, population) for row in _predictor_rows(v, ours.frame, theirs.frame)]
    for endpoint in ENDPOINTS.values():
        if endpoint.kind == "time":  # its horizons hold those of the binary endpoints
            outcomes = ours.outcome(endpoint.source), theirs.outcome(endpoint.source)
            rows += [_risk_row(endpoint.name, horizon, *outcomes) for horizon in endpoint.horizons_months]
    rows += [_membership_row(each, n_bootstraps, seed) for each in shared]
    return pd.DataFrame([{"population": population, **row} for row in rows], columns=CASE_MIX_COLUMNS)


def standardised_difference(train: FloatArray, test: FloatArray) -> tuple[float, float, float]:
    """(test - train) mean over the root of the mean variance, with its 95 % interval (Hedges and Olkin 1985, large samples).

    Values are known ones; 0/1 for a level (Austin 2009). NaN where neither cohort varies, or one has fewer than two values.
    """
    if min(len(train), len(test)) < 2:
        return float("nan"), float("nan"), float("nan")
    # The divisor of a 0/1 variable is p (1 - p), of a number the sample variance.
    ddof = 0 if set(np.unique(np.concatenate([train, test]))) <= {0.0, 1.0} else 1
    spread = np.sqrt((train.var(ddof=ddof) + test.var(ddof=ddof)) / 2)
    if spread <= 0:
        return float("nan"), float("nan"), float("nan")
    d = float((test.mean() - train.mean()) / spread)
    error = np.sqrt((len(train) + len(test)) / (len(train) * len(test)) + d**2 / (2 * (len(train) + len(test))))
    return d, d - Z_95 * float(error), d + Z_95 * float(error)


def _predictor_rows(variable: Variable, train: pd.DataFrame, test: pd.DataFrame) -> list[dict[str, object]]:
    """One row for a number (on the log scale where the dictionary says so), one for each level but the first of a factor."""
    if variable.is_numeric:
        numbers = [frame[variable.name].to_numpy(dtype=np.float64, na_value=np.nan) for frame in (train, test)]
        numbers = [np.log1p(values) for values in numbers] if variable.skewed else numbers
        what = "log_mean" if variable.skewed else "mean"
        return [{"what": what, "name": variable.name, "unit": variable.unit, **_compared(*numbers)}]
    rows = []
    for level in variable.levels[1:]:
        ours, theirs = (
            np.where(frame[variable.name].notna(), (frame[variable.name] == level).astype("float64"), np.nan)
            for frame in (train, test)
        )
        rows.append({"what": "share", "name": variable.name, "level": level, **_compared(ours, theirs)})
    return rows


def _compared(train: FloatArray, test: FloatArray) -> dict[str, object]:
    known = [values[~np.isnan(values)] for values in (train, test)]
    d, low, high = standardised_difference(*known)
    row: dict[str, object] = {"difference": d, "ci_low": low, "ci_high": high}
    for cohort, values, all_values in zip(("train", "test"), known, (train, test), strict=True):
        row |= {f"{cohort}_n": len(values), f"{cohort}_n_missing": len(all_values) - len(values)}
        row |= {f"{cohort}_value": float(values.mean()), f"{cohort}_spread": float(values.std(ddof=min(1, len(values) - 1)))}
    return row | {"note": "" if np.isfinite(d) else "it varies in neither cohort, or is known in one patient only"}


def _risk_row(endpoint: str, horizon: float, train: Outcome, test: Outcome) -> dict[str, object]:
    row: dict[str, object] = {"what": "risk", "name": endpoint, "horizon_months": horizon}
    risks, errors, notes = [], [], []
    for cohort, outcome in (("train", train), ("test", test)):
        reason = unsupported(outcome, horizon)
        risk, error = (np.nan, np.nan) if reason else _risk(outcome, horizon)
        row |= {f"{cohort}_n": len(outcome), f"{cohort}_n_missing": int(np.isnan(outcome.status_at(horizon)).sum())}
        row |= {f"{cohort}_value": risk, f"{cohort}_spread": error}
        risks.append(risk)
        errors.append(error)
        notes += [f"{cohort}: {reason}"] if reason else []
    difference, error = risks[1] - risks[0], float(np.hypot(errors[0], errors[1]))
    bounds = {"ci_low": difference - Z_95 * error, "ci_high": difference + Z_95 * error}
    return row | {"difference": difference, **bounds, "note": "; ".join(notes)}


def _risk(outcome: Outcome, horizon: float) -> tuple[float, float]:
    """Kaplan-Meier risk by the horizon and its standard error (Greenwood)."""
    times, survival, error = kaplan_meier_steps(outcome)
    step = int(np.searchsorted(times, horizon, side="right")) - 1
    return (0.0, 0.0) if step < 0 else (float(1 - survival[step]), float(survival[step] * error[step]))


@dataclass(frozen=True)
class Membership:
    """C statistic of the membership model, cross-validated, with its interval."""

    c: float
    ci_low: float
    ci_high: float
    note: str = ""


def membership(shared: SharedPredictors, n_bootstraps: int, seed: int) -> Membership:
    """How well the shared predictors tell the cohorts' patients apart: 0.5, not at all; 1, wholly.

    Logistic regression with a light ridge, predictors standardised and missing ones at the training median inside each training
    fold (that a value is missing is no predictor: this is about patients, not about records), repeated stratified
    cross-validation; ranks are compared inside test folds. Interval: bootstrap of patients.
    """
    frame = pd.concat([shared.train.frame, shared.test.frame], ignore_index=True)
    in_test = np.repeat([False, True], [len(shared.train.frame), len(shared.test.frame)])
    n_folds = min(_FOLDS, int(in_test.sum()), int((~in_test).sum()))
    if n_folds < 2:
        return Membership(np.nan, np.nan, np.nan, "too few patients for two folds")
    risk, fold = np.zeros((len(frame), _REPEATS)), np.zeros((len(frame), _REPEATS), dtype=np.int16)
    splits = RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=_REPEATS, random_state=seed)
    for number, (learn, ask) in enumerate(splits.split(frame, in_test)):
        encoder = PredictorEncoder(shared.train.skewed).fit(frame.iloc[learn])
        x = encoder.transform(frame)
        known = x[[name for name in x if not str(name).endswith(MISSING)]].to_numpy(dtype=np.float64)
        if not known.shape[1]:
            return Membership(np.nan, np.nan, np.nan, "no predictor varies")
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000)).fit(known[learn], in_test[learn])
        risk[ask, number // n_folds] = model.predict_proba(known[ask])[:, 1]
        fold[ask, number // n_folds] = number % n_folds
    # Membership is an outcome known of everybody at time 1.
    at = HorizonPredictions(1.0, 1.0, Outcome(np.ones(len(frame)), in_test), risk, fold)
    c = float(AUC.compute(at, np.ones((1, len(frame))))[0])
    low, high, note = percentile_interval(AUC.compute(at, bootstrap_weights(len(frame), n_bootstraps, seed)))
    return Membership(c, low, high, note)


def _membership_row(shared: SharedPredictors, n_bootstraps: int, seed: int) -> dict[str, object]:
    told_apart = membership(shared, n_bootstraps, seed)
    return {
        "what": "membership",
        "name": shared.train.feature_set,
        "train_n": len(shared.train.frame),
        "test_n": len(shared.test.frame),
        "difference": told_apart.c,
        "ci_low": told_apart.ci_low,
        "ci_high": told_apart.ci_high,
        "note": told_apart.note,
    }
