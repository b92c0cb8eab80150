"""Predictors -> numbers. A scikit-learn transformer, fitted on a training fold only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import check_is_fitted

#: Joins a variable and its level in the name of an encoded column, so that a factor's columns can be found again.
LEVEL = "="
MISSING = f"{LEVEL}missing"

#: ">=4" and the like are part of a name, not a level; a level itself may hold any sign.
_FIRST_LEVEL = re.compile(f"(?<![<>]){LEVEL}")


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
            name: tuple(map(str, predictors[name].cat.categories)) for name in names if predictors[name].dtype == "category"
        }
        self.with_missing_: list[str] = [name for name in names if self.impute and predictors[name].isna().any()]
        encoded = self._encode(predictors)
        observed = encoded.loc[:, encoded.notna().any()]
        self.columns_: list[str] = list(map(str, observed.columns))
        if self.impute and self.columns_:
            self.imputer_ = SimpleImputer(strategy="median").fit(observed.to_numpy())
        filled = self._fill(encoded)
        self.columns_out_: list[str] = [str(c) for c in filled if filled[c].nunique(dropna=True) > 1]  # noqa: PD101 - NaN stays out
        return self

    def transform(self, predictors: pd.DataFrame) -> pd.DataFrame:
        """(n, q) floats, columns as :meth:`get_feature_names_out`."""
        check_is_fitted(self, "columns_out_")
        _require(self.feature_names_in_, predictors)
        for name, levels in self.levels_.items():
            if not predictors[name].dropna().isin(levels).all():
                raise ValueError(f"{name}: a level that the training patients' factor does not have; levels: {', '.join(levels)}")
        return self._fill(self._encode(predictors))[self.columns_out_]

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        check_is_fitted(self, "columns_out_")
        return np.asarray(self.columns_out_, dtype=object)

    def _encode(self, predictors: pd.DataFrame) -> pd.DataFrame:
        columns: dict[str, npt.NDArray[np.float64]] = {}
        for name in self.feature_names_in_:
            values = predictors[name]
            if name in self.levels_:
                text, known = values.astype(object).to_numpy(), values.notna().to_numpy()
                for level in self.levels_[name][1:]:
                    columns[f"{name}{LEVEL}{level}"] = np.where(known, (text == level).astype(np.float64), np.nan)
            else:
                numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
                columns[name] = np.log1p(numbers) if name in self.skewed else numbers
        return pd.DataFrame(columns, index=predictors.index)

    def _fill(self, encoded: pd.DataFrame) -> pd.DataFrame:
        """Impute, and add the indicators of what was missing."""
        observed = encoded[self.columns_]
        if not self.impute or not self.columns_:
            return observed
        indicators: dict[str, pd.Series] = {}
        for name in self.with_missing_:
            first = next((c for c in map(str, encoded.columns) if factor_of(c) == name), None)
            if first is not None:
                indicators[f"{name}{MISSING}"] = encoded[first].isna().astype("float64")
        numbers = self.imputer_.transform(observed.to_numpy())
        filled = pd.DataFrame(numbers, columns=self.columns_, index=encoded.index)
        return filled.assign(**indicators)


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
