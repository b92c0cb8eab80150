"""SHAP values of out-of-fold patients, told of groups and never of a patient.

Each test patient's SHAP values come from the fit that never saw him, summed over a predictor's encoded columns. What is kept is
their mean size in each fold, and their quantiles among patients with low, middle and high values, or with each level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cohort.types import FloatArray
from evaluation.explanation.variants import columns_of
from models.contributions import Contributions

FOLD_COLUMNS = ["repeat", "fold", "horizon_months", "predictor", "mean_abs", "share", "scale"]
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
BAND_COLUMNS = ["horizon_months", "predictor", "group", "n", *QUANTILES, "note"]
SHAP_COLUMNS = [
    *("predictor", "horizon_months", "scale", "mean_abs", "mean_abs_low", "mean_abs_high", "share"),
    *("rank", "rank_low", "rank_high", "n_folds", "group", "n", *QUANTILES, "note"),
]
#: A smaller group's quantiles would be single patients' values.
SMALLEST_GROUP = 5
MISSING = "missing"


def by_predictor(contributions: Contributions, columns: Sequence[str], predictors: Sequence[str]) -> FloatArray:
    """(n, P) SHAP values of predictors: the sums over their encoded columns."""
    places = [columns_of(name, columns) for name in predictors]
    return np.column_stack([contributions.values[:, found].sum(axis=1) for found in places])


def fold_attribution(values: FloatArray, predictors: Sequence[str], horizon_months: float, scale: str) -> pd.DataFrame:
    """One row a predictor: the mean |SHAP value| of a fold's test patients, and its share of all predictors'."""
    mean_abs = np.abs(values).mean(axis=0)
    total = mean_abs.sum()
    share = mean_abs / total if total > 0 else np.zeros(len(mean_abs))
    return pd.DataFrame(
        {"horizon_months": horizon_months, "predictor": list(predictors), "mean_abs": mean_abs, "share": share, "scale": scale}
    )


def bands(
    values: FloatArray, rows: np.ndarray[tuple[int], np.dtype[np.intp]], frame: pd.DataFrame, horizon_months: float
) -> pd.DataFrame:
    """Quantiles of (m, P) SHAP values by group of the predictor's value: rows of :data:`BAND_COLUMNS`.

    ``rows`` (m,) say whose the values are, rows of the predictors' ``frame`` (n, P); repeats of cross-validation give a patient
    several. ``n`` counts patients; a group of fewer than :data:`SMALLEST_GROUP` has a reason in place of quantiles.
    """
    found: list[dict[str, object]] = []
    for place, name in enumerate(map(str, frame.columns)):
        group = value_groups(frame[name])
        of_value = group.to_numpy()[rows]
        for label in [*group.cat.categories]:
            chosen = of_value == label
            n = len(np.unique(rows[chosen]))
            where: dict[str, object] = {"horizon_months": horizon_months, "predictor": name, "group": str(label)}
            row = {**where, "n": n, "note": ""}
            if n < SMALLEST_GROUP:
                row["note"] = f"fewer than {SMALLEST_GROUP} patients"
            else:
                quantiles = np.quantile(values[chosen, place], list(QUANTILES.values()))
                row |= dict(zip(QUANTILES, quantiles.tolist(), strict=True))
            if n:
                found.append(row)
    return pd.DataFrame(found, columns=BAND_COLUMNS)


def value_groups(values: pd.Series) -> pd.Series:
    """(n,) each patient's group: the level, the third that a number lies in, or missing. A categorical, in order."""
    if values.dtype == "category":
        group = values.cat.rename_categories(str)
    else:
        numbers = values.astype("float64")
        cuts = np.unique(numbers.quantile([1 / 3, 2 / 3], interpolation="lower").to_numpy())
        cuts = cuts[cuts < numbers.max()]
        if numbers.nunique() < 2 or not len(cuts):
            group = numbers.notna().map({True: "all values", False: np.nan}).astype("category")
        else:
            first, *others = [f"{cut:.3g}" for cut in cuts]
            labels = [f"up to {first}", *(f"above {first}, up to {cut}" for cut in others), f"above {(others or [first])[-1]}"]
            group = pd.cut(numbers, [-np.inf, *cuts, np.inf], labels=labels)
    if group.isna().any():
        group = group.cat.add_categories([MISSING]).fillna(MISSING)
    return group


def shap_table(folds: pd.DataFrame, groups: pd.DataFrame, horizon_months: float, n_planned: int) -> pd.DataFrame:
    """``shap.csv``: one row a predictor and group of its values at a horizon, the predictor with the largest mean |SHAP| first.

    folds : rows of :data:`FOLD_COLUMNS`. groups : rows of :data:`BAND_COLUMNS`. ``mean_abs_low`` to ``mean_abs_high``, and the
    ranks' likewise, are the 5th and 95th percentile over single folds: how stable a predictor's part is, no confidence interval.
    """
    rows = folds[folds["horizon_months"] == horizon_months]
    if rows.empty:
        return pd.DataFrame(columns=SHAP_COLUMNS)
    wide = rows.pivot(index=["repeat", "fold"], columns="predictor", values="mean_abs")
    share = rows.pivot(index=["repeat", "fold"], columns="predictor", values="share")
    ranks = wide.rank(axis=1, ascending=False, method="average")
    n_folds = len(wide)
    of_predictor = pd.DataFrame(
        {
            "scale": rows["scale"].iloc[0],
            "mean_abs": wide.mean(),
            "mean_abs_low": wide.quantile(0.05),
            "mean_abs_high": wide.quantile(0.95),
            "share": share.mean(),
            "rank_low": ranks.quantile(0.05),
            "rank_high": ranks.quantile(0.95),
            "n_folds": n_folds,
        }
    )
    of_predictor["rank"] = of_predictor["mean_abs"].rank(ascending=False, method="average")
    few = "" if n_folds == n_planned else f"in {n_folds} of {n_planned} folds only"
    table = groups[groups["horizon_months"] == horizon_months].merge(of_predictor, left_on="predictor", right_index=True)
    table["note"] = ["; ".join(part for part in (few, note) if part) for note in table["note"]]
    return table.sort_values(["rank", "predictor"], kind="stable").reset_index(drop=True)[SHAP_COLUMNS]
