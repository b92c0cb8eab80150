"""Permutation importance: what a model's out-of-fold performance loses when one predictor's values are shuffled.

A *predictor* is a clinical input; all its encoded columns, the one of its missing values included, are shuffled together, among
the test patients of a fold, so that its distribution stays and its tie to the outcome goes (Breiman 2001; Fisher, Rudin and
Dominici 2019). Positive is a loss: AUC that falls, Brier score that rises. A predictor whose part another can take over loses
little, however much it matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from cohort.types import FloatArray, IntArray
from evaluation.explanation.variants import columns_of, risks
from models.procedure import FittedProcedure

FOLD_COLUMNS = ["repeat", "fold", "horizon_months", "predictor", "metric", "loss"]
IMPORTANCE_COLUMNS = [
    *("predictor", "metric", "horizon_months", "importance", "ci_low", "ci_high"),
    *("rank", "rank_low", "rank_high", "n_folds", "note"),
]
#: What is watched, and whether it falls or rises as a model gets worse.
METRIC_LABELS = {"auc": "Fall in AUC", "brier": "Rise in Brier score"}


@dataclass(frozen=True, eq=False)
class TestPatients:
    """What became of a fold's n test patients at a horizon.

    ``weights`` (n,) are inverse-probability-of-censoring weights, 0 for who was censored before; ``status`` (n,) is 1 or 0, NaN
    for them.
    """

    __test__ = False  # no test of pytest's

    horizon_months: float
    status: FloatArray
    weights: FloatArray

    def auc(self, risk: FloatArray) -> float:
        """Cases against controls as in :mod:`evaluation.metrics.auc`; NaN without either."""
        cases, controls = self.status == 1, np.sort(risk[self.status == 0])
        if not cases.any() or not controls.size:
            return float("nan")
        below = np.searchsorted(controls, risk[cases], side="left") + np.searchsorted(controls, risk[cases], side="right")
        return float(np.average(below / 2, weights=self.weights[cases]) / len(controls))

    def brier(self, risk: FloatArray) -> float:
        """Per patient as in :mod:`evaluation.metrics.brier`."""
        return float(np.mean(self.weights * (np.nan_to_num(self.status) - risk) ** 2))


def fold_importance(
    fitted: FittedProcedure, x: pd.DataFrame, patients: TestPatients, n_permutations: int, rng: np.random.Generator
) -> pd.DataFrame:
    """One row a predictor and metric: the mean loss over ``n_permutations`` shuffles of (n, q) encoded test patients ``x``.

    All predictors are shuffled by the same permutations. One that the fold's model has no column of loses nothing, exactly.
    """
    columns, values = list(map(str, x.columns)), x.to_numpy(dtype=np.float64)
    predictors = [str(name) for name in fitted.encoder.feature_names_in_]
    blocks = {name: places for name in predictors if (places := columns_of(name, columns))}
    orders = [rng.permutation(len(values)) for _ in range(n_permutations)]

    def shuffled(places: list[int], order: IntArray) -> FloatArray:
        variant = values.copy()
        variant[:, places] = values[order][:, places]
        return variant

    tried = [(name, order) for name, order in product(blocks, orders)]
    variants = (shuffled(blocks[name], order) for name, order in tried)
    whole = fitted.risk_of_encoded(x, patients.horizon_months)
    auc, brier = patients.auc(whole), patients.brier(whole)
    losses: dict[tuple[str, str], list[float]] = {(name, metric): [] for name in predictors for metric in METRIC_LABELS}
    for (name, _), risk in zip(tried, risks(fitted, columns, variants, patients.horizon_months), strict=True):
        losses[name, "auc"].append(auc - patients.auc(risk))
        losses[name, "brier"].append(patients.brier(risk) - brier)
    rows = [
        {"horizon_months": patients.horizon_months, "predictor": name, "metric": metric, "loss": np.mean(found) if found else 0.0}
        for (name, metric), found in losses.items()
    ]
    return pd.DataFrame(rows)


def importance_table(folds: pd.DataFrame, horizon_months: float, n_planned: int, test_to_train: float) -> pd.DataFrame:
    """``importance.csv``: one row a predictor and metric at a horizon, the most important first within each metric.

    folds : rows of :data:`FOLD_COLUMNS`. n_planned : folds times repeats. test_to_train : patients tested for one trained on.

    Intervals are those of the corrected resampled t test, as of :func:`evaluation.paired_tests.corrected_resampled_t`: over all
    test folds, allowing for training sets that overlap. ``rank_low`` and ``rank_high`` are the 5th and 95th percentile of a
    predictor's rank in single folds. Folds without an event and a patient free of it have no AUC, and a note says how many.
    """
    rows = folds[folds["horizon_months"] == horizon_months]
    tables = [_of_metric(same, str(metric), n_planned, test_to_train) for metric, same in rows.groupby("metric", sort=False)]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=IMPORTANCE_COLUMNS)
    return table.assign(horizon_months=horizon_months)[IMPORTANCE_COLUMNS]


def most_important(folds: pd.DataFrame, horizon_months: float, most: int) -> list[str]:
    """The predictors whose shuffling costs the most AUC on average, at most so many, none that costs nothing in any fold."""
    rows = folds[(folds["horizon_months"] == horizon_months) & (folds["metric"] == "auc") & (folds["loss"].abs() > 0)]
    used = set(rows["predictor"])
    mean = folds[(folds["horizon_months"] == horizon_months) & (folds["metric"] == "auc")].groupby("predictor")["loss"].mean()
    return [str(name) for name in mean.sort_values(ascending=False, kind="stable").index if name in used][:most]


def _of_metric(rows: pd.DataFrame, metric: str, n_planned: int, test_to_train: float) -> pd.DataFrame:
    """(folds, predictors) of losses, put in order."""
    losses = rows.pivot(index=["repeat", "fold"], columns="predictor", values="loss").dropna()
    ranks = losses.rank(axis=1, ascending=False, method="average")
    found = [corrected_mean(losses[name].to_numpy(), test_to_train) for name in losses.columns]
    table = pd.DataFrame(
        {
            "predictor": list(losses.columns),
            "metric": metric,
            "importance": [mean for mean, _, _ in found],
            "ci_low": [low for _, low, _ in found],
            "ci_high": [high for _, _, high in found],
            "rank_low": ranks.quantile(0.05).to_numpy() if len(ranks) else np.nan,
            "rank_high": ranks.quantile(0.95).to_numpy() if len(ranks) else np.nan,
            "n_folds": len(losses),
            "note": "" if len(losses) == n_planned else f"in {len(losses)} of {n_planned} folds only",
        }
    )
    table["rank"] = table["importance"].rank(ascending=False, method="average")
    return table.sort_values(["rank", "predictor"], kind="stable")


def corrected_mean(values: FloatArray, test_to_train: float) -> tuple[float, float, float]:
    """Mean of (J,) values from test folds, and its 95 % interval after Nadeau and Bengio (Mach Learn 2003;52:239).

    The variance of the mean is taken as ``(1 / J + test_to_train)`` of that between folds, on J - 1 degrees of freedom.
    Bounds are NaN with fewer than two folds.
    """
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) * np.sqrt(1 / n + test_to_train))
    return mean, mean - half, mean + half
