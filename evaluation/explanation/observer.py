"""Watches a cross-validation and keeps, of each fold's fit, the aggregates that explain it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cohort.types import FloatArray, IntArray, Outcome
from evaluation.explanation import attribution, importance
from evaluation.explanation import partial_dependence as dependence
from evaluation.explanation.importance import TestPatients
from evaluation.resampling import Split
from features.feature_set import Predictors
from models.contributions import Explains
from models.kaplan_meier import horizon_weights
from models.procedure import FittedProcedure

#: Partial dependence is of so many predictors, those whose shuffling costs the most AUC.
TOP = 6
#: Means over test patients need no more of them; large cohorts would pay for it.
_MOST_PATIENTS = 500
NO_SHAP = "no SHAP values: they are exact for trees and for linear predictors, and this model is neither"
UNENCODED = "the model takes predictors as they are recorded, which cannot be shuffled as encoded columns"
FAILURE_COLUMNS = ["repeat", "fold", "reason"]


@dataclass(frozen=True, eq=False)
class _Fold:
    """A fit of the first repeat, kept until it is known which predictors matter, and its encoded test patients."""

    fitted: FittedProcedure
    split: Split
    x: pd.DataFrame


@dataclass
class FoldExplainer:
    """An :data:`evaluation.cross_validation.Observer`. A fold that cannot be explained becomes a row of ``not_explained``.

    predictors, outcome : of all patients that are cross-validated. horizons_months : what is explained. n_permutations : shuffles
    of each predictor in each fold. SHAP values are held by patient until :meth:`tables` has made quantiles of them.
    """

    predictors: Predictors
    outcome: Outcome
    horizons_months: tuple[float, ...]
    n_permutations: int
    seed: int
    _importance: list[pd.DataFrame] = field(default_factory=list)
    _shap: list[pd.DataFrame] = field(default_factory=list)
    _values: dict[float, list[tuple[IntArray, FloatArray]]] = field(default_factory=dict)
    _first_repeat: list[_Fold] = field(default_factory=list)
    _reasons: list[tuple[int, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known = {h: (self.outcome.status_at(h), horizon_weights(self.outcome, h)[0]) for h in self.horizons_months}

    def __call__(self, fitted: FittedProcedure, split: Split) -> None:
        try:
            self._explain(fitted, split, _numbers(fitted.encoder.transform(self.predictors.frame.iloc[split.test])))
        except Exception as error:  # noqa: BLE001 - any failure of a library is a row; the fold's predictions stand
            self._reasons.append((split.repeat, split.fold, f"{type(error).__name__}: {error}"))

    def tables(self) -> dict[str, pd.DataFrame]:
        """What is kept, by name: aggregates over folds and over groups of patients."""
        bands = []
        for horizon, parts in self._values.items():
            rows, values = (np.concatenate(part) for part in zip(*parts, strict=True))
            bands.append(attribution.bands(values, rows, self.predictors.frame, horizon))
        grid = dependence.grid_of(self.predictors.frame)
        dependences = self._dependences(grid)  # before the reasons are read: it may add some
        return {
            "importance": _stack(self._importance, importance.FOLD_COLUMNS),
            "shap": _stack(self._shap, attribution.FOLD_COLUMNS),
            "shap_bands": _stack(bands, attribution.BAND_COLUMNS),
            "dependence": _stack(dependences, dependence.FOLD_COLUMNS),
            "grid": grid,
            "not_explained": pd.DataFrame(self._reasons, columns=FAILURE_COLUMNS),
        }

    def _explain(self, fitted: FittedProcedure, split: Split, x: pd.DataFrame) -> None:
        """One fold at all horizons; its rows are kept together or not at all."""
        rng = np.random.default_rng([self.seed, split.repeat, split.fold])
        names, columns = list(self.predictors.names), list(map(str, x.columns))
        some = np.sort(rng.permutation(len(x))[:_MOST_PATIENTS])
        losses, shap, values = [], [], {}
        for horizon, (status, weights) in self._known.items():
            patients = TestPatients(horizon, status[split.test], weights[split.test])
            losses.append(importance.fold_importance(fitted, x, patients, self.n_permutations, rng))
            if isinstance(fitted.model, Explains):
                contributions = fitted.model.contributions(x.iloc[some], horizon)
                values[horizon] = attribution.by_predictor(contributions, columns, names)
                shap.append(attribution.fold_attribution(values[horizon], names, horizon, contributions.scale))
        where = {"repeat": split.repeat, "fold": split.fold}
        self._importance += [table.assign(**where) for table in losses]
        self._shap += [table.assign(**where) for table in shap]
        for horizon, found in values.items():
            self._values.setdefault(horizon, []).append((split.test[some], found))
        if not isinstance(fitted.model, Explains):
            self._reasons.append((split.repeat, split.fold, NO_SHAP))
        if split.repeat == 0:
            self._first_repeat.append(_Fold(fitted, split, x.iloc[some]))

    def _dependences(self, grid: pd.DataFrame) -> list[pd.DataFrame]:
        """Of the top predictors at each horizon, in every fold of the first repeat."""
        losses = _stack(self._importance, importance.FOLD_COLUMNS)
        found = []
        for fold in self._first_repeat:
            where = {"repeat": fold.split.repeat, "fold": fold.split.fold}
            try:
                for horizon in self.horizons_months:
                    top = grid[grid["predictor"].isin(importance.most_important(losses, horizon, TOP))].reset_index(drop=True)
                    encoded = dependence.encoded_grid(fold.fitted, top, self.predictors.frame)
                    table = dependence.fold_dependence(fold.fitted, fold.x, top, encoded, horizon)
                    found.append(table.assign(**where))
            except Exception as error:  # noqa: BLE001 - as above
                self._reasons.append((fold.split.repeat, fold.split.fold, f"{type(error).__name__}: {error}"))
        return found


def _numbers(x: pd.DataFrame) -> pd.DataFrame:
    """Raises ``TypeError`` where a column is no number."""
    if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in x.dtypes):
        raise TypeError(UNENCODED)
    return x


def _stack(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
