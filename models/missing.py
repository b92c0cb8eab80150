"""What is done about missing predictor values: one setting for all models of a run.

- ``single``: the training median and an indicator of what was missing; models that meet missing values themselves (the paper's,
  by complete cases of each regression; XGBoost) do so. The default.
- ``multiple``: several imputations, one fit on each, risks averaged on the scale of the linear predictor.
- ``complete_case``: training patients with any missing predictor are left out. Test patients are not, so that all settings are
  judged on the same patients: their missing values become the median of the complete training patients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from cohort.types import BoolArray, Endpoint, FloatArray, Outcome
from features.encode import factor_of
from features.feature_set import Predictors
from features.impute import ChainedImputer
from models.risk_model import ModelSpec, Params, RiskModel
from models.rubin import Pooled, pool

MissingMethod = Literal["single", "multiple", "complete_case"]

#: Risks of 0 and 1 have no logit.
_SMALLEST_RISK = 1e-9

_Transform = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class MissingData:
    """The setting. ``n_imputations`` counts for ``multiple`` only."""

    method: MissingMethod = "single"
    n_imputations: int = 10

    def __post_init__(self) -> None:
        if self.n_imputations < 2:
            raise ValueError("a multiple imputation has two or more imputations")

    def training_rows(self, predictors: Predictors) -> tuple[BoolArray, tuple[str, ...]]:
        """(n,) who is learned from, and a note on how many were left out. Raises ``ValueError`` where nobody is complete."""
        complete = predictors.frame.notna().all(axis=1).to_numpy(dtype=np.bool_)
        if self.method != "complete_case" or complete.all():
            return np.ones(len(complete), dtype=np.bool_), ()
        if not complete.any():
            raise ValueError(f"complete cases: each of the {len(complete)} training patients lacks a predictor")
        note = f"complete cases: {int((~complete).sum())} of {len(complete)} training patients left out"
        return complete, (note,)

    def encoder_imputes(self, spec: ModelSpec) -> bool:
        return {"single": spec.imputes, "multiple": False, "complete_case": True}[self.method]

    def build(self, spec: ModelSpec, params: Params, seed: int) -> RiskModel:
        """The unfitted model, wrapped where it is to be fitted on several imputations. Published scores meet gaps by rule."""
        if self.method == "multiple" and spec.uses_predictors and not spec.raw:
            return MultiplyImputed(spec, params, self.n_imputations, seed)
        return spec.build(params, seed)


@runtime_checkable
class ScreensPredictors(Protocol):
    """A model that screens its predictors. The screen is made once over all imputations, or they would differ."""

    columns: list[str] | None

    def select_over(self, imputed: Sequence[pd.DataFrame], outcome: Outcome, endpoint: Endpoint) -> list[str]:
        """The columns that enter, by pooled P values."""
        ...


@runtime_checkable
class WaldRegression(Protocol):
    """A fitted regression with errors, which Rubin's rules can pool."""

    columns: list[str] | None
    coefficients: FloatArray
    standard_errors: FloatArray


class MultiplyImputed:
    """A model fitted on each of several imputations of its training patients.

    Risks are averaged as complementary log-log (models that answer any time: log of the cumulative hazard) or logit
    (classifiers).
    For Cox and logistic regression that is the linear predictor, and the average is what pooled coefficients give; for all
    other models it is an ensemble (Wood, Royston and White, Biom J 2015;57:614). Settings are tuned once, on single imputation.
    """

    def __init__(self, spec: ModelSpec, params: Params, n_imputations: int, seed: int) -> None:
        self._spec, self._params, self._seed = spec, params, seed
        self._n_imputations, self._answers = n_imputations, spec.answers
        self.notes: tuple[str, ...] = ()

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self:
        gaps = list(dict.fromkeys(factor_of(str(c)) for c in x.columns[x.isna().any()]))
        count = self._n_imputations if gaps else 1
        seeds = np.random.SeedSequence(self._seed).generate_state(count)
        self.imputers = [ChainedImputer(int(seed)).fit(x) for seed in seeds]
        imputed = [imputer.completed for imputer in self.imputers]
        models = [self._spec.build(self._params, self._seed) for _ in imputed]
        if isinstance(models[0], ScreensPredictors):
            columns = models[0].select_over(imputed, outcome, endpoint)
            for model in models:
                model.columns = columns  # type: ignore[attr-defined]  # all are built alike
        self.models = [model.fit(values, outcome, endpoint) for model, values in zip(models, imputed, strict=True)]
        self.notes = (*self.models[0].notes, *self._imputation_note(gaps))
        return self

    def __getstate__(self) -> dict[str, object]:
        """Without the registry's entry: its functions cannot be pickled, and a fitted model has no more use for it."""
        return {name: value for name, value in self.__dict__.items() if name != "_spec"}

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        to, back = _scale(self._answers)
        total = np.zeros(len(x))
        for imputer, model in zip(self.imputers, self.models, strict=True):
            risk = model.risk_at(imputer.transform(x), horizon_months)
            total += to(np.clip(risk, _SMALLEST_RISK, 1 - _SMALLEST_RISK))
        return back(total / len(self.models))

    def pooled(self) -> tuple[list[str], Pooled] | None:
        """Columns and pooled coefficients of a regression with errors; None for any other model."""
        first = self.models[0]
        if not isinstance(first, WaldRegression) or not first.columns:
            return None
        fits: list[WaldRegression] = [model for model in self.models if isinstance(model, WaldRegression)]
        estimates, errors = (np.vstack([getattr(f, name) for f in fits]) for name in ("coefficients", "standard_errors"))
        return list(first.columns), pool(estimates, errors)

    def _imputation_note(self, gaps: list[str]) -> tuple[str, ...]:
        if not gaps:
            return ()
        note = f"{len(self.models)} imputations of {len(gaps)} predictors"
        pooled = self.pooled()
        if pooled is not None:
            columns, coefficients = pooled
            worst = int(np.argmax(coefficients.fmi))
            share = coefficients.fmi[worst]
            note += f"; most missing information in the coefficient of {columns[worst].replace('_', ' ')}: {100 * share:.0f} %"
        return (note,)


def _scale(answers: str) -> tuple[_Transform, _Transform]:
    """To the scale of the linear predictor, and back to risk."""
    if answers == "horizon":
        return (lambda risk: np.log(risk / (1 - risk))), (lambda logit: 1 / (1 + np.exp(-logit)))
    return (lambda risk: np.log(-np.log1p(-risk))), (lambda log_hazard: -np.expm1(-np.exp(log_hazard)))
