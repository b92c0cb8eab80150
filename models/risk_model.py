"""The one question every model answers: the risk of the event by a horizon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, runtime_checkable

import pandas as pd

from cohort.types import Endpoint, FloatArray, Outcome

if TYPE_CHECKING:
    import optuna

Params = Mapping[str, Any]

Role = Literal["reference", "paper", "published", "challenger"]


def _always_usable(feature_set: str, predictors: tuple[str, ...]) -> str:
    return ""


class RiskModel(Protocol):
    """A model of encoded features, or of predictors in clinical units where its spec is ``raw``.

    ``fit`` sees training patients only. ``risk_at`` gives (n,) probabilities that rise with danger. ``notes`` says in
    words what the fit did (predictors selected, fallbacks taken).
    """

    notes: tuple[str, ...]

    def fit(self, x: pd.DataFrame, outcome: Outcome, endpoint: Endpoint) -> Self: ...

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray: ...


@runtime_checkable
class SelectsPredictors(Protocol):
    """A model that chooses among its predictors: ``selected`` are the names of those in the fit, without their levels."""

    selected: tuple[str, ...]


@dataclass(frozen=True)
class ModelSpec:
    """One entry of the registry.

    role : the null model, the paper's, a published score, or a challenger. The label of a paper's or published one ends in it.
    answers : ``horizon`` for a classifier, trained anew for each binary endpoint on the patients whose status is known;
        ``any_time`` for a survival model, trained once on time to event and asked at every horizon.
    build : (params, seed) -> an unfitted model.
    search : draws params from an Optuna trial; None for a model with nothing to tune.
    defaults : the params without tuning; also the first trial, so that tuning starts from a sensible place.
    while_tuning : params that make trials cheaper without changing which of them is better, such as fewer trees.
    imputes : whether the encoder fills missing values, or the model meets them itself.
    raw : whether the model takes predictors in clinical units, missing values as they are, instead of encoded features.
    uses_predictors : False for the null model, which needs no feature set.
    feature_sets : the only feature sets that it is asked on; empty for all.
    unusable : (feature set, names of its predictors) -> why the model cannot be computed from them, or an empty text.
    relative_cost : rough cost of a fit against logistic regression, to schedule long work first.
    """

    name: str
    label: str
    role: Role
    answers: Literal["horizon", "any_time"]
    build: Callable[[Params, int], RiskModel]
    search: Callable[[optuna.Trial], Params] | None = None
    defaults: Params = field(default_factory=dict)
    while_tuning: Params = field(default_factory=dict)
    imputes: bool = True
    raw: bool = False
    uses_predictors: bool = True
    feature_sets: tuple[str, ...] = ()
    unusable: Callable[[str, tuple[str, ...]], str] = _always_usable
    relative_cost: float = 1.0

    def is_asked_on(self, feature_set: str) -> bool:
        return not self.feature_sets or feature_set in self.feature_sets

    def trains_on(self, endpoint: Endpoint) -> str | None:
        """Endpoint that a cell of ``endpoint`` is trained on: itself, the time to event, or None where it cannot compete."""
        if self.answers == "horizon":
            return endpoint.name if endpoint.kind == "binary" else None
        return endpoint.source
