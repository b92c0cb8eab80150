"""Predictors -> numbers. A scikit-learn transformer, fitted on a training fold only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from cohort.types import BoolArray, FloatArray, IntArray

#: Joins a variable and its level in the name of an encoded column, so that a factor's columns can be found again.
LEVEL = "="
MISSING = f"{LEVEL}missing"

#: ">=4" and the like are part of a name, not a level; a level itself may hold any sign.
_FIRST_LEVEL = re.compile(f"(?<![<>]){LEVEL}")
_UNKNOWN_LEVEL = -2


def factor_of(column: str) -> str:
    """The predictor an encoded column belongs to: ``ras_braf=braf_mutated`` -> ``ras_braf``."""
    return _FIRST_LEVEL.split(column, maxsplit=1)[0]


class PredictorEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode a frame of predictors as floats.

    A categorical predictor becomes one 0/1 column for each level but the first (the reference); a skewed one is taken as
    log(1 + x); the rest stay as they are. Columns that do not vary among the training rows are dropped.

    With ``impute`` missing values become the training median (for 0/1 columns the more frequent value, or one half at a tie)
    and every predictor with missing training values gains a column ``name=missing``; without it they stay NaN.

    Parameters
    ----------
    skewed : names of the predictors for the log scale.
    impute : whether to fill missing values.
    """

    def __init__(self, skewed: frozenset[str] = frozenset(), impute: bool = True) -> None:
        self.skewed = skewed
        self.impute = impute

    def fit(self, predictors: pd.DataFrame, y: object = None) -> Self:
        """Learn columns, medians and what varies from (n, p) training ``predictors``."""
        names = [str(name) for name in predictors.columns]
        self.feature_names_in_ = np.asarray(names, dtype=object)
        self.levels_: dict[str, tuple[str, ...]] = {
            str(name): tuple(map(str, values.cat.categories)) for name, values in predictors.items() if values.dtype == "category"
        }
        encoded = self._encode(predictors)
        missing = np.isnan(encoded)
        self.seen_: BoolArray = np.asarray(~missing.all(axis=0))
        self.with_missing_: list[tuple[str, int]] = []
        if self.impute:
            self.medians_ = np.nanmedian(encoded[:, self.seen_], axis=0)
            first = {factor_of(name): column for column, name in reversed([*enumerate(self._names())])}
            self.with_missing_ = [(name, column) for name, column in first.items() if missing[:, column].any()][::-1]
        filled = self._fill(encoded)
        names_out = [name for name, seen in zip(self._names(), self.seen_, strict=True) if seen]
        names_out += [f"{name}{MISSING}" for name, _ in self.with_missing_]
        self.varies_: BoolArray = np.zeros(len(names_out), dtype=np.bool_)
        if names_out:
            self.varies_[:] = np.nanmin(filled, axis=0) < np.nanmax(filled, axis=0)
        self.columns_out_: list[str] = [name for name, varies in zip(names_out, self.varies_, strict=True) if varies]
        return self

    def transform(self, predictors: pd.DataFrame) -> pd.DataFrame:
        """(n, q) floats, columns as :meth:`get_feature_names_out`."""
        check_is_fitted(self, "columns_out_")
        _require(self.feature_names_in_, predictors)
        numbers = self._fill(self._encode(predictors))[:, self.varies_]
        return pd.DataFrame(numbers, columns=self.columns_out_, index=predictors.index)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        check_is_fitted(self, "columns_out_")
        return np.asarray(self.columns_out_, dtype=object)

    def _names(self) -> list[str]:
        """Of the columns of :meth:`_encode`."""
        return [
            column
            for name in self.feature_names_in_
            for column in ([f"{name}{LEVEL}{level}" for level in self.levels_[name][1:]] if name in self.levels_ else [name])
        ]

    def _encode(self, predictors: pd.DataFrame) -> FloatArray:
        """One array, whatever the number of columns: a frame built column by column takes longer than many a fit."""
        encoded = np.empty((len(predictors), len(self._names())))
        column = 0
        for name in self.feature_names_in_:
            if name in self.levels_:
                place = self._level_places(predictors[name])
                for level in range(1, len(self.levels_[name])):
                    encoded[:, column] = np.where(place < 0, np.nan, place == level)
                    column += 1
            else:
                numbers = predictors[name].to_numpy(dtype=np.float64, na_value=np.nan)
                encoded[:, column] = np.log1p(numbers) if name in self.skewed else numbers
                column += 1
        return encoded

    def _level_places(self, values: pd.Series) -> IntArray:
        """(n,) each patient's place among the training levels, -1 where not known. Raises ``ValueError`` for another level."""
        levels = self.levels_[str(values.name)]
        categorical = values.array if isinstance(values.array, pd.Categorical) else pd.Categorical(values)
        place_of = {level: place for place, level in enumerate(levels)}
        places = np.array([*(place_of.get(str(level), _UNKNOWN_LEVEL) for level in categorical.categories), -1], dtype=np.intp)
        found: IntArray = places[categorical.codes]  # the code of a missing value is -1: the last of the places
        if (found == _UNKNOWN_LEVEL).any():
            raise ValueError(
                f"{values.name}: a level that the training patients' factor does not have; levels: {', '.join(levels)}"
            )
        return found

    def _fill(self, encoded: FloatArray) -> FloatArray:
        """What was seen in training, imputed, and the indicators of what was missing."""
        observed = encoded[:, self.seen_]
        if not self.impute:
            return observed
        indicators = np.isnan(encoded[:, [column for _, column in self.with_missing_]])
        return np.column_stack([np.where(np.isnan(observed), self.medians_, observed), indicators])


class RawPredictors(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Predictors as they are: clinical units, levels, missing values. For models that know their own cut-points."""

    def fit(self, predictors: pd.DataFrame, y: object = None) -> Self:
        self.feature_names_in_ = np.asarray(list(map(str, predictors.columns)), dtype=object)
        return self

    def transform(self, predictors: pd.DataFrame) -> pd.DataFrame:
        """(n, p) predictors, columns as in training. Raises ``ValueError`` for one that is missing."""
        check_is_fitted(self, "feature_names_in_")
        _require(self.feature_names_in_, predictors)
        return predictors[list(self.feature_names_in_)]


def _require(names: Iterable[str], predictors: pd.DataFrame) -> None:
    absent = set(names) - set(predictors.columns)
    if absent:
        raise ValueError(f"predictors are missing: {', '.join(sorted(absent))}")
