"""The paper's two stages: entry at P <= 0.10 as printed, whole factors, complete cases, and when nothing or too much enters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohort.types import ENDPOINTS, FloatArray, Outcome
from models.kaplan_meier import kaplan_meier
from models.paper_cox import PaperCox
from models.paper_logistic import PaperLogistic
from models.risk_model import RiskModel
from models.two_stage import ENTRY_P, complete, enters, factors, screen, selection_note, wald_p

TWELVE, DFS = ENDPOINTS["relapse_12m"], ENDPOINTS["dfs"]
BOTH = pytest.mark.parametrize("model", [PaperLogistic(), PaperCox()], ids=["logistic", "cox"])


def _strong(n: int = 200, seed: int = 0) -> tuple[pd.DataFrame, Outcome]:
    """Column ``strong`` decides most, ``noise`` nothing."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"strong": rng.normal(size=n), "noise": rng.normal(size=n)})
    time = rng.exponential(12 * np.exp(-1.5 * x["strong"])) + 0.01
    return x, Outcome(np.minimum(time, 40.0), np.asarray(time <= 40))


def _fit_with_p(p: dict[str, float]) -> tuple[pd.DataFrame, object]:
    """A frame, and a regression whose Wald P of every column is as given."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.random(30) for name in p})
    z_of = {tuple(frame[name]): stats.norm.isf(value / 2) for name, value in p.items()}

    def fit(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
        return np.array([z_of[tuple(column)] for column in x.T]), np.ones(x.shape[1])

    return frame, fit


def _events(n: int) -> Outcome:
    return Outcome(np.arange(1.0, n + 1), np.ones(n, dtype=bool))


def test_entry_is_at_p_0_10_read_at_two_decimals() -> None:
    frame, fit = _fit_with_p({"below": 0.0999, "rounds down": 0.1049, "rounds up": 0.1051})

    assert screen(frame, _events(30), fit) == ["below", "rounds down"]
    assert ENTRY_P == 0.10


@pytest.mark.parametrize(("p", "entered"), [(0.0, True), (0.10, True), (0.1049, True), (0.1051, False), (1.0, False)])
def test_a_p_value_enters_as_it_would_be_printed(p: float, entered: bool) -> None:
    assert enters(np.array([p])) is entered


def test_the_smallest_p_of_a_factor_decides_and_no_p_at_all_does_not_enter() -> None:
    assert enters(np.array([0.9, 0.104]))
    assert not enters(np.array([0.9, 0.11]))
    assert not enters(np.array([]))


def test_another_limit_of_entry_is_read_at_two_decimals_too() -> None:
    assert enters(np.array([0.0549]), entry_p=0.05)
    assert not enters(np.array([0.0551]), entry_p=0.05)
    assert not enters(np.array([0.10]), entry_p=0.05)


def test_a_factor_enters_with_all_its_levels_when_one_reaches_p() -> None:
    frame, fit = _fit_with_p({"ras_braf=ras_mutated": 0.6, "ras_braf=braf_mutated": 0.01, "age>=65": 0.3})

    assert screen(frame, _events(30), fit) == ["ras_braf=ras_mutated", "ras_braf=braf_mutated"]


def test_cut_points_are_no_levels_of_a_factor() -> None:
    assert factors(["age", "age>=65", "ras_braf=a", "ras_braf=b"]) == {
        "age": ["age"],
        "age>=65": ["age>=65"],
        "ras_braf": ["ras_braf=a", "ras_braf=b"],
    }


def test_wald_p_by_hand_and_1_where_there_is_no_standard_error() -> None:
    p = wald_p(np.array([1.959963984540054, -1.959963984540054, 3.0, 3.0]), np.array([1.0, 1.0, 0.0, np.nan]))

    np.testing.assert_allclose(p, [0.05, 0.05, 1, 1])


def test_complete_takes_the_rows_without_a_missing_value_and_their_outcomes() -> None:
    x = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [1.0, 2.0, 3.0]})
    values, outcome = complete(x, Outcome(np.array([1.0, 2.0, 3.0]), np.array([True, True, False])))

    assert values.tolist() == [[1, 1], [3, 3]]
    assert outcome.time_months.tolist() == [1, 3]
    assert outcome.event.tolist() == [True, False]


def test_stage_one_uses_the_patients_in_whom_the_predictor_is_known() -> None:
    seen: list[int] = []

    def fit(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
        seen.append(len(outcome))
        return np.zeros(x.shape[1]), np.ones(x.shape[1])

    frame = pd.DataFrame({"half": [1.0, 2.0, np.nan, np.nan], "whole": [1.0, 2.0, 3.0, 4.0], "never": [np.nan] * 4})
    screen(frame, _events(4), fit)

    assert seen == [2, 4]


def test_a_column_that_is_constant_among_the_known_is_never_fitted() -> None:
    def fit(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
        pytest.fail("a constant was fitted")

    assert np.full(12, 0.1).std() > 0  # a deviation would not see it
    frame = pd.DataFrame({"constant": [0.1] * 12 + [np.nan]})

    assert screen(frame, _events(13), fit) == []


@BOTH
def test_the_strong_predictor_enters_and_the_noise_does_not(model: RiskModel) -> None:
    x, outcome = _strong()
    model.fit(x, outcome, TWELVE)

    assert model.notes == ("entered: strong",)
    assert np.corrcoef(model.risk_at(x, 12.0), x["strong"])[0, 1] > 0.8


def test_stage_two_uses_complete_cases_and_says_how_many() -> None:
    x, outcome = _strong()
    x.loc[:49, "strong"] = np.nan
    model = PaperCox().fit(x, outcome, DFS)
    complete_only = PaperCox().fit(x.iloc[50:], outcome.subset(np.arange(50, 200)), DFS)

    assert model.notes == ("entered: strong (150 of 200 patients complete)",)
    np.testing.assert_allclose(model.risk_at(x.iloc[50:], 12.0), complete_only.risk_at(x.iloc[50:], 12.0))


@BOTH
def test_a_test_patient_with_a_missing_value_gets_the_risk_of_the_training_median(model: RiskModel) -> None:
    x, outcome = _strong()
    model.fit(x, outcome, TWELVE)
    patients = pd.DataFrame({"strong": [np.nan, x["strong"].median()], "noise": [0.0, 0.0]})

    missing, median = model.risk_at(patients, 12.0)

    assert missing == median


def _noise(n: int = 40) -> tuple[pd.DataFrame, Outcome]:
    """A column balanced over the outcome, so that its P is near 1."""
    time = np.repeat(np.arange(1.0, n / 2 + 1), 2)
    return pd.DataFrame({"noise": np.tile([0.0, 1.0], n // 2)}), Outcome(time, np.ones(n, dtype=bool))


def test_with_nothing_entered_the_logistic_risk_is_the_share_of_events() -> None:
    x, outcome = _noise()
    model = PaperLogistic().fit(x, outcome, TWELVE)

    np.testing.assert_allclose(model.risk_at(x, 12.0), 24 / 40, atol=1e-9)
    assert "mean risk" in model.notes[0]


def test_with_nothing_entered_the_cox_risk_is_nearly_that_of_kaplan_meier() -> None:
    x, outcome = _noise()
    model = PaperCox().fit(x, outcome, DFS)
    risk = model.risk_at(x, 12.0)

    # exp(-cumulative hazard) against a product of shares: Efron's hazard differs from Kaplan-Meier's by little.
    assert np.ptp(risk) == 0
    assert risk[0] == pytest.approx(1 - kaplan_meier(outcome).at([12.0])[0, 0], abs=0.02)


@BOTH
def test_a_separated_level_leaves_finite_ordered_risks(model: RiskModel) -> None:
    x, outcome = _strong()
    early = np.argsort(outcome.time_months)[:6]
    x["braf"] = 0.0
    x.loc[early, "braf"] = 1.0  # all six relapse at once, as the paper's six with mutated BRAF nearly do

    risk = model.fit(x, outcome, TWELVE).risk_at(x, 12.0)

    assert ((risk >= 0) & (risk <= 1)).all()
    # A Wald test cannot see a separated level: its standard error is larger still (Hauck and Donner 1977).
    assert "strong" in model.notes[0]


def test_a_level_constant_among_the_complete_cases_takes_nothing_from_the_intercept() -> None:
    x, outcome = _strong()
    late = np.argsort(outcome.time_months)[-120::2]
    x["level"] = 1.0
    x.loc[late, "level"] = 0.0
    x.loc[late, "strong"] = np.nan  # so level is 1 in all complete cases, and its effect unknown

    model = PaperLogistic().fit(x, outcome, TWELVE)
    patients = pd.DataFrame({"strong": [0.3, 0.3], "noise": [0.0, 0.0], "level": [0.0, 1.0]})

    assert "level" in model.notes[0]
    assert "strong" in model.notes[0]
    without, with_level = model.risk_at(patients, 12.0)
    assert without == pytest.approx(with_level, abs=1e-9)


def test_selection_notes_name_each_factor_once() -> None:
    assert selection_note(["ras_braf=a", "ras_braf=b", "age"], 10, 10) == ("entered: ras_braf, age",)
