"""The table of predictions and its arrays: patients in order of their id, folds apart, and nothing missing in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cohort.types import Outcome
from evaluation import predictions as module
from evaluation.predictions import COLUMNS, HorizonPredictions, at_horizon


def _table(n: int = 6, repeats: int = 2, horizons: tuple[float, ...] = (6.0, 12.0)) -> pd.DataFrame:
    rows = [
        {
            "population": "overall",
            "trained_on": "dfs",
            "feature_set": "baseline",
            "model": "paper_cox",
            "repeat": repeat,
            "fold": (patient + repeat) % 2,
            "patient_id": f"P{patient}",
            "horizon_months": horizon,
            "risk": (patient + repeat / 10 + horizon / 1000) / 10,
            "time_months": 3.0 * (patient + 1),
            "event": patient % 2 == 0,
        }
        for repeat in range(repeats)
        for horizon in horizons
        for patient in range(n)
    ]
    return pd.DataFrame(rows).astype(COLUMNS)


def test_the_schema_in_words_is_the_schema_in_code() -> None:
    for name in COLUMNS:
        assert name in (module.__doc__ or "")
    assert _table().dtypes.map(str).to_dict() == COLUMNS


def test_arrays_hold_one_row_a_patient_and_one_column_a_repeat_of_the_horizon_asked_for() -> None:
    at = at_horizon(_table(), 12.0, 60.0)

    np.testing.assert_allclose(at.risk, [[(p + r / 10 + 0.012) / 10 for r in range(2)] for p in range(6)])
    np.testing.assert_array_equal(at.fold, [[(p + r) % 2 for r in range(2)] for p in range(6)])
    assert (at.horizon_months, at.tau_months) == (12.0, 60.0)
    assert at.outcome.time_months.tolist() == [3, 6, 9, 12, 15, 18]
    assert at.outcome.event.tolist() == [True, False] * 3


def test_the_order_of_rows_does_not_matter() -> None:
    at, shuffled = (at_horizon(table, 6.0, 60.0) for table in (_table(), _table().sample(frac=1, random_state=0)))

    np.testing.assert_array_equal(at.risk, shuffled.risk)
    np.testing.assert_array_equal(at.outcome.time_months, shuffled.outcome.time_months)


def test_folds_are_the_test_patients_of_each_fold_of_each_repeat() -> None:
    folds = at_horizon(_table(), 12.0, 60.0).folds()

    assert [(repeat, rows.tolist()) for repeat, rows in folds] == [
        (0, [0, 2, 4]),
        (0, [1, 3, 5]),
        (1, [1, 3, 5]),
        (1, [0, 2, 4]),
    ]


def test_risks_vary_where_patients_of_one_fold_differ_and_not_where_folds_do() -> None:
    table = _table()
    by_fold = at_horizon(table.assign(risk=0.1 + table["fold"] / 10 + table["repeat"] / 10), 12.0, 60.0)

    assert at_horizon(table, 12.0, 60.0).varies
    assert not by_fold.varies


def test_a_patient_without_a_prediction_in_some_repeat_is_refused() -> None:
    table = _table()
    incomplete = table[~((table["patient_id"] == "P3") & (table["repeat"] == 1))]

    with pytest.raises(ValueError, match="1 patients lack a prediction in some repeat"):
        at_horizon(incomplete, 12.0, 60.0)


def test_two_predictions_of_one_patient_in_one_repeat_are_refused() -> None:
    table = _table()

    with pytest.raises(ValueError, match="duplicate"):
        at_horizon(pd.concat([table, table.iloc[[0]]]), 6.0, 60.0)


def test_a_horizon_without_predictions_is_refused() -> None:
    with pytest.raises(ValueError, match="no predictions at 36 months"):
        at_horizon(_table(), 36.0, 60.0)


@pytest.mark.parametrize("risk", [1.0001, -0.0001, np.nan])
def test_what_is_no_risk_is_refused(risk: float) -> None:
    outcome = Outcome(np.array([1.0, 2.0]), np.array([True, False]))

    with pytest.raises(ValueError, match="every risk lies in"):
        HorizonPredictions(1.0, 1.0, outcome, np.array([[0.5], [risk]]), np.zeros((2, 1), np.int16))


@pytest.mark.parametrize(("risk", "fold"), [((2, 1), (2, 2)), ((3, 1), (3, 1)), ((2,), (2,))], ids=["fold", "patients", "flat"])
def test_shapes_that_do_not_fit_are_refused(risk: tuple[int, ...], fold: tuple[int, ...]) -> None:
    outcome = Outcome(np.array([1.0, 2.0]), np.array([True, False]))

    with pytest.raises(ValueError, match="are \\(n, R\\) with n = 2"):
        HorizonPredictions(1.0, 1.0, outcome, np.full(risk, 0.5), np.zeros(fold, np.int16))
