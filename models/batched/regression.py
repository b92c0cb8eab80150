"""What calls the kernels: rows sorted once, then any number of resamples, covariate sets and selections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from cohort.types import BoolArray, FloatArray, IntArray, Outcome
from models.batched import kernels
from models.batched.kernels import CodeArray, FitStatus, WeightArray


@dataclass(frozen=True, eq=False)
class Fits:
    """B resamples by S covariate sets that have q columns together (one set, of the columns of its own, where selected).

    ``coefficients``, ``standard_errors`` (of the raw columns) and ``varies``, whether a column does among the patients drawn, are
    (B, q); coefficient and error are 0 in a column that was not fitted, is constant or is aliased. ``log_likelihood``,
    ``log_likelihood_null`` (without covariates), ``intercept`` (0 in Cox regression), ``n_patients`` and ``status``, codes of
    :class:`FitStatus`, are (B, S). ``covariance`` is (B, q, q) where it was asked for.
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    varies: BoolArray
    log_likelihood: FloatArray
    log_likelihood_null: FloatArray
    intercept: FloatArray
    n_patients: IntArray
    status: CodeArray
    covariance: FloatArray

    def count(self) -> dict[FitStatus, int]:
        """How many fits ended in each way; ways in which none did are left out."""
        codes, counts = np.unique(self.status, return_counts=True)
        return {FitStatus(code): int(n) for code, n in zip(codes, counts, strict=True)}


@dataclass(frozen=True, eq=False)
class CovariateSets:
    """Sets of the columns of one matrix, each as its distinct rows; build by :meth:`of`.

    ``columns`` has one array a set. ``pattern`` (S, n) says which of the set's distinct rows a patient has, -1 where one of
    the set's columns is missing.
    """

    columns: tuple[IntArray, ...]
    pattern: IntArray
    distinct: FloatArray
    start: IntArray

    @classmethod
    def of(cls, x: FloatArray, columns: Sequence[Sequence[int]]) -> Self:
        """``x`` is (n, k), NaN where missing; a column may be in several sets."""
        pattern = np.full((len(columns), len(x)), -1, dtype=np.intp)
        flat: list[FloatArray] = [np.empty(0)]
        for s, chosen in enumerate(columns):
            values = x[:, list(chosen)]
            known = np.isfinite(values).all(axis=1)
            distinct, place = np.unique(values[known], axis=0, return_inverse=True)
            pattern[s, known] = place.ravel()
            flat.append(distinct.ravel())
        start = np.cumsum([len(values) for values in flat])
        return cls(tuple(np.array(c, dtype=np.intp) for c in columns), pattern, np.concatenate(flat), start)

    @cached_property
    def column_start(self) -> IntArray:
        """(S + 1,) first place of each set among the q columns of all sets in turn."""
        return np.concatenate([[0], np.cumsum([len(c) for c in self.columns])]).astype(np.intp)


@dataclass(frozen=True, eq=False)
class BatchedRegression:
    """Patients ready for any number of fits; build by :meth:`logistic` or :meth:`cox`.

    ``x`` (n, k), NaN where missing, ``event`` and ``time`` (n,) are in the order of fitting; ``rows`` (n,) says where each of
    them stood, and so which weight is his. ``time`` numbers the distinct times, which descend.
    """

    x: FloatArray
    event: BoolArray
    time: IntArray
    rows: IntArray
    is_cox: bool

    @classmethod
    def logistic(cls, x: FloatArray, event: BoolArray) -> Self:
        """Regression of ``event`` (n,) on ``x`` (n, k) and an intercept."""
        n = len(event)
        values = _matrix(x, n)
        return cls(values, np.asarray(event, dtype=np.bool_), np.zeros(n, dtype=np.intp), np.arange(n), is_cox=False)

    @classmethod
    def cox(cls, x: FloatArray, outcome: Outcome) -> Self:
        """Cox regression of ``outcome`` on ``x`` (n, k), ties as Efron has them."""
        values = _matrix(x, len(outcome))
        order = np.argsort(-outcome.time_months, kind="stable")
        time = np.unique(outcome.time_months, return_inverse=True)[1]
        return cls(np.ascontiguousarray(values[order]), outcome.event[order], time[order].astype(np.intp), order, is_cox=True)

    def sets(self, columns: Sequence[Sequence[int]]) -> CovariateSets:
        """Sets of the columns of ``x``, for :meth:`fit_sets`."""
        return CovariateSets.of(self.x, columns)

    def fit_sets(self, sets: CovariateSets, weights: npt.ArrayLike) -> Fits:
        """Every set in every resample, each on the patients in whom it is known (available cases).

        ``weights`` (B, n) say how often each patient was drawn, in the order in which they were given to the constructor.
        """
        counts = _counts(weights, len(self.rows))
        fits = _empty(len(counts), len(sets.columns), int(sets.column_start[-1]), covariance=False)
        numbers = np.zeros((*fits.status.shape, 4))
        kernels.fit_sets(
            sets.distinct, sets.start, sets.column_start, sets.pattern, self.rows, self.event, self.time, counts, self.is_cox,
            fits.coefficients, fits.standard_errors, fits.varies, numbers, fits.status,
        )  # fmt: skip
        return _with_numbers(fits, numbers)

    def fit_selected(self, selected: npt.ArrayLike, weights: npt.ArrayLike, *, covariance: bool = False) -> Fits:
        """One fit a resample on its own columns ``selected`` (B, k), on the patients complete in these; ``weights`` as above."""
        counts = _counts(weights, len(self.rows))
        chosen = np.ascontiguousarray(selected, dtype=np.bool_)
        if chosen.shape != (len(counts), self.x.shape[1]):
            raise ValueError(f"selected is {(len(counts), self.x.shape[1])}, a row a resample; got {chosen.shape}")
        fits = _empty(len(counts), 1, self.x.shape[1], covariance=covariance)
        numbers = np.zeros((len(counts), 1, 4))
        kernels.fit_selected(
            self.x, self.rows, self.event, self.time, counts, chosen, self.is_cox, fits.coefficients, fits.standard_errors,
            fits.varies, numbers[:, 0], fits.status[:, 0], fits.covariance,
        )  # fmt: skip
        return _with_numbers(fits, numbers)

    def fit_once(self) -> Fits:
        """One fit of all columns and all complete patients, with its covariance: B and S are 1."""
        columns, rows = self.x.shape[1], len(self.rows)
        return self.fit_selected(np.ones((1, columns)), np.ones((1, rows), dtype=np.int32), covariance=True)


def _matrix(x: FloatArray, n: int) -> FloatArray:
    values = np.ascontiguousarray(x, dtype=np.float64)
    if values.ndim != 2 or len(values) != n:
        raise ValueError(f"x is an (n, k) matrix of {n} patients; got {values.shape}")
    if np.isinf(values).any():
        raise ValueError("x is finite, or NaN where missing")
    return values


def _counts(weights: npt.ArrayLike, n: int) -> WeightArray:
    given = np.asarray(weights)
    if given.ndim != 2 or given.shape[1] != n:
        raise ValueError(f"weights are a row a resample of {n} patients; got {given.shape}")
    counts = np.ascontiguousarray(given, dtype=np.int32)
    if (counts < 0).any() or not np.array_equal(counts, given):
        raise ValueError("a weight is the whole number of times that a patient was drawn")
    return counts


def _empty(resamples: int, sets: int, columns: int, *, covariance: bool) -> Fits:
    """Room for the kernels' answers."""
    by_column, by_set = (resamples, columns), (resamples, sets)
    return Fits(
        coefficients=np.zeros(by_column),
        standard_errors=np.zeros(by_column),
        varies=np.zeros(by_column, dtype=np.bool_),
        log_likelihood=np.zeros(by_set),
        log_likelihood_null=np.zeros(by_set),
        intercept=np.zeros(by_set),
        n_patients=np.zeros(by_set, dtype=np.intp),
        status=np.zeros(by_set, dtype=np.int8),
        covariance=np.zeros((resamples if covariance else 0, columns, columns)),
    )


def _with_numbers(fits: Fits, numbers: FloatArray) -> Fits:
    value, null, intercept, n = np.moveaxis(numbers, 2, 0)
    return Fits(
        fits.coefficients, fits.standard_errors, fits.varies, value, null, intercept, n.astype(np.intp), fits.status,
        fits.covariance,
    )  # fmt: skip
