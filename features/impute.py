"""Multiple imputation by chained equations with predictive mean matching, fitted on training patients, applied to anybody.

scikit-learn's ``IterativeImputer`` draws a row's values from the stream of the whole batch, so that a patient's risk would
depend on who is predicted beside him, and draws numbers between the levels of a factor. statsmodels' ``MICE`` cannot be
applied to new patients. Hence this one; R's ``mice`` (method ``pmm``) is the model.

The outcome takes no part: a patient whose risk is asked has none yet, and a model trained on values imputed from the outcome
would meet other values in use (Sisk et al., Stat Methods Med Res 2023;32:1461). Effects are then a little too small where
much is missing; predictions are what they will be in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from features.encode import factor_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

#: Observed patients with the nearest predicted mean, of whom one gives his value (mice's default).
N_DONORS = 5
#: Rounds over the incomplete predictors; mice's default is 5, and a row of the embedded cohort stands still after about 3.
N_CYCLES = 10
#: Ridge of mice's ``norm.draw``, relative to a column's sum of squares: collinear columns stay solvable.
_RIDGE = 1e-5


@dataclass(frozen=True, eq=False)
class _Target:
    """How one incomplete predictor (its encoded ``columns``) is imputed: the drawn regression, and the donors."""

    columns: IntArray
    others: IntArray
    coefficients: FloatArray  # (1 + others, columns), drawn from their posterior
    donors: cKDTree  # by their predicted means, in standard deviations
    donor_values: FloatArray  # (donors, columns)
    scale: FloatArray  # (columns,)


class ChainedImputer:
    """One imputation of encoded predictors; several with different seeds make a multiple imputation.

    A predictor's encoded columns (a factor has one for each level but the first) are imputed together, from one donor, so that
    only levels and values that exist come out. A predictor that is missing wherever another is (its own change over time, or a
    group of it) tells nothing about that other's gaps, and is kept out of its regression: the two would hold each other at their
    first guess. Where all gaps are nested this is the sequence for monotone patterns (Rubin 1987, chapter 5).

    ``transform`` is a function of a row alone: which of the nearest donors gives his
    value is drawn once, when fitted. A predictor without missing training values gets its training median where it is missing
    later. Holds training values: store it where patients' data may lie.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def fit(self, x: pd.DataFrame) -> Self:
        """Learn from (n, q) encoded training predictors, NaN where missing; ``completed`` holds them imputed."""
        rng = np.random.default_rng(self._seed)
        self._columns = list(map(str, x.columns))
        values = x.to_numpy(dtype=np.float64)
        missing = np.isnan(values)
        if missing.all(axis=0).any():
            raise ValueError("a predictor without a known value cannot be imputed")
        self._medians = np.nanmedian(values, axis=0) if len(self._columns) else np.zeros(0)
        incomplete = [g for g in _groups(self._columns) if missing[:, g].any()]
        incomplete.sort(key=lambda group: int(missing[:, group[0]].sum()))
        others = [_informative(number, incomplete, missing) for number in range(len(incomplete))]
        filled = values.copy()
        for group in incomplete:  # start from observed values at random
            gaps = missing[:, group[0]]
            filled[np.ix_(gaps, group)] = values[np.ix_(rng.choice(np.flatnonzero(~gaps), int(gaps.sum())), group)]
        self._targets: list[_Target] = []
        for _ in range(N_CYCLES):
            self._targets = []
            for group, told_by in zip(incomplete, others, strict=True):
                gaps = missing[:, group[0]]
                target = _learn(filled, gaps, group, told_by, rng)
                picks = rng.integers(0, N_DONORS, int(gaps.sum()))
                filled[np.ix_(gaps, group)] = _matched(target, filled[gaps], picks)
                self._targets.append(target)
        self._picks = rng.integers(0, N_DONORS, (N_CYCLES, len(incomplete)))
        self.completed = pd.DataFrame(filled, columns=self._columns, index=x.index)
        return self

    def transform(self, x: pd.DataFrame) -> pd.DataFrame:
        """(n, q) without missing values."""
        if list(map(str, x.columns)) != self._columns:
            raise ValueError("the columns are not those that the imputer was fitted on")
        values = x.to_numpy(dtype=np.float64)
        missing = np.isnan(values)
        filled = np.where(missing, self._medians, values)
        rows = np.flatnonzero(missing.any(axis=1))
        if len(rows):
            for cycle in range(N_CYCLES):
                for number, target in enumerate(self._targets):
                    gaps = rows[missing[rows, target.columns[0]]]
                    if len(gaps):
                        picks = np.full(len(gaps), self._picks[cycle, number])
                        filled[np.ix_(gaps, target.columns)] = _matched(target, filled[gaps], picks)
        return pd.DataFrame(filled, columns=self._columns, index=x.index)


def _groups(columns: list[str]) -> list[IntArray]:
    """Positions of the encoded columns of each predictor."""
    groups: dict[str, list[int]] = {}
    for position, column in enumerate(columns):
        groups.setdefault(factor_of(column), []).append(position)
    return [np.asarray(group, dtype=np.intp) for group in groups.values()]


def _informative(number: int, incomplete: list[IntArray], missing: npt.NDArray[np.bool_]) -> IntArray:
    """Columns that may tell about the gaps of a predictor; ``incomplete`` stands fewest gaps first."""
    own = incomplete[number]
    gaps = missing[:, own[0]]
    silent = [g for g in incomplete[number + 1 :] if missing[gaps, g[0]].all()]
    return np.setdiff1d(np.arange(missing.shape[1]), np.concatenate([own, *silent]))


def _learn(
    filled: FloatArray, gaps: npt.NDArray[np.bool_], group: IntArray, others: IntArray, rng: np.random.Generator
) -> _Target:
    """Regress the group on ``others`` among those observed, and draw from the posterior (Rubin 1987, p. 167)."""
    design = _design(filled[~gaps], others)
    known = filled[np.ix_(~gaps, group)]
    cross = design.T @ design
    variance, directions = np.linalg.eigh(cross + _RIDGE * np.diag(np.diag(cross)))
    inverse_root = directions / np.sqrt(np.maximum(variance, 1e-12))
    estimated = inverse_root @ (inverse_root.T @ (design.T @ known))
    means = design @ estimated
    freedom = max(len(known) - design.shape[1], 1)
    spread = np.sqrt(((known - means) ** 2).sum(axis=0) / rng.chisquare(freedom, len(group)))
    drawn = estimated + inverse_root @ rng.standard_normal((design.shape[1], len(group))) * spread
    deviation = known.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    return _Target(group, others, drawn, cKDTree(means / scale), known, scale)


def _design(filled: FloatArray, others: IntArray) -> FloatArray:
    return np.column_stack([np.ones(len(filled)), filled[:, others]])


def _matched(target: _Target, filled: FloatArray, picks: IntArray) -> FloatArray:
    """Values of a donor for each row: the ``picks``-th nearest by predicted mean."""
    wanted = _design(filled, target.others) @ target.coefficients / target.scale
    n_donors = min(N_DONORS, len(target.donor_values))
    _, nearest = target.donors.query(wanted, k=np.arange(1, n_donors + 1))
    values: FloatArray = target.donor_values[nearest[np.arange(len(wanted)), picks % n_donors]]
    return values
