"""Leaks: predictors that know too much, and procedures that learn from test patients.

The field's best validated models reach an AUC of about 0.75 here. One predictor alone above that knows the outcome until shown
otherwise: a column derived from it, or one filled in after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from cohort.dictionary import DICTIONARY, KnownAt
from cohort.errors import CohortError
from cohort.types import FloatArray, IntArray, Outcome
from evaluation.estimate import bootstrap_weights, unsupported
from evaluation.metrics.auc import AUC
from evaluation.predictions import HorizonPredictions
from evaluation.resampling import Split
from features.encode import PredictorEncoder
from features.feature_set import Predictors

#: The best discrimination that the field has validated.
FIELD_BEST_AUC = 0.75
#: A suspect's 2.5 % bound must lie above this.
_SURELY_INFORMATIVE = 0.60
BOOTSTRAPS = 200
#: Pairs grow with the square of the patients; this many are enough to see a leak.
_MAX_PATIENTS = 2000


class LeakSuspected(CohortError):
    """Predictors that discriminate better than the field's best models."""


@dataclass(frozen=True)
class LeakFinding:
    """One encoded predictor that is too good, alone, at a horizon."""

    predictor: str
    horizon_months: float
    auc: float
    ci_low: float

    def __str__(self) -> str:
        auc = f"AUC {self.auc:.2f} (95 % bound {self.ci_low:.2f})"
        return f"{self.predictor}: alone it has {auc} at {self.horizon_months:g} months"


def too_good_predictors(predictors: Predictors, outcome: Outcome, horizons_months: tuple[float, ...]) -> list[LeakFinding]:
    """Predictors whose AUC alone exceeds :data:`FIELD_BEST_AUC` at a horizon.

    Looked at are the encoded columns, the patterns of what is missing, and every factor of three or more levels as a whole: a
    column made from the outcome may spread it over levels none of which discriminates alone.
    """
    rows = patients_looked_at(len(outcome))
    frame, part = predictors.frame.iloc[rows], outcome.subset(rows)
    # A look at all patients, from which nothing is learnt that a model sees.
    encoded = PredictorEncoder(impute=True).fit(frame).transform(frame)
    weights = bootstrap_weights(len(rows), BOOTSTRAPS, seed=0)
    findings: list[LeakFinding] = []
    for horizon in horizons_months:
        if unsupported(part, horizon):
            continue
        candidates: dict[str, FloatArray] = {str(name): encoded[name].to_numpy(dtype=np.float64) for name in encoded}
        candidates |= _risk_by_level(frame, part, horizon)
        for name, values in candidates.items():
            auc, low = _auc_alone(values, part, horizon, weights)
            if auc > max(FIELD_BEST_AUC, _reached_by_chance(part, horizon, len(candidates))) and low > _SURELY_INFORMATIVE:
                findings.append(LeakFinding(name, horizon, auc, low))
    return findings


def patients_looked_at(n_patients: int) -> IntArray:
    """All rows, or a random part of very many."""
    rows = np.arange(n_patients)
    if n_patients <= _MAX_PATIENTS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, _MAX_PATIENTS, replace=False))


def as_risk(values: FloatArray, outcome: Outcome, horizon_months: float) -> HorizonPredictions:
    """A predictor (n,) judged as if its ranks were risks, all patients in one fold."""
    ranks = np.asarray(pd.Series(values).rank(pct=True), dtype=np.float64)
    return HorizonPredictions(horizon_months, horizon_months, outcome, ranks[:, None], np.zeros((len(ranks), 1), dtype=np.int16))


def _risk_by_level(frame: pd.DataFrame, outcome: Outcome, horizon: float) -> dict[str, FloatArray]:
    """Every factor of three or more levels (missing is one), each patient having the observed risk of his level."""
    status = pd.Series(outcome.status_at(horizon))
    values: dict[str, FloatArray] = {}
    for name in frame.select_dtypes("category"):
        codes = frame[name].cat.codes.to_numpy()
        if len(np.unique(codes)) >= 3:
            risk = status.groupby(codes).transform("mean")
            values[str(name)] = risk.fillna(status.mean()).to_numpy(dtype=np.float64)
    return values


def _auc_alone(values: FloatArray, outcome: Outcome, horizon: float, weights: FloatArray) -> tuple[float, float]:
    """AUC of a predictor in its better direction, and the 2.5 % bound; the bootstrap only for a suspect."""
    at = as_risk(values, outcome, horizon)
    auc = float(AUC.compute(at, np.ones((1, len(values))))[0])
    if auc < 0.5:
        at, auc = replace(at, risk=1 - at.risk), 1 - auc
    if auc <= FIELD_BEST_AUC:
        return auc, 0.5
    return auc, float(np.nanpercentile(AUC.compute(at, weights), 2.5))


def _reached_by_chance(outcome: Outcome, horizon: float, n_candidates: int) -> float:
    """The AUC that the best of so many candidates without information exceeds in 5 % of cohorts (Bonferroni, normal rank sum)."""
    status = outcome.status_at(horizon)
    cases, controls = int((status == 1).sum()), int((status == 0).sum())
    spread = np.sqrt((cases + controls + 1) / (12 * cases * controls))
    return float(0.5 + spread * norm.isf(0.025 / n_candidates))


class LearnsFromTestPatients(AssertionError):
    """A procedure whose prediction for one test patient changes with the values of the others."""


#: (training predictors, training outcome, test predictors) -> (m,) risks.
FitAndPredict = Callable[[Predictors, Outcome, Predictors], FloatArray]


def check_learns_from_training_only(
    build: Callable[[pd.DataFrame], Predictors],
    fit_and_predict: FitAndPredict,
    frame: pd.DataFrame,
    outcome: Outcome,
    split: Split,
) -> None:
    """Raise ``LearnsFromTestPatients`` if anything of a test patient reaches what is learnt.

    ``build`` turns the cohort's whole (n, p) frame into predictors. The check overwrites the rows of all test patients but one,
    and that one's values that are known only after the prediction. Neither the training patients' predictors nor that one's
    risk, predicted in company of the others, may change. ``fit_and_predict`` is deterministic.
    """
    if len(split.test) < 2:
        raise ValueError("the check needs two or more test patients")

    def train_and_test(table: pd.DataFrame) -> tuple[Predictors, Predictors]:
        whole = build(table)
        return whole.take(split.train), whole.take(split.test)

    train, test = train_and_test(frame)
    before = float(fit_and_predict(train, outcome.subset(split.train), test)[0])
    for disturbed in _disturbances(frame, split):
        train_after, test_after = train_and_test(disturbed)
        if not train.frame.equals(train_after.frame):
            raise LearnsFromTestPatients(
                "training predictors change with the values of test patients: something was fitted on all rows"
            )
        after = float(fit_and_predict(train_after, outcome.subset(split.train), test_after)[0])
        if not abs(before - after) <= 1e-12:
            raise LearnsFromTestPatients(
                f"the risk of one test patient changes from {before:.6f} to {after:.6f} with the values of the others, or with"
                " what is known of him only later: something was fitted on all rows, or looks ahead"
            )


def _disturbances(frame: pd.DataFrame, split: Split) -> Iterator[pd.DataFrame]:
    """The frame with the test patients but the first replaced by training patients; then moved above and below all patients.

    The latter move a median, a mean or an extreme that donors might leave where it was. Identifiers stay. Of the first test
    patient only what is known after surgery is replaced.
    """
    kept, others = split.test[0], split.test[1:]
    source = np.arange(len(frame))
    source[others] = np.random.default_rng(0).choice(split.train, len(others))
    source[kept] = split.train[0]
    is_kept, is_other = np.zeros((2, len(frame)), dtype=np.bool_)
    is_kept[kept], is_other[others] = True, True
    donated = frame.take(source).set_axis(frame.index)
    for name in frame:
        variable = DICTIONARY.get(str(name))
        if variable is not None and variable.kind == "identifier":
            donated[name] = frame[name]
        elif variable is None or variable.known_at <= KnownAt.PRE_SURGERY:
            donated[name] = donated[name].where(~is_kept, frame[name])
    yield donated
    for outward in (_above, _below):
        moved = donated.copy()
        for name in frame.select_dtypes("number"):
            moved[name] = moved[name].where(~is_other, outward(frame[name])).astype(frame[name].dtype)
        yield moved


def _above(values: pd.Series) -> float:
    return float(2 * abs(values.max()) + 1)


def _below(values: pd.Series) -> float:
    """Not below 0 where no value is: a logarithm may be taken of it."""
    low = float(values.min())
    return float(np.floor(low / 2)) if low >= 0 else 2 * low - 1
