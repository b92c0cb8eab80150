"""Optuna inside the training patients: inner cross-validation of the IPCW Brier score at the horizons asked for.

A proper score of the very quantity that is predicted, so that tuning cannot buy discrimination with calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import optuna
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from cohort.types import Endpoint, IntArray, Outcome
from features.encode import PredictorEncoder, RawPredictors
from features.feature_set import Predictors
from models.kaplan_meier import ipcw_brier
from models.risk_model import ModelSpec
from models.strata import merge_small


@dataclass(frozen=True)
class Tuning:
    """``n_trials`` 0 takes a model's defaults; otherwise they are the first trial. ``n_folds`` are the inner folds."""

    n_trials: int = 0
    n_folds: int = 3

    def __post_init__(self) -> None:
        if self.n_trials < 0 or self.n_folds < 2:
            raise ValueError("n_trials is 0 or more and n_folds 2 or more")


@dataclass(frozen=True, eq=False)
class _InnerFold:
    """Encoded once and shared by all trials: encoding does not depend on what is tuned."""

    x_train: pd.DataFrame
    x_test: pd.DataFrame
    train: Outcome
    test: Outcome


def tune(
    spec: ModelSpec,
    predictors: Predictors,
    outcome: Outcome,
    endpoint: Endpoint,
    horizons_months: tuple[float, ...],
    tuning: Tuning,
    seed: int,
    patients: IntArray | None = None,
) -> dict[str, Any]:
    """The best params of ``tuning.n_trials`` trials, as the model's search names them. Deterministic by seed.

    ``patients`` as in :meth:`models.procedure.Procedure.fit`.
    """
    search = spec.search
    if search is None:
        return {}
    folds = [
        _encode_fold(spec, predictors, outcome, train, test)
        for train, test in inner_folds(outcome, horizons_months, tuning.n_folds, seed, patients)
    ]

    def loss(trial: optuna.Trial) -> float:
        params = {**spec.defaults, **search(trial), **spec.while_tuning}
        losses = []
        for fold in folds:
            model = spec.build(params, seed).fit(fold.x_train, fold.train, endpoint)
            losses += [ipcw_brier(fold.test, model.risk_at(fold.x_test, h), h) for h in horizons_months]
        return float(np.mean(losses))

    previous = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.enqueue_trial(dict(spec.defaults), skip_if_exists=False)
        study.optimize(loss, n_trials=tuning.n_trials)
    finally:
        optuna.logging.set_verbosity(previous)
    return dict(search(cast("optuna.Trial", optuna.trial.FixedTrial(study.best_params))))


def make_encoder(spec: ModelSpec, predictors: Predictors, impute: bool) -> PredictorEncoder | RawPredictors:
    """What stands between predictors and a model, unfitted."""
    return RawPredictors() if spec.raw else PredictorEncoder(predictors.skewed, impute=impute)


def inner_folds(
    outcome: Outcome, horizons_months: tuple[float, ...], n_folds: int, seed: int, patients: IntArray | None = None
) -> list[tuple[IntArray, IntArray]]:
    """(train, test) rows of stratified folds of patients: a patient's copies lie in one fold.

    Spread over folds, a copy that was learned from would be tested, and the trial that remembers best would win.
    """
    of_row = np.arange(len(outcome)) if patients is None else patients
    _, first, patient = np.unique(of_row, return_index=True, return_inverse=True)
    groups = _strata(outcome.subset(first), horizons_months, smallest=n_folds)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(np.zeros(len(first)), groups)
    tested = [np.isin(patient, test) for _, test in folds]
    return [(np.flatnonzero(~rows), np.flatnonzero(rows)) for rows in tested]


def _encode_fold(spec: ModelSpec, predictors: Predictors, outcome: Outcome, train: IntArray, test: IntArray) -> _InnerFold:
    encoder = make_encoder(spec, predictors, spec.imputes).fit(predictors.frame.iloc[train])
    return _InnerFold(
        encoder.transform(predictors.frame.iloc[train]),
        encoder.transform(predictors.frame.iloc[test]),
        outcome.subset(train),
        outcome.subset(test),
    )


def _strata(outcome: Outcome, horizons_months: tuple[float, ...], smallest: int) -> IntArray:
    """Patients by the horizons their status falls between, so that every fold holds events."""
    group = np.asarray(sum((outcome.status_at(h) == 1).astype(np.intp) for h in horizons_months))
    return merge_small(group, smallest)
