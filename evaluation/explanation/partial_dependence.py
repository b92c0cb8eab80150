"""Partial dependence (Friedman 2001): the mean risk of a fold's test patients, were they all to have one value of a predictor.

What the model does, no effect of treating the predictor: where predictors go together it asks about patients who do not exist.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cohort.types import FloatArray
from evaluation.explanation.variants import columns_of, risks
from models.procedure import FittedProcedure

FOLD_COLUMNS = ["repeat", "fold", "horizon_months", "predictor", "position", "mean_risk"]
GRID_COLUMNS = ["predictor", "position", "value", "level"]
PD_COLUMNS = ["predictor", "horizon_months", "position", "value", "level", "mean_risk", "fold_low", "fold_high", "n_folds"]
#: A number is set to these quantiles of the cohort; beyond the outer ones there are too few patients to ask about.
_QUANTILES = np.linspace(0.05, 0.95, 7)


def grid_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The values tried: a categorical predictor's levels, a number's quantiles. Rows of :data:`GRID_COLUMNS`."""
    rows: list[dict[str, object]] = []
    for name in map(str, frame.columns):
        if frame[name].dtype == "category":
            found: list[dict[str, object]] = [{"value": np.nan, "level": str(level)} for level in frame[name].cat.categories]
        else:
            numbers = frame[name].astype("float64").dropna().quantile(_QUANTILES, interpolation="nearest")
            found = [{"value": float(v), "level": ""} for v in np.unique([float(f"{number:.3g}") for number in numbers])]
        rows += [{"predictor": name, "position": position, **row} for position, row in enumerate(found)]
    return pd.DataFrame(rows, columns=GRID_COLUMNS)


def encoded_grid(fitted: FittedProcedure, grid: pd.DataFrame, frame: pd.DataFrame) -> FloatArray:
    """(g, q) encoded rows, one a line of ``grid``: its predictor has the grid's value, and all others are missing."""
    if grid.empty:
        return np.zeros((0, len(fitted.encoder.get_feature_names_out())))
    tried = frame.iloc[:0].reindex(range(len(grid)))
    for name, rows in grid.groupby("predictor", sort=False):
        if frame[name].dtype == "category":
            levels = np.full(len(grid), None, dtype=object)
            levels[rows.index] = rows["level"]
            tried[name] = pd.Categorical(levels, categories=frame[name].cat.categories)
        else:
            tried[name] = rows["value"].reindex(grid.index)
    return np.asarray(fitted.encoder.transform(tried), dtype=np.float64)


def fold_dependence(
    fitted: FittedProcedure, x: pd.DataFrame, grid: pd.DataFrame, encoded: FloatArray, horizon_months: float
) -> pd.DataFrame:
    """One row a line of ``grid``, ``encoded`` (g, q) by :func:`encoded_grid`: the mean risk of (n, q) encoded test patients ``x``
    who all have its value.
    """
    columns, values = list(map(str, x.columns)), x.to_numpy(dtype=np.float64)
    blocks = {name: columns_of(name, columns) for name in grid["predictor"].unique()}

    def all_with(predictor: str, row: FloatArray) -> FloatArray:
        variant = values.copy()
        variant[:, blocks[predictor]] = row[blocks[predictor]]
        return variant

    variants = (all_with(name, row) for name, row in zip(grid["predictor"], encoded, strict=True))
    mean_risk = [float(risk.mean()) for risk in risks(fitted, columns, variants, horizon_months)]
    return grid[["predictor", "position"]].assign(horizon_months=horizon_months, mean_risk=mean_risk)


def dependence_table(folds: pd.DataFrame, grid: pd.DataFrame, horizon_months: float) -> pd.DataFrame:
    """``partial_dependence.csv``: the mean over fold models, and the 5th and 95th percentile of single ones."""
    rows = folds[folds["horizon_months"] == horizon_months]
    risk = rows.groupby(["predictor", "position"], sort=False)["mean_risk"]
    over_folds = pd.DataFrame(
        {"mean_risk": risk.mean(), "fold_low": risk.quantile(0.05), "fold_high": risk.quantile(0.95), "n_folds": risk.size()}
    )
    table = grid.merge(over_folds, left_on=["predictor", "position"], right_index=True)
    return table.assign(horizon_months=horizon_months)[PD_COLUMNS]
