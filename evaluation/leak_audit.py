"""Leaks: predictors that know too much, and procedures that learn from test patients.

The field's best validated models reach an AUC of about 0.75 here. One predictor alone above that knows the outcome until shown
otherwise: a column derived from it, or one filled in after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.errors import CohortError
from cohort.types import FloatArray, Outcome
from evaluation.estimate import bootstrap_weights, unsupported
from evaluation.metrics.auc import AUC
from evaluation.predictions import HorizonPredictions
from evaluation.resampling import Split
from features.encode import PredictorEncoder
from features.feature_set import Predictors

#: The best discrimination that the field has validated.
FIELD_BEST_AUC = 0.75
#: A suspect's 2.5 % bound must lie above this, so that chance in a small cohort is no suspect.
_SURELY_INFORMATIVE = 0.60
_BOOTSTRAPS = 200
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
        return f"{self.predictor}: alone it has AUC {self.auc:.2f} (95 % bound {self.ci_low:.2f}) at {self.horizon_months:g} months"


def too_good_predictors(predictors: Predictors, outcome: Outcome, horizons_months: tuple[float, ...]) -> list[LeakFinding]:
    """Encoded predictors, and patterns of what is missing, whose AUC alone exceeds :data:`FIELD_BEST_AUC` at a horizon."""
    rows = np.arange(len(outcome))
    if len(rows) > _MAX_PATIENTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MAX_PATIENTS, replace=False))
    frame, part = predictors.frame.iloc[rows], outcome.subset(rows)
    # A look at all patients, from which nothing is learnt that a model sees.
    encoded = PredictorEncoder(impute=True).fit(frame).transform(frame)
    weights = bootstrap_weights(len(rows), _BOOTSTRAPS, seed=0)
    findings: list[LeakFinding] = []
    for horizon in horizons_months:
        if unsupported(part, horizon):
            continue
        for name in encoded:
            auc, low = _auc_alone(encoded[name].to_numpy(), part, horizon, weights)
            if auc > FIELD_BEST_AUC and low > _SURELY_INFORMATIVE:
                findings.append(LeakFinding(str(name), horizon, auc, low))
    return findings


def _auc_alone(values: FloatArray, outcome: Outcome, horizon: float, weights: FloatArray) -> tuple[float, float]:
    """AUC of a predictor in its better direction, and the 2.5 % bound; the bootstrap only for a suspect."""
    ranks = pd.Series(values).rank(pct=True).to_numpy()
    one_fold = np.zeros((len(values), 1), dtype=np.int16)

    def at(risk: FloatArray) -> HorizonPredictions:
        return HorizonPredictions(horizon, horizon, outcome, risk[:, None], one_fold)

    whole = np.ones((1, len(values)))
    auc = float(AUC.compute(at(ranks), whole)[0])
    if auc < 0.5:
        ranks, auc = 1 - ranks, 1 - auc
    if auc <= FIELD_BEST_AUC:
        return auc, 0.5
    return auc, float(np.nanpercentile(AUC.compute(at(ranks), weights), 2.5))


class LearnsFromTestPatients(AssertionError):
    """A procedure whose prediction for one test patient changes with the values of the others."""


#: (training predictors, training outcome, test predictors) -> (m,) risks.
FitAndPredict = Callable[[Predictors, Outcome, Predictors], FloatArray]


def check_learns_from_training_only(
    build: Callable[[pd.DataFrame], Predictors], fit_and_predict: FitAndPredict, frame: pd.DataFrame, outcome: Outcome, split: Split
) -> None:
    """Raise ``LearnsFromTestPatients`` if anything of a test patient reaches what is learnt.

    ``build`` turns the cohort's whole (n, p) frame into predictors. The check shuffles the rows of all test patients but
    one: neither the training patients' predictors nor that one's risk may change.
    """
    kept, others = split.test[0], split.test[1:]
    if len(others) == 0:
        raise ValueError("the check needs two or more test patients")
    disturbed = frame.copy()
    donors = np.random.default_rng(0).choice(split.train, len(others))
    disturbed.iloc[others] = frame.iloc[donors].to_numpy()
    disturbed = disturbed.astype(frame.dtypes.to_dict())

    def risk_of_kept(table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
        predictors = build(table)
        train = Predictors(predictors.feature_set, predictors.frame.iloc[split.train], predictors.skewed)
        test = Predictors(predictors.feature_set, predictors.frame.iloc[[kept]], predictors.skewed)
        return train.frame, float(fit_and_predict(train, outcome.subset(split.train), test)[0])

    train_before, before = risk_of_kept(frame)
    train_after, after = risk_of_kept(disturbed)
    if not train_before.equals(train_after):
        raise LearnsFromTestPatients("training predictors change with the values of test patients: something was fitted on all rows")
    if before != after:
        raise LearnsFromTestPatients(
            f"the risk of one test patient changes from {before:.6f} to {after:.6f} with the values of the others:"
            " something was fitted on all rows"
        )
