"""A procedure learned again in bootstrap resamples of its patients, each resample model asked about all of them.

Optimism (:mod:`evaluation.optimism`) and stability (:mod:`evaluation.stability`) are pure functions of these predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohort.types import FloatArray, Outcome
from evaluation.predictions import HorizonPredictions
from features.feature_set import Predictors
from models.procedure import Procedure


@dataclass(frozen=True, eq=False)
class Refit:
    """What one resample gave: ``risk`` (H, n) of all patients at the procedure's horizons, or the ``error`` instead.

    ``selected`` are the predictors that its model chose, None where the model does not choose.
    """

    risk: FloatArray | None
    selected: tuple[str, ...] | None = None
    error: str = ""


def refit(procedure: Procedure, predictors: Predictors, outcome: Outcome, drawn: FloatArray, seed: int) -> Refit:
    """The whole procedure (encode, impute, tune, screen, fit) on patients ``drawn`` (n,) times, then asked about all n."""
    rows = np.repeat(np.arange(len(outcome)), drawn.astype(np.intp))
    frame = predictors.frame.iloc[rows].reset_index(drop=True)
    try:
        resample = Predictors(predictors.feature_set, frame, predictors.skewed)
        fitted = procedure.fit(resample, outcome.subset(rows), seed, patients=rows)
        risk = np.stack([fitted.risk_at(predictors.frame, horizon) for horizon in fitted.horizons_months])
    except Exception as error:  # noqa: BLE001 - any failure of a library is this resample's result
        return Refit(None, error=f"{type(error).__name__}: {error}")
    return Refit(risk, fitted.selected)


@dataclass(frozen=True, eq=False)
class Refits:
    """The original model and the S models of the resamples that could be fitted, on the same n patients.

    original : (H, n) risk by the model fitted to all patients. risk : (S, H, n) by the resample models.
    drawn : (S, n) how often each patient was in the resample. failures : an error for each resample that could not be fitted.
    candidates : the predictors offered. original_selected, selected (S,) : those chosen; None where the model does not choose.
    """

    outcome: Outcome
    tau_months: float
    horizons_months: tuple[float, ...]
    original: FloatArray
    drawn: FloatArray
    risk: FloatArray
    failures: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    original_selected: tuple[str, ...] | None = None
    selected: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        n, n_horizons, n_fitted = len(self.outcome), len(self.horizons_months), len(self.drawn)
        shapes = {"original": (n_horizons, n), "drawn": (n_fitted, n), "risk": (n_fitted, n_horizons, n)}
        wrong = [f"{name} is {getattr(self, name).shape}, not {shape}" for name, shape in shapes.items()
                 if getattr(self, name).shape != shape]  # fmt: skip
        if wrong:
            raise ValueError("; ".join(wrong))
        if self.selected is not None and len(self.selected) != n_fitted:
            raise ValueError(f"{len(self.selected)} selections of {n_fitted} models")

    @property
    def n_resamples(self) -> int:
        """All resamples, the failed too."""
        return len(self.drawn) + len(self.failures)

    def original_at(self, horizon_months: float) -> HorizonPredictions:
        """The original model's risk, as every metric takes it: all patients in one fold, for one fit predicted them."""
        return self._at(horizon_months, self.original[None])

    def resampled_at(self, horizon_months: float) -> list[HorizonPredictions]:
        """The same of each resample model."""
        return [self._at(horizon_months, risk[None]) for risk in self.risk]

    def all_at(self, horizon_months: float) -> HorizonPredictions:
        """The S resample models side by side, in the place of repeats."""
        return self._at(horizon_months, self.risk)

    def _at(self, horizon_months: float, risk: FloatArray) -> HorizonPredictions:
        columns = risk[:, self.horizons_months.index(horizon_months)].T
        fold = np.zeros(columns.shape, dtype=np.int16)
        return HorizonPredictions(horizon_months, self.tau_months, self.outcome, columns, fold)


def gather(
    outcome: Outcome,
    tau_months: float,
    horizons_months: tuple[float, ...],
    original: FloatArray,
    original_selected: tuple[str, ...] | None,
    candidates: tuple[str, ...],
    drawn: FloatArray,
    refits: Sequence[Refit],
) -> Refits:
    """The refits of all resamples ``drawn`` (B, n) as arrays, the failed set apart with their errors."""
    fitted = [(number, r.risk, r.selected) for number, r in enumerate(refits) if r.risk is not None]
    chosen = tuple(selected for _, _, selected in fitted if selected is not None)
    return Refits(
        outcome,
        tau_months,
        horizons_months,
        original,
        drawn[[number for number, _, _ in fitted]],
        np.stack([risk for _, risk, _ in fitted]) if fitted else np.empty((0, *original.shape)),
        tuple(r.error for r in refits if r.risk is None),
        candidates,
        original_selected,
        chosen if original_selected is not None and len(chosen) == len(fitted) else None,
    )
