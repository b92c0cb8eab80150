"""The paper's regressions against R's glm and coxph: the fit itself, and the whole procedure when everything enters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from cohort.types import Endpoint, FloatArray, Outcome
from models.logistic import fit_logistic
from models.paper_cox import PaperCox
from models.paper_logistic import PaperLogistic

REFERENCE = Path(__file__).parent.parent / "reference"
LOGISTIC = pd.read_csv(REFERENCE / "logistic.csv")


def _data(name: str) -> tuple[pd.DataFrame, Outcome]:
    data = pd.read_csv(REFERENCE / f"data_{name}.csv")
    outcome = Outcome(data["time"].to_numpy(dtype=float), data["event"].to_numpy(dtype=bool))
    return data.drop(columns=["time", "event"]).astype(float), outcome


def _by(horizon: float) -> Endpoint:
    return Endpoint("by_horizon", "By a horizon", "dfs", "binary", (float(horizon),), tau_months=float(horizon))


@pytest.mark.parametrize(
    ("name", "covariates"), list(LOGISTIC[["data", "covariates"]].drop_duplicates().itertuples(index=False, name=None))
)
def test_logistic_coefficients_and_standard_errors_are_those_of_r(name: str, covariates: str) -> None:
    r = LOGISTIC.query("data == @name and covariates == @covariates")
    x, outcome = _data(name)
    status = outcome.status_at(float(r["horizon"].iloc[0]))
    known = ~np.isnan(status)
    values = x.loc[known, covariates.split(" ")].to_numpy()

    coefficients, errors, intercept = fit_logistic(values, Outcome(outcome.time_months[known], status[known] == 1))

    # Both stop at a small change of the deviance: 1e-10 here, 1e-14 in the R script.
    np.testing.assert_allclose([intercept, *coefficients], r["coefficient"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(errors, r["standard_error"].iloc[1:], rtol=1e-6)


def _risk_by_glm(x: FloatArray, status: FloatArray) -> FloatArray:
    design = sm.add_constant(x)
    return np.asarray(sm.Logit(status, design).fit(disp=False, tol=1e-12).predict(design))


def test_the_logistic_procedure_with_one_strong_predictor_is_the_plain_regression_on_known_statuses() -> None:
    x, outcome = _data("veteran")
    status = outcome.status_at(90.0)
    known = ~np.isnan(status)
    assert not known.all()

    model = PaperLogistic().fit(x[["karno"]], outcome, _by(90))

    np.testing.assert_allclose(
        model.risk_at(x.loc[known, ["karno"]], 90.0), _risk_by_glm(x.loc[known, ["karno"]].to_numpy(), status[known]), atol=1e-8
    )


def test_the_cox_procedure_with_all_entered_gives_the_risks_of_r() -> None:
    covariates = "karno smallcell adeno large"
    r = pd.read_csv(REFERENCE / "cox_risks.csv").query("data == 'veteran' and covariates == @covariates")
    x, outcome = _data("veteran")
    # One factor's levels enter together, as celltype's do.
    named = {c: f"celltype={c}" for c in ("smallcell", "adeno", "large")}
    frame = x[covariates.split(" ")].rename(columns=named)

    model = PaperCox().fit(frame, outcome, _by(90))

    assert model.notes == ("entered: karno, celltype",)
    for horizon, rows in r.groupby("horizon"):
        np.testing.assert_allclose(model.risk_at(frame.iloc[rows["row"]], float(horizon)), rows["risk"], atol=1e-8)


def test_a_horizon_that_was_not_trained_for_is_refused() -> None:
    x, outcome = _data("lung")
    model = PaperLogistic().fit(x, outcome, _by(6))

    with pytest.raises(ValueError, match="trained for 6 months, asked at 12"):
        model.risk_at(x, 12.0)


def test_complete_cases_of_one_status_are_refused_with_their_number() -> None:
    x, outcome = _data("lung")
    x = x[["ecog"]].assign(age_of_survivors=np.nan)
    survivors = outcome.status_at(12.0) == 0
    x["signal"] = np.where(outcome.status_at(12.0) == 1, 1.0, 0.0) + np.arange(len(x)) % 3
    x.loc[survivors & (np.arange(len(x)) % 3 != 0), "ecog"] = np.nan
    x.loc[survivors & (np.arange(len(x)) % 3 == 0), "signal"] = np.nan

    with pytest.raises(ValueError, match=r"patients complete in ecog, signal have the same status"):
        PaperLogistic().fit(x, outcome, _by(12))
