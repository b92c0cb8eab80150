"""A nomogram and a formula are the regression itself: read for patients, they give the risk that the model gives."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from cohort.types import ENDPOINTS, FloatArray, Outcome
from evaluation.explanation.figures import nomogram_figure
from evaluation.explanation.nomogram import POINTS, RISK, TOTAL, Nomogram, formula, nomogram
from evaluation.explanation.partial_dependence import grid_of
from features.encode import PredictorEncoder
from models.paper_logistic import PaperLogistic
from models.procedure import FittedProcedure
from models.regression import Baseline, Regression

from .cases import PREDICTORS, fitted

PAPER = pytest.mark.parametrize("name", ["paper_logistic", "paper_cox"])


def _nomogram(name: str) -> Nomogram:
    model = fitted(name)
    made = nomogram(model, model.model.regression, grid_of(PREDICTORS.frame), PREDICTORS.frame, model.horizons_months)
    assert made is not None
    return made


@PAPER
def test_reading_points_and_their_sum_gives_every_patient_the_models_risk(name: str) -> None:
    model, made = fitted(name), _nomogram(name)
    total = made.points(model.encoder.transform(PREDICTORS.frame)).sum(axis=1).to_numpy()

    for horizon in model.horizons_months:
        np.testing.assert_allclose(made.risk(total, horizon), model.risk_at(PREDICTORS.frame, horizon), atol=1e-12)
    assert np.ptp(total) > 20


@PAPER
def test_reading_the_printed_marks_alone_gives_the_risk_of_patients_who_have_the_marks_values(name: str) -> None:
    model, marks = fitted(name), _nomogram(name).marks
    patient = PREDICTORS.frame.iloc[:1].copy()
    total = 0.0
    for predictor, axis in marks[marks["axis"] == POINTS].groupby("predictor"):
        mark = axis.iloc[1]
        if pd.isna(mark["value"]):
            patient[predictor] = pd.Categorical([mark["mark"]], categories=patient[predictor].cat.categories)
        else:
            patient[predictor] = mark["value"]
        total += round(mark["points"], 1)
    for horizon in model.horizons_months:
        scale = marks[(marks["axis"] == RISK) & (marks["horizon_months"] == horizon)]
        expected = model.risk_at(patient, horizon)[0]
        assert scale["value"].min() < expected < scale["value"].max()
        assert np.interp(total, scale["points"], scale["value"]) == pytest.approx(expected, abs=0.02), "read between marks"


@PAPER
def test_widest_axis_has_100_points_all_begin_at_0_and_the_total_reaches_their_sum(name: str) -> None:
    marks = _nomogram(name).marks
    ends = marks[marks["axis"] == POINTS].groupby("predictor")["points"].agg(["min", "max"])

    assert ends["max"].max() == pytest.approx(100)
    np.testing.assert_allclose(ends["min"], 0, atol=1e-9)
    assert marks.loc[marks["axis"] == TOTAL, "points"].max() >= ends["max"].sum() - 1e-9


def test_figure_draws_each_mark_at_its_points() -> None:
    made = _nomogram("paper_cox")
    axes = nomogram_figure("t", made.marks).axes[0]
    drawn = [x for collection in axes.collections for segment in collection.get_segments() for x, _ in segment]
    points = made.marks[made.marks["axis"] == POINTS]["points"].to_numpy() / 100

    assert all(np.min(np.abs(np.array(drawn) - share)) < 1e-9 for share in points)


# ---- the formula


def _value_of(term: str, patient: dict[str, float]) -> float:
    sign, number, what = re.fullmatch(r"([+−]) ([\d.e+-]+) × (.+)", term).groups()  # type: ignore[union-attr]
    return (1 if sign == "+" else -1) * float(number) * patient[what]


def _hand_made(baseline: Baseline | None) -> tuple[PredictorEncoder, Regression, pd.DataFrame]:
    frame = pd.DataFrame(
        {
            "sex": pd.Categorical(["female", "male"] * 10, categories=["female", "male"]),
            "baseline_cea": np.linspace(1, 200, 20),
            "age": np.linspace(40, 80, 20),
        }
    )
    encoder = PredictorEncoder(frozenset({"baseline_cea"})).fit(frame)
    columns = ("sex=male", "baseline_cea", "age")
    return encoder, Regression(columns, np.array([0.5, 0.3, -0.02]), -1.0, np.zeros(3), np.zeros(3), baseline), frame


def _logistic(linear: float) -> float:
    return 1 / (1 + np.exp(-linear))


@pytest.mark.parametrize(
    ("baseline", "risk"),
    [(None, _logistic), (Baseline(np.array([6.0]), np.array([0.4])), lambda linear: 1 - np.exp(-0.4) ** np.exp(linear))],
    ids=["logistic", "cox"],
)
def test_formula_read_by_hand_in_clinical_units_gives_the_risk(baseline: Baseline | None, risk: Callable[[float], float]) -> None:
    encoder, regression, frame = _hand_made(baseline)
    lines = formula(encoder, regression, (6.0,))
    patient = {
        "[Sex (male)]": 1.0,
        "ln(1 + Baseline CEA (in ng/ml))": np.log(1 + 12.0),
        "Age at diagnosis of the metastases (in year)": 63.0,
    }
    linear = -1.0 + sum(_value_of(line, patient) for line in lines[1:4])
    row = frame.iloc[:1].assign(sex=pd.Categorical(["male"], categories=["female", "male"]), baseline_cea=12.0, age=63.0)
    x: pd.DataFrame = encoder.transform(row)

    assert lines[0] == "L = −1.0000"
    assert risk(linear) == pytest.approx(regression.risk(regression.linear_predictor(x), 6.0)[0], abs=1e-9)
    assert "S₀(6) = 0.6703" in lines[4] if baseline else lines[4] == "Risk by 6 months = 1 / (1 + exp(−L))"


def test_without_a_predictor_the_formula_says_everybodys_risk_and_there_is_no_nomogram() -> None:
    encoder, _, frame = _hand_made(None)
    empty = np.zeros(0)
    regression = Regression((), empty, np.log(0.25 / 0.75), empty, empty)
    model = FittedProcedure(encoder, PaperLogistic(), {}, (6.0,))

    assert formula(encoder, regression, (6.0,)) == (
        "No predictor entered the regression: everybody has the same risk, 25.0% by 6 months.",
    )
    assert nomogram(model, regression, grid_of(frame), frame, (6.0,)) is None


def test_regression_of_a_fit_without_any_predictor_that_enters_is_explained() -> None:
    rng = np.random.default_rng(0)
    outcome = Outcome(rng.exponential(12, 60) + 0.1, np.ones(60, dtype=bool))
    frame = pd.DataFrame({"age": np.where(np.argsort(np.argsort(outcome.time_months)) % 2, 60.0, 61.0)})
    encoder = PredictorEncoder(impute=False).fit(frame)
    model = PaperLogistic().fit(encoder.transform(frame), outcome, ENDPOINTS["relapse_12m"])
    values: FloatArray = model.contributions(encoder.transform(frame), 12.0).values

    assert model.regression.columns == ()
    assert not values.any()
