"""The paper's whole two-stage procedure in many resamples at once: what it selects, what it estimates, and how that ended.

The procedure is that of ``models.two_stage``, with the same answer in every resample as ``PaperLogistic`` and ``PaperCox`` give
on the duplicated rows: available cases in stage one, P read at two decimals, whole factors, complete cases in stage two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed, parallel_config

from cohort.types import BoolArray, Endpoint, FloatArray, IntArray, Outcome
from models.batched.kernels import CodeArray, FitStatus
from models.batched.regression import BatchedRegression, CovariateSets
from models.two_stage import ENTRY_P, factors, reaches, wald_p

#: Resamples that a process takes at once.
_CHUNK = 250


@dataclass(frozen=True, eq=False)
class TwoStageFits:
    """The procedure in B resamples, of f factors with k columns together.

    ``selected`` (B, f): which factors entered stage two; ``screen_status`` (B, f): how their fits alone ended. ``coefficients``
    and ``standard_errors`` (B, k) and ``intercept`` (B,) are stage two's, ``n_complete`` (B,) the patients it used, duplicates
    counted, and ``status`` (B,) how it ended; both statuses are codes of ``FitStatus``. A column that did not enter, did not vary
    or is aliased has the coefficient 0. Where nothing enters, stage two has no columns and gives everybody the mean risk; where
    the patients complete in what entered have one status (``ONE_STATUS``) there is no fit: coefficients and intercept are NaN.
    """

    columns: tuple[str, ...]
    factors: tuple[str, ...]
    selected: BoolArray
    screen_status: CodeArray
    coefficients: FloatArray
    standard_errors: FloatArray
    intercept: FloatArray
    n_complete: IntArray
    status: CodeArray

    def __len__(self) -> int:
        return len(self.status)

    def summary(self) -> pd.DataFrame:
        """One row a factor: in how many resamples it was selected, the share, and how many of its fits alone ended badly."""
        counts = {status.name.lower(): (self.screen_status == status).sum(axis=0) for status in _BAD}
        table = {"factor": self.factors, "n_selected": self.selected.sum(axis=0), "share_selected": self.selected.mean(axis=0)}
        return pd.DataFrame({**table, "resamples": len(self), **counts})

    def failures(self) -> dict[str, int]:
        """Resamples in which nothing entered, and in which stage two ended badly, each counted."""
        counts = {status.name.lower(): int((self.status == status).sum()) for status in _BAD}
        return {"nothing_entered": int((~self.selected.any(axis=1)).sum()), **counts}


_BAD = (FitStatus.SEPARATED, FitStatus.NOT_CONVERGED, FitStatus.ONE_STATUS)


@dataclass(frozen=True, eq=False)
class TwoStageBootstrap:
    """Patients of one endpoint, sorted and taken apart once; build by :func:`prepare`.

    ``known`` (n,) are the patients who take part: in logistic regression those whose status at the horizon is known.
    """

    regression: BatchedRegression
    screens: CovariateSets
    known: BoolArray
    columns: tuple[str, ...]
    factors: tuple[str, ...]
    entry_p: float

    def fit(self, weights: npt.NDArray[np.integer]) -> TwoStageFits:
        """``weights`` (B, n): how often each patient was drawn, in the order in which they were given to :func:`prepare`."""
        weights = np.asarray(weights)
        if weights.ndim != 2 or weights.shape[1] != len(self.known):
            raise ValueError(f"weights are a row a resample of {len(self.known)} patients; got {weights.shape}")
        drawn = weights[:, self.known]
        screen = self.regression.fit_sets(self.screens, drawn)
        first = self.screens.column_start[:-1]
        entered = reaches(wald_p(screen.coefficients, screen.standard_errors), self.entry_p) & screen.varies
        factor = np.repeat(np.arange(len(first)), np.diff(self.screens.column_start))
        selected = np.logical_or.reduceat(entered, first, axis=1)
        fits = self.regression.fit_selected(selected[:, factor] & screen.varies, drawn)
        status = fits.status[:, 0]
        there = status != FitStatus.ONE_STATUS
        return TwoStageFits(
            columns=self.columns,
            factors=self.factors,
            selected=selected,
            screen_status=screen.status,
            coefficients=np.where(there[:, None], fits.coefficients, np.nan),
            standard_errors=np.where(there[:, None], fits.standard_errors, np.nan),
            intercept=np.where(there, fits.intercept[:, 0], np.nan),
            n_complete=fits.n_patients[:, 0],
            status=status,
        )


def prepare(x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint, entry_p: float = ENTRY_P) -> TwoStageBootstrap:
    """``x`` (n, k) are encoded predictors, NaN where missing. A binary endpoint is logistic regression at its horizon, else Cox.

    Raises ``ValueError`` where ``x`` has no column.
    """
    groups = factors(list(map(str, x.columns)))
    if not groups:
        raise ValueError("the two-stage procedure needs at least one predictor")
    columns = tuple(column for group in groups.values() for column in group)
    values = x[list(columns)].to_numpy(dtype=np.float64)
    known = np.ones(len(x), dtype=np.bool_)
    if endpoint.kind == "binary":
        status = outcome.status_at(endpoint.primary_horizon_months)
        known = ~np.isnan(status)
        regression = BatchedRegression.logistic(values[known], status[known] == 1)
    else:
        regression = BatchedRegression.cox(values, outcome)
    place = {column: j for j, column in enumerate(columns)}
    screens = regression.sets([[place[column] for column in group] for group in groups.values()])
    return TwoStageBootstrap(regression, screens, known, columns, tuple(groups), entry_p)


def bootstrap_weights(n: int, resamples: int, seed: int) -> npt.NDArray[np.int32]:
    """(resamples, n): how often each of n patients is drawn, n times with replacement."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.int32)


def bootstrap_two_stage(
    prepared: Mapping[str, TwoStageBootstrap], weights: npt.NDArray[np.integer], n_jobs: int = 1
) -> dict[str, TwoStageFits]:
    """Every prepared endpoint in every resample, on ``n_jobs`` processes of one thread each; the answer does not depend on them.

    ``weights`` (B, n) are common to all. With several processes the first call starts them, which takes seconds.
    """
    starts = range(0, max(1, len(weights)), _CHUNK)
    work = [(name, start) for name in prepared for start in starts]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        parts = Parallel(n_jobs=n_jobs)(delayed(prepared[name].fit)(weights[start : start + _CHUNK]) for name, start in work)
    by_name = {name: [part for (owner, _), part in zip(work, parts, strict=True) if owner == name] for name in prepared}
    return {name: _joined(found) for name, found in by_name.items()}


def _joined(parts: list[TwoStageFits]) -> TwoStageFits:
    arrays = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(TwoStageFits)
        if field.name not in ("columns", "factors")
    }
    return TwoStageFits(parts[0].columns, parts[0].factors, **arrays)
