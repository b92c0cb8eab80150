"""SHAP values by predictor and by group: sums, quantiles by hand, and no group so small that it is a patient."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.explanation.attribution import bands, by_predictor, fold_attribution, shap_table, value_groups

from .cases import PREDICTORS, SPLITS, fitted


def test_predictors_values_are_the_sums_over_their_columns_and_add_up_to_the_risk() -> None:
    model = fitted("random_survival_forest")
    frame = PREDICTORS.frame.iloc[SPLITS[0].test]
    x = model.encoder.transform(frame)
    contributions = model.model.contributions(x, 12.0)
    values = by_predictor(contributions, list(x.columns), PREDICTORS.names)
    cea = [list(x.columns).index(c) for c in ("baseline_cea", "baseline_cea=missing")]

    np.testing.assert_allclose(contributions.base + values.sum(axis=1), model.risk_at(frame, 12.0), atol=1e-10)
    np.testing.assert_allclose(
        values[:, PREDICTORS.names.index("baseline_cea")], contributions.values[:, cea].sum(axis=1), atol=1e-15
    )


def test_mean_size_and_share_by_hand() -> None:
    table = fold_attribution(np.array([[1.0, -1.0], [-3.0, 1.0]]), ["a", "b"], 6.0, "logit")

    assert table["mean_abs"].tolist() == [2.0, 1.0]
    assert table["share"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert fold_attribution(np.zeros((2, 2)), ["a", "b"], 6.0, "logit")["share"].tolist() == [0.0, 0.0]


def test_numbers_are_grouped_in_thirds_levels_by_level_and_missing_apart() -> None:
    numbers = pd.Series([1.0, 2, 3, 4, 5, 6, np.nan])
    levels = pd.Series(pd.Categorical(["no", "yes", None], categories=["no", "yes", "unknown"]))

    assert value_groups(numbers).tolist() == [
        *["up to 2"] * 2,
        *["above 2, up to 4"] * 2,
        *["above 4"] * 2,
        "missing",
    ]
    assert list(value_groups(levels).cat.categories) == ["no", "yes", "unknown", "missing"]
    assert value_groups(levels).tolist() == ["no", "yes", "missing"]
    assert set(value_groups(pd.Series([2.0, 2.0]))) == {"all values"}
    assert set(value_groups(pd.Series([0.0, 0.0, 0.0, 1.0]))) == {"up to 0", "above 0"}


def test_quantiles_are_those_of_a_groups_values_over_repeats_and_small_groups_have_none() -> None:
    frame = pd.DataFrame({"sex": pd.Categorical(["female"] * 6 + ["male"] * 4, categories=["female", "male"])})
    rows = np.array([*range(10), *range(10)])
    values = np.arange(20.0)[:, None]
    table = bands(values, rows, frame, 6.0).set_index("group")
    of_women = [*range(6), *range(10, 16)]

    assert table.loc["female", "n"] == 6
    assert table.loc["female", "q50"] == np.median(of_women)
    assert table.loc["female", "q95"] == pytest.approx(np.quantile(of_women, 0.95))
    assert table.loc["male", "n"] == 4
    assert table.loc["male", ["q05", "q25", "q50", "q75", "q95"]].isna().all()
    assert table.loc["male", "note"] == "fewer than 5 patients"


def test_table_has_the_largest_mean_size_first_with_its_spread_over_folds() -> None:
    parts = [fold_attribution(np.array([[a, b]]), ["a", "b"], 6.0, "logit") for a, b in ((1.0, 2.0), (3.0, 2.5), (1.0, 3.0))]
    folds = pd.concat([part.assign(repeat=0, fold=fold) for fold, part in enumerate(parts)])
    frame = pd.DataFrame({"a": np.arange(18.0), "b": np.arange(18.0)})
    groups = bands(np.ones((18, 2)), np.arange(18), frame, 6.0)
    table = shap_table(folds, groups, 6.0, n_planned=4)
    first = table.drop_duplicates("predictor").set_index("predictor")

    assert list(first.index) == ["b", "a"]
    assert first.loc["b", "mean_abs"] == 2.5
    assert first.loc["a", "rank_low"] == pytest.approx(np.quantile([2, 1, 2], 0.05))
    assert set(table["note"]) == {"in 3 of 4 folds only"}
    assert shap_table(folds, groups, 12.0, 4).empty
