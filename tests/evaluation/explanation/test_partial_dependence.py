"""Partial dependence against a naive twin that gives everybody the recorded value and asks the whole procedure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.explanation.partial_dependence import dependence_table, encoded_grid, fold_dependence, grid_of

from .cases import PREDICTORS, SPLITS, fitted


@pytest.mark.parametrize("name", ["random_survival_forest", "xgboost_survival", "paper_cox"])
def test_mean_risk_is_that_of_patients_who_all_have_the_value(name: str) -> None:
    model, frame = fitted(name), PREDICTORS.frame.iloc[SPLITS[0].test]
    grid = grid_of(PREDICTORS.frame)
    some = ["sex", "baseline_cea", "age", "baseline_max_diameter", "baseline_lesions", "primary_resected"]
    grid = grid[grid["predictor"].isin(some)].reset_index(drop=True)
    found = fold_dependence(model, model.encoder.transform(frame), grid, encoded_grid(model, grid, PREDICTORS.frame), 12.0)
    naive = []
    for row in grid.itertuples():
        column = (
            pd.Categorical([row.level] * len(frame), categories=frame[row.predictor].cat.categories) if row.level else row.value
        )
        naive.append(model.risk_at(frame.assign(**{row.predictor: column}), 12.0).mean())

    np.testing.assert_allclose(found["mean_risk"], naive, atol=1e-7)
    assert np.ptp(naive) > 0.01


def test_grid_holds_every_level_and_quantiles_of_numbers_without_the_outermost_patients() -> None:
    frame = pd.DataFrame({"x": np.arange(1.0, 102.0), "s": pd.Categorical(["a"] * 101, categories=["a", "b"])})
    grid = grid_of(frame)

    assert grid.loc[grid["predictor"] == "x", "value"].tolist() == [6, 21, 36, 51, 66, 81, 96]
    assert grid.loc[grid["predictor"] == "s", "level"].tolist() == ["a", "b"]
    assert grid_of(pd.DataFrame({"flag": [0.0] * 30 + [1.0] * 30}))["value"].tolist() == [0.0, 1.0]


def test_table_is_the_mean_of_fold_models_with_their_spread() -> None:
    grid = grid_of(pd.DataFrame({"s": pd.Categorical(["a", "b"])}))
    folds = pd.DataFrame(
        [
            {"repeat": 0, "fold": fold, "horizon_months": 6.0, "predictor": "s", "position": position, "mean_risk": risk}
            for fold, risks in enumerate([(0.1, 0.2), (0.3, 0.4), (0.2, 0.6)])
            for position, risk in enumerate(risks)
        ]
    )
    table = dependence_table(folds, grid, 6.0)

    assert table["mean_risk"].tolist() == pytest.approx([0.2, 0.4])
    assert table["fold_high"].tolist() == pytest.approx([np.quantile([0.1, 0.3, 0.2], 0.95), np.quantile([0.2, 0.4, 0.6], 0.95)])
    assert table["n_folds"].tolist() == [3, 3]
    assert dependence_table(folds, grid, 12.0).empty
