"""What an external validation is asked: one pydantic model, checked before anything runs."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cohort.load import DEFAULT_COHORT
from cohort.types import ENDPOINTS, POPULATIONS
from flows.config import FEATURE_SET_NAMES, MODEL_NAMES, Preset, cores, known_names, of_preset


class ValidationConfig(BaseModel):
    """Train on one cohort, judge in another. Give a ``preset`` and change what should differ; unknown keys are refused.

    ``n_folds`` and ``n_repeats`` cross-fit the recalibration in the test cohort; ``n_trials`` and ``n_inner_folds`` tune inside
    the training cohort; ``workers`` 0 takes one process a core.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Preset = "default"
    train: str = Field(DEFAULT_COHORT, min_length=1, description="contract of the cohort to learn from: a name or a path")
    train_data: str | None = Field(None, description="its file; not needed where the contract ships its own")
    test: str = Field(min_length=1, description="contract of the cohort to judge in")
    test_data: str | None = Field(None, description="its file")
    populations: tuple[str, ...] = tuple(POPULATIONS)
    endpoints: tuple[str, ...] = tuple(ENDPOINTS)
    feature_sets: tuple[str, ...] = FEATURE_SET_NAMES
    models: tuple[str, ...] = MODEL_NAMES
    n_folds: int = Field(5, ge=2, le=50)
    n_repeats: int = Field(2, ge=1, le=100)
    n_trials: int = Field(3, ge=0, le=1000)
    n_inner_folds: int = Field(3, ge=2, le=20)
    n_bootstraps: int = Field(500, ge=100, le=100_000)
    missing: Literal["single", "multiple", "complete_case"] = Field("single", description="what is done about missing predictors")
    n_imputations: int = Field(10, ge=2, le=100, description="of missing: multiple")
    recalibration: Literal["none", "platt", "isotonic"] = Field("none", description="of risks, learned in the training folds")
    seed: int = Field(2024, ge=0, lt=2**31)
    workers: int = Field(0, ge=0, le=256)
    on_leak: Literal["refuse", "warn"] = "refuse"
    fresh: bool = Field(False, description="fit every model anew, even those finished before")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("preset", "default") not in ("smoke", "default", "full"):
            return values  # the field's own check names the choices
        # A preset speaks of a benchmark: what a validation has no setting for is no concern of it.
        preset = {k: v for k, v in of_preset(values.get("preset", "default")).items() if k in cls.model_fields}
        return {**preset, **values}

    @field_validator("populations", "endpoints", "feature_sets", "models")
    @classmethod
    def _known_names(cls, names: tuple[str, ...], info: Any) -> tuple[str, ...]:
        return known_names(names, info.field_name)

    @model_validator(mode="after")
    def _two_cohorts(self) -> Self:
        if (self.train, self.train_data) == (self.test, self.test_data):
            raise ValueError("train and test are the same cohort: a validation is external in another; see crlm benchmark")
        return self

    @property
    def n_workers(self) -> int:
        return self.workers or cores()

    def science(self) -> dict[str, Any]:
        """All that bears on the results, without the files' paths."""
        return self.model_dump(mode="json", exclude={"workers", "fresh", "preset", "train_data", "test_data"})
