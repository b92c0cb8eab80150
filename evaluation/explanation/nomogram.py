"""A fitted regression to be read by hand: as a formula in clinical units, and as a nomogram.

A nomogram (as of R's ``rms::nomogram``) turns each predictor's part of the linear predictor into points, 100 for the predictor
that can move it most, and the sum of points into a risk. It is the same model, drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.types import FloatArray
from evaluation.explanation.attribution import MISSING
from evaluation.explanation.partial_dependence import encoded_grid
from evaluation.explanation.variants import columns_of
from evaluation.figures import effect_label, signed, variable_label
from features.encode import LEVEL, PredictorEncoder, factor_of
from models.procedure import FittedProcedure
from models.regression import Regression

MINUS = "\N{MINUS SIGN}"
COLUMNS = ["axis", "predictor", "horizon_months", "mark", "value", "points"]
POINTS, TOTAL, RISK = "points", "total points", "risk"
MOST_POINTS = 100.0
_RISKS = (0.01, 0.02, 0.05, *(round(risk / 10, 1) for risk in range(1, 10)), 0.95, 0.98, 0.99)
_NOTE = "[…] is 1 where it holds, else 0. A missing value counts as the median of the patients fitted, on the scale above."
_NO_PREDICTOR = "No predictor entered the regression: everybody has the same risk"


@dataclass(frozen=True, eq=False)
class Nomogram:
    """``lowest``: by predictor the least its columns add to the linear predictor, 0 points. ``points_per_unit`` of the linear
    predictor. ``marks``: rows of :data:`COLUMNS`.
    """

    fitted: FittedProcedure
    regression: Regression
    lowest: Mapping[str, float]
    points_per_unit: float
    marks: pd.DataFrame

    def points(self, x: pd.DataFrame) -> pd.DataFrame:
        """(n, predictors) points of encoded patients."""
        parts = _parts(self.regression, x)
        return pd.DataFrame(
            {name: (parts[name] - low) * self.points_per_unit for name, low in self.lowest.items()}, index=x.index
        )

    def risk(self, total_points: FloatArray, horizon_months: float) -> FloatArray:
        """(n,) risk by the horizon at a sum of points."""
        at_no_points = self.regression.constant + sum(self.lowest.values())
        return self.regression.risk(at_no_points + total_points / self.points_per_unit, horizon_months)


def nomogram(
    fitted: FittedProcedure, regression: Regression, grid: pd.DataFrame, frame: pd.DataFrame, horizons_months: tuple[float, ...]
) -> Nomogram | None:
    """The nomogram over the values of ``grid`` (:func:`evaluation.explanation.partial_dependence.grid_of` the predictors'
    ``frame``), or None where no predictor moves the risk.
    """
    used = dict.fromkeys(map(factor_of, regression.columns))
    tried = grid[grid["predictor"].isin(used)].reset_index(drop=True)
    encoded = pd.DataFrame(encoded_grid(fitted, tried, frame), columns=fitted.encoder.get_feature_names_out())
    parts = _parts(regression, encoded)
    own = pd.Series([parts[name].iloc[row] for row, name in enumerate(tried["predictor"])], dtype="float64")
    lowest, highest = own.groupby(tried["predictor"]).min(), own.groupby(tried["predictor"]).max()
    widest = float((highest - lowest).max()) if len(tried) else 0.0
    if not widest > 0:
        return None
    scale = MOST_POINTS / widest
    axes = pd.DataFrame(
        {
            "axis": POINTS,
            "predictor": tried["predictor"],
            "mark": [row.level if row.level else f"{row.value:g}" for row in tried.itertuples()],
            "value": tried["value"],
            "points": (own - tried["predictor"].map(lowest)) * scale,
        }
    )
    made = Nomogram(fitted, regression, {name: float(lowest[name]) for name in used}, scale, axes)
    most = float(((highest - lowest) * scale).sum())
    marks = pd.concat([axes, _total_marks(most), *(_risk_marks(made, most, h) for h in horizons_months)], ignore_index=True)
    return Nomogram(fitted, regression, made.lowest, scale, marks.reindex(columns=COLUMNS))


def _parts(regression: Regression, x: pd.DataFrame) -> pd.DataFrame:
    """(n, predictors) what each predictor's columns add to the linear predictor."""
    values = regression.values(x) * regression.coefficients
    places = {name: columns_of(name, regression.columns) for name in dict.fromkeys(map(factor_of, regression.columns))}
    return pd.DataFrame({name: values[:, found].sum(axis=1) for name, found in places.items()}, index=x.index)


def _total_marks(most: float) -> pd.DataFrame:
    step = next(step for step in (10, 20, 50, 100, 200) if most / step <= 12 or step == 200)
    points = np.arange(0, most + step, step, dtype=np.float64)
    return pd.DataFrame({"axis": TOTAL, "mark": [f"{p:g}" for p in points], "value": points, "points": points})


def _risk_marks(of: Nomogram, most: float, horizon_months: float) -> pd.DataFrame:
    """Round risks, at the sum of points that gives them; those that the points do not reach are left out."""
    points = np.linspace(0, most, 4_001)
    risk = of.risk(points, horizon_months)  # rises with the points
    reached = [r for r in _RISKS if risk[0] <= r <= risk[-1]]
    at = np.interp(reached, risk, points)
    marks = [f"{r:.0%}" for r in reached]
    return pd.DataFrame({"axis": RISK, "horizon_months": horizon_months, "mark": marks, "value": reached, "points": at})


# ---- in words


def formula(encoder: PredictorEncoder, regression: Regression, horizons_months: tuple[float, ...]) -> tuple[str, ...]:
    """The regression in clinical units, line by line."""
    months = ", ".join(f"{h:g}" for h in horizons_months)
    if not len(regression.columns):
        flat = ", ".join(f"{regression.risk(np.array([regression.constant]), h)[0]:.1%} by {h:g} months" for h in horizons_months)
        return (f"{_NO_PREDICTOR}, {flat}.",)
    terms = [
        f"{'+' if coefficient >= 0 else MINUS} {abs(coefficient):.4g} × {_term(column, encoder)}"
        for column, coefficient in zip(regression.columns, regression.coefficients, strict=True)
    ]
    lines = [f"L = {signed(regression.constant, 4)}", *terms]
    if regression.baseline is None:
        return (*lines, f"Risk by {months} months = 1 / (1 + exp({MINUS}L))", _NOTE)
    survival = ", ".join(f"S₀({h:g}) = {regression.baseline.survival_at(h):.4f}" for h in horizons_months)
    return (*lines, f"Risk by t months = 1 {MINUS} S₀(t)^exp(L), with {survival}", _NOTE)


def _term(column: str, encoder: PredictorEncoder) -> str:
    """``[Sex (male)]`` is 1 or 0; ``ln(1 + Baseline CEA (per ng/ml))`` is a number."""
    predictor = factor_of(column)
    level = column.removeprefix(predictor).removeprefix(LEVEL)
    if level:
        return f"[{variable_label(predictor)}: missing]" if level == MISSING else f"[{effect_label(predictor, level)}]"
    label = effect_label(column, "").replace("(per ", "(in ")
    return f"ln(1 + {label})" if column in encoder.skewed else label
