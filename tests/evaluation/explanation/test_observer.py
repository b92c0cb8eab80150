"""Watching a cross-validation changes nothing of it, and what cannot be explained is a row with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohort.types import FloatArray
from evaluation.cross_validation import cross_validate
from evaluation.explanation import observer
from evaluation.explanation.observer import NO_SHAP, TOP, UNENCODED
from models.procedure import FittedProcedure

from .cases import COHORT, OUTCOME, PREDICTORS, SPLITS, explainer, fitted, kept, procedure


def test_predictions_are_the_same_with_and_without_an_observer() -> None:
    alone = cross_validate(procedure("paper_cox"), PREDICTORS, OUTCOME, SPLITS, 0)
    watched = cross_validate(procedure("paper_cox"), PREDICTORS, OUTCOME, SPLITS, 0, explainer())

    pd.testing.assert_frame_equal(alone.predictions, watched.predictions)


def test_every_fold_is_explained_and_partial_dependence_is_of_the_top_predictors_in_the_first_repeat() -> None:
    tables = kept("xgboost_classifier")
    folds = {(split.repeat, split.fold) for split in SPLITS}

    for name in ("importance", "shap"):
        assert set(tables[name][["repeat", "fold"]].itertuples(index=False, name=None)) == folds
        assert set(tables[name]["predictor"]) == set(PREDICTORS.names)
    assert set(tables["dependence"]["repeat"]) == {0}
    assert tables["dependence"]["predictor"].nunique() == TOP
    assert tables["not_explained"].empty


def test_nothing_kept_names_a_patient() -> None:
    ids = set(COHORT.patient_ids)

    for table in kept("random_survival_forest").values():
        assert not ids & set(table.astype(str).to_numpy().ravel())
        assert "row" not in table.columns


class _Opaque:
    """A model that cannot tell what a feature adds."""

    notes: tuple[str, ...] = ()

    def __init__(self, breaks: bool = False) -> None:
        self.breaks = breaks

    def risk_at(self, x: pd.DataFrame, horizon_months: float) -> FloatArray:
        if self.breaks:
            raise ValueError("singular")
        return np.full(len(x), 0.3)


def _with(model: Any) -> FittedProcedure:
    return FittedProcedure(fitted("paper_cox").encoder, model, {}, (12.0,))


def test_a_model_that_is_neither_trees_nor_linear_has_importance_and_a_reason_in_place_of_shap_values() -> None:
    watching = explainer()
    for split in SPLITS:
        watching(_with(_Opaque()), split)
    tables = watching.tables()

    assert set(tables["not_explained"]["reason"]) == {NO_SHAP}
    assert len(tables["importance"]) == len(SPLITS) * len(PREDICTORS.names) * 2
    assert tables["shap"].empty
    assert tables["dependence"].empty, "nothing that it uses"


def test_a_fold_that_cannot_be_explained_is_a_row_and_leaves_none_of_its_numbers() -> None:
    watching = explainer()
    watching(_with(_Opaque(breaks=True)), SPLITS[1])
    tables = watching.tables()

    assert tables["not_explained"].to_dict("records") == [{"repeat": 0, "fold": 1, "reason": "ValueError: singular"}]
    assert tables["importance"].empty


def test_predictors_that_reach_a_model_as_recorded_are_told_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    watching = explainer()
    procedure = _with(_Opaque())
    monkeypatch.setattr(procedure.encoder, "transform", lambda frame: frame, raising=False)
    watching(procedure, SPLITS[0])

    assert watching.tables()["not_explained"]["reason"].tolist() == [f"TypeError: {UNENCODED}"]


def test_large_cohorts_are_explained_from_some_of_the_test_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "_MOST_PATIENTS", 10)
    watching = explainer()
    watching(fitted("paper_cox"), SPLITS[0])
    bands = watching.tables()["shap_bands"]

    assert set(bands.groupby("predictor")["n"].sum()) == {10}
