"""The explanation of a run's models: what watches a fit's folds, and what of a cell lies in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cohort.types import ENDPOINTS, Outcome
from evaluation.explanation.cell import CellExplanation, explain_cell, regression_tables
from evaluation.explanation.observer import FoldExplainer
from evaluation.figures import feature_set_label, model_label
from evaluation.tables import Cell
from features.feature_set import Predictors
from flows.config import BenchmarkConfig
from flows.plan import Fit, horizons_of
from models.procedure import FittedProcedure
from models.registry import MODELS

_WORDS = "explanation.json"
_NAMES = ("importance", "shap", "partial_dependence", "nomogram")


def explainer_of(fit: Fit, config: BenchmarkConfig, predictors: Predictors, outcome: Outcome) -> FoldExplainer | None:
    """None where the run does not explain, or the model uses no predictor."""
    if not config.explains(fit.model) or not MODELS[fit.model].uses_predictors:
        return None
    own, source = ENDPOINTS[fit.trained_on], ENDPOINTS[fit.trained_on].source
    readers = [own] if own.kind == "binary" else [e for e in ENDPOINTS.values() if e.source == source]
    primary = {e.primary_horizon_months for e in readers}
    horizons = tuple(h for h in horizons_of(fit.trained_on, outcome) if h in primary)
    return FoldExplainer(predictors, outcome, horizons, config.n_permutations, config.seed)


def explained_tables(
    explainer: FoldExplainer | None, fitted: FittedProcedure | None, predictors: Predictors
) -> dict[str, pd.DataFrame]:
    """What is stored of a fit: the folds' aggregates, and the final fit's formula and nomogram where it is a regression."""
    if explainer is None:
        return {}
    tables = explainer.tables()
    return tables if fitted is None else {**tables, **regression_tables(fitted, predictors, tables["grid"])}


def write_explanation(cell: Cell, kept: Mapping[str, pd.DataFrame], config: BenchmarkConfig, folder: Path) -> None:
    """The tables (csv), figures (png) and words of a cell; nothing where its fit was not explained."""
    if not kept:
        return
    endpoint = ENDPOINTS[cell.endpoint]
    title = f"{model_label(cell.model)} · {feature_set_label(cell.feature_set)} · {endpoint.label}"
    explanation = explain_cell(kept, title, endpoint.primary_horizon_months, config.n_folds, config.n_repeats)
    for name, table in explanation.tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    for name, image in explanation.images.items():
        (folder / f"{name}.png").write_bytes(image)
    words = {"formula": explanation.formula, "notes": explanation.notes}
    (folder / _WORDS).write_text(json.dumps(words, indent=1, ensure_ascii=False), encoding="utf-8")


def read_explanation(folder: Path) -> CellExplanation | None:
    """What :func:`write_explanation` left in a cell's folder."""
    path = folder / _WORDS
    if not path.exists():
        return None
    words = json.loads(path.read_text(encoding="utf-8"))
    texts = {"mark": str, "level": str, "note": str, "group": str}
    tables = {
        name: pd.read_csv(folder / f"{name}.csv", dtype=texts, keep_default_na=False, na_values=[""]).fillna(
            {"level": "", "note": ""}
        )
        for name in _NAMES
        if (folder / f"{name}.csv").exists()
    }
    images = {name: (folder / f"{name}.png").read_bytes() for name in tables}
    return CellExplanation(tables, images, tuple(words["formula"]), tuple(words["notes"]))
