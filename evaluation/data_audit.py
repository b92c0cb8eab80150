"""Before fitting: patients who may be in the cohort twice, and how far each predictor discriminates alone.

The test that stops a run is :func:`evaluation.leak_audit.too_good_predictors`; here is the whole list, to be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cohort.types import Cohort, FloatArray, Outcome
from evaluation.estimate import bootstrap_weights, percentile_interval, unsupported
from evaluation.leak_audit import BOOTSTRAPS, as_risk, patients_looked_at
from evaluation.metrics.auc import AUC
from evaluation.resampling import Split
from features.encode import PredictorEncoder
from features.feature_set import Predictors

SINGLE_COLUMNS = ["population", "feature_set", "predictor", "horizon_months", "n", "n_events", "auc", "ci_low", "ci_high", "note"]
DUPLICATE_COLUMNS = ["population", "group", "patient_id", "same_outcome", "repeats_apart"]


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Patients of one population with all predictors alike, under different ids.

    table : one row a patient, columns :data:`DUPLICATE_COLUMNS`: the group he belongs to, whether his times and events are those
        of another in it, and in how many repeats of the cross-validation such a pair stood on both sides of a split.
    expected_pairs : as many pairs would be alike by chance if predictors were independent of each other; they are not, so that a
        few more are no proof.
    """

    population: str
    n_patients: int
    n_predictors: int
    table: pd.DataFrame
    expected_pairs: float

    @property
    def n_groups(self) -> int:
        return int(self.table["group"].nunique())


@dataclass(frozen=True, eq=False)
class DataAudit:
    """``single`` : one row an encoded predictor and horizon, columns :data:`SINGLE_COLUMNS`.

    ``known_at`` : feature set and how many of its predictors were checked to be known by its time; a later one would have
    stopped the run.
    """

    duplicates: tuple[Duplicates, ...] = ()
    single: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SINGLE_COLUMNS))
    known_at: tuple[tuple[str, int], ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Counts only: the ids are in ``duplicates.csv``."""
        return tuple(
            f"possible duplicates ({d.population}): {len(d.table)} patients in {d.n_groups} groups with the same predictors under"
            f" different ids, {int(d.table['same_outcome'].sum())} of them with the same outcome too; by chance alone one would"
            f" expect {d.expected_pairs:.2g} pairs"
            for d in self.duplicates
            if d.n_groups and (d.table["same_outcome"].any() or d.n_groups > 3 * d.expected_pairs)
        )


def find_duplicates(cohort: Cohort, population: str, splits: Sequence[Split]) -> Duplicates:
    """Look for patients of a population who agree in every predictor known before surgery, missing values included."""
    frame = cohort.population(population).frame
    names = [v.name for v in cohort.variables.values() if v.is_predictor and v.name in frame]
    codes = np.column_stack([pd.factorize(frame[name], use_na_sentinel=False)[0] for name in names]) if names else None
    if codes is None:
        return Duplicates(population, len(frame), 0, pd.DataFrame(columns=DUPLICATE_COLUMNS), np.nan)
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    alike = counts[group] > 1
    outcome = frame[["dfs_months", "dfs_event", "os_months", "os_event"]]
    rows = pd.DataFrame({"group": group, "patient_id": frame["patient_id"]}).assign(population=population)
    rows["same_outcome"] = outcome.assign(group=group).duplicated(keep=False).to_numpy()
    rows["repeats_apart"] = _repeats_apart(group, splits)
    table = rows[alike].sort_values(["group", "patient_id"], ignore_index=True)
    table["group"] = table["group"].rank(method="dense").astype(int)
    return Duplicates(population, len(frame), len(names), table[DUPLICATE_COLUMNS], _pairs_by_chance(codes))


def _repeats_apart(
    group: np.ndarray[tuple[int], np.dtype[np.intp]], splits: Sequence[Split]
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """(n,) in how many repeats a patient's group is not whole within one test fold."""
    apart = np.zeros(len(group), dtype=np.intp)
    for repeat in sorted({split.repeat for split in splits}):
        fold = np.zeros(len(group), dtype=np.intp)
        for split in splits:
            if split.repeat == repeat:
                fold[split.test] = split.fold
        folds = pd.Series(fold).groupby(group).transform("nunique")
        apart += (folds > 1).to_numpy(dtype=np.intp)
    return apart


def _pairs_by_chance(codes: np.ndarray[tuple[int, int], np.dtype[np.intp]]) -> float:
    """Pairs times the chance that two patients agree in every predictor, were these independent."""
    n = len(codes)
    agree = [(np.bincount(column) * (np.bincount(column) - 1)).sum() / max(n * (n - 1), 1) for column in codes.T]
    return float(n * (n - 1) / 2 * np.prod(agree))


def single_predictor_aucs(
    predictors: Predictors,
    population: str,
    outcome: Outcome,
    horizons_months: tuple[float, ...],
    skip: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """AUC of each encoded predictor but those to ``skip``, alone, with its bootstrap interval: columns :data:`SINGLE_COLUMNS`.

    Above 0.5 high values go with the event, below with its absence; nothing is fitted. Of very many patients a random part is
    looked at.
    """
    rows = patients_looked_at(len(outcome))
    frame, part = predictors.frame.iloc[rows], outcome.subset(rows)
    encoded = PredictorEncoder(impute=False).fit(frame).transform(frame)
    found = [
        _single(str(name), encoded[name].to_numpy(dtype=np.float64), part, horizon)
        for horizon in horizons_months
        for name in encoded
        if name not in skip
    ]
    table = pd.DataFrame(found, columns=SINGLE_COLUMNS)
    return table.assign(population=population, feature_set=predictors.feature_set)


def _single(name: str, values: FloatArray, outcome: Outcome, horizon: float) -> dict[str, object]:
    """Of the patients in whom the predictor is known."""
    known = np.isfinite(values)
    part = outcome.subset(known)
    row: dict[str, object] = {"predictor": name, "horizon_months": horizon, "n": len(part), "n_events": part.events_by(horizon)}
    row |= {"auc": np.nan, "ci_low": np.nan, "ci_high": np.nan, "note": unsupported(part, horizon)}
    if row["note"]:
        return row
    weights = np.vstack([np.ones(len(part)), bootstrap_weights(len(part), BOOTSTRAPS, seed=0)])
    aucs = AUC.compute(as_risk(values[known], part, horizon), weights)
    low, high, note = percentile_interval(aucs[1:])
    return row | {"auc": float(aucs[0]), "ci_low": low, "ci_high": high, "note": note}
