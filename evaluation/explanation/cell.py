"""All that explains one cell, from what its fit's cross-validation kept: tables at the primary horizon, figures, a formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from evaluation.explanation import figures
from evaluation.explanation.attribution import SHAP_COLUMNS, shap_table
from evaluation.explanation.importance import IMPORTANCE_COLUMNS, importance_table
from evaluation.explanation.nomogram import formula, nomogram
from evaluation.explanation.partial_dependence import PD_COLUMNS, dependence_table
from evaluation.figures import png
from features.feature_set import Predictors
from models.procedure import FittedProcedure
from models.regression import IsRegression

IMPORTANCE, SHAP, DEPENDENCE, NOMOGRAM = "importance", "shap", "partial_dependence", "nomogram"


def _empty(columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=columns)


@dataclass(frozen=True, eq=False)
class CellExplanation:
    """``tables`` and ``images`` (PNG) by name; ``formula`` line by line, empty for all but regressions; ``notes`` say what is
    not explained, and why.
    """

    tables: Mapping[str, pd.DataFrame]
    images: Mapping[str, bytes] = field(default_factory=dict)
    formula: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def importance(self) -> pd.DataFrame:
        return self.tables.get(IMPORTANCE, _empty(IMPORTANCE_COLUMNS))

    @property
    def shap(self) -> pd.DataFrame:
        return self.tables.get(SHAP, _empty(SHAP_COLUMNS))

    @property
    def dependence(self) -> pd.DataFrame:
        return self.tables.get(DEPENDENCE, _empty(PD_COLUMNS))


def explain_cell(
    kept: Mapping[str, pd.DataFrame], title: str, horizon_months: float, n_folds: int, n_repeats: int
) -> CellExplanation:
    """From the tables of :meth:`evaluation.explanation.observer.FoldExplainer.tables` and :func:`regression_tables`."""
    planned = n_folds * n_repeats
    tables = {
        IMPORTANCE: importance_table(kept["importance"], horizon_months, planned, test_to_train=1 / (n_folds - 1)),
        SHAP: shap_table(kept["shap"], kept["shap_bands"], horizon_months, planned),
        DEPENDENCE: dependence_table(kept["dependence"], kept["grid"], horizon_months),
    }
    if NOMOGRAM in kept:
        tables[NOMOGRAM] = kept[NOMOGRAM]
    tables = {name: table for name, table in tables.items() if len(table)}
    draw = {
        IMPORTANCE: lambda table: figures.importance_figure(title, table),
        SHAP: lambda table: figures.shap_figure(title, table),
        DEPENDENCE: lambda table: figures.dependence_figure(title, table, horizon_months),
        NOMOGRAM: lambda table: figures.nomogram_figure(title, table),
    }
    reasons = Counter(kept["not_explained"]["reason"])
    return CellExplanation(
        tables,
        {name: png(draw[name](table)) for name, table in tables.items()},
        tuple(kept["formula"]["line"]) if "formula" in kept else (),
        tuple(reason if count == planned else f"{reason} ({count} of {planned} folds)" for reason, count in reasons.items()),
    )


def regression_tables(fitted: FittedProcedure, predictors: Predictors, grid: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The formula, and where a predictor entered the nomogram, of a fit that is a regression; of others nothing."""
    if not isinstance(fitted.model, IsRegression):
        return {}
    regression, horizons = fitted.model.regression, fitted.horizons_months
    lines = formula(fitted.encoder, regression, horizons)
    drawn = nomogram(fitted, regression, grid, predictors.frame, horizons)
    tables = {"formula": pd.DataFrame({"line": list(lines)})}
    return tables if drawn is None else {**tables, NOMOGRAM: drawn.marks}
