"""A benchmark's configuration: one pydantic model, checked before anything runs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cohort.load import DEFAULT_COHORT
from cohort.types import ENDPOINTS, POPULATIONS

CONFIGS = Path(__file__).parent / "configs"

Preset = Literal["smoke", "default", "full"]

FEATURE_SET_NAMES = ("baseline", "pre_surgery", "paper")
MODEL_NAMES = (
    "null_model",
    "paper_logistic",
    "paper_cox",
    "fong_score",
    "game_score",
    "tumour_burden_score",
    "m_cs_score",
    "nordlinger_score",
    "konopke_score",
    "nagashima_score",
    "fong_score_frozen",
    "game_score_frozen",
    "m_cs_score_frozen",
    "konopke_score_frozen",
    "penalised_logistic",
    "penalised_cox",
    "xgboost_classifier",
    "xgboost_survival",
    "xgboost_aft",
    "random_survival_forest",
    "extra_survival_trees",
    "gradient_boosted_survival",
    "histogram_gradient_boosting",
    "random_forest_classifier",
)
# The names stand here, beside the registries that tests hold them against, so that a configuration is checked in milliseconds:
# the registry of models imports every library there is.


def known_names(names: tuple[str, ...], field: str) -> tuple[str, ...]:
    """The names asked for, each once; raises ``ValueError`` where there is none, or one is unknown."""
    known = {
        "populations": tuple(POPULATIONS),
        "endpoints": tuple(ENDPOINTS),
        "feature_sets": FEATURE_SET_NAMES,
        "models": MODEL_NAMES,
        "refit_models": MODEL_NAMES,
        "internal_external_models": MODEL_NAMES,
        "explain_models": MODEL_NAMES,
    }[field]
    if not names:
        raise ValueError(f"name one or more of {', '.join(known)}")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}; known: {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def of_preset(preset: str) -> dict[str, Any]:
    """The settings that a preset stands for."""
    return dict(yaml.safe_load((CONFIGS / f"{preset}.yaml").read_text(encoding="utf-8")))


def cores() -> int:
    """Of this machine, as far as this process may use them."""
    return (os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()) or 1


class BenchmarkConfig(BaseModel):
    """What to run. Give a ``preset`` and change what should differ; unknown keys are refused.

    ``n_trials`` 0 takes the challengers' default settings; ``workers`` 0 takes one process a core;
    ``n_refits`` 0 corrects no optimism.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Preset = "default"
    cohort: str = Field(DEFAULT_COHORT, min_length=1, description="a shipped contract's name, or the path of a contract")
    data: str | None = Field(None, description="the cohort's file; not needed where the contract ships its own")
    populations: tuple[str, ...] = tuple(POPULATIONS)
    endpoints: tuple[str, ...] = tuple(ENDPOINTS)
    feature_sets: tuple[str, ...] = FEATURE_SET_NAMES
    models: tuple[str, ...] = MODEL_NAMES
    splits: str | None = Field(None, description="a splits.csv to replay; its folds and repeats are then those of the run")
    n_folds: int = Field(5, ge=2, le=50)
    n_repeats: int = Field(2, ge=1, le=100)
    n_trials: int = Field(3, ge=0, le=1000)
    n_inner_folds: int = Field(3, ge=2, le=20)
    n_bootstraps: int = Field(500, ge=100, le=100_000)
    missing: Literal["single", "multiple", "complete_case"] = Field("single", description="what is done about missing predictors")
    n_imputations: int = Field(10, ge=2, le=100, description="of missing: multiple")
    recalibration: Literal["none", "platt", "isotonic"] = Field("none", description="of risks, learned in the training folds")
    n_refits: int = Field(100, ge=0, le=10_000, description="resamples in which whole procedures are learned again")
    refit_models: tuple[str, ...] | None = Field(("paper_logistic", "paper_cox"), description="of these models; null: of all")
    internal_external: bool = Field(True, description="leave one centre out, where the cohort records centres")
    internal_external_models: tuple[str, ...] | None = Field(
        ("null_model", "paper_logistic", "paper_cox"), description="by these models; null: by all"
    )
    seed: int = Field(2024, ge=0, lt=2**31)
    workers: int = Field(0, ge=0, le=256)
    on_leak: Literal["refuse", "warn"] = "refuse"
    explain: bool = Field(True, description="what the models look at: importance, SHAP values, partial dependence")
    explain_models: tuple[str, ...] | None = Field(
        ("paper_logistic", "paper_cox", "xgboost_classifier", "xgboost_survival"), description="of these models; null: of all"
    )
    n_permutations: int = Field(2, ge=1, le=100, description="shuffles of each predictor in each test fold")
    fresh: bool = Field(False, description="fit every cell anew, even those finished before")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = values.get("preset", "default")
        if preset not in ("smoke", "default", "full"):
            return values  # the field's own check names the choices
        return {**of_preset(preset), **values}

    @field_validator(
        "populations", "endpoints", "feature_sets", "models", "refit_models", "internal_external_models", "explain_models"
    )
    @classmethod
    def _known_names(cls, names: tuple[str, ...] | None, info: Any) -> tuple[str, ...] | None:
        return None if names is None else known_names(names, info.field_name)  # None, where it means all

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if any(ENDPOINTS[e].kind == "binary" for e in self.endpoints):
            return self
        from models.registry import MODELS  # seldom needed, and slow to import

        if all(MODELS[name].answers == "horizon" for name in self.models):
            raise ValueError("classifiers answer relapse_6m and relapse_12m only; add one of them, or a survival model")
        return self

    @property
    def n_workers(self) -> int:
        return self.workers or cores()

    def refits(self, model: str) -> bool:
        """Whether a model's procedure is learned again in resamples."""
        return self.n_refits > 0 and (self.refit_models is None or model in self.refit_models)

    def explains(self, model: str) -> bool:
        """Whether it is asked what the model looks at."""
        return self.explain and (self.explain_models is None or model in self.explain_models)

    def science(self) -> dict[str, Any]:
        """All that bears on the results: not the number of workers, nor whether finished cells are reused."""
        settings = self.model_dump(mode="json", exclude={"workers", "fresh", "preset", "data"})
        return {**settings, "splits": None if self.splits is None else self.splits_digest}

    @property
    def splits_digest(self) -> str:
        """Of the content of the splits' file: what is replayed, not where it lies."""
        return hashlib.sha256(Path(self.splits or "").read_bytes()).hexdigest()[:16]
