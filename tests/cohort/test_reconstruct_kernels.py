"""The optimiser's compiled kernels against the project's own estimators, its rules and its targets."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from cohort.describe import median_survival
from cohort.load import load_cohort
from cohort.reconstruct import fit, outcome_fit, problem, targets
from cohort.reconstruct.covariates import (
    COLUMN,
    COVARIATES,
    N_COVARIATES,
    UNKNOWN,
    Field,
    add_gains,
    broken_rules,
    encode,
    records_of,
    write_records,
)
from cohort.reconstruct.regressions import MAX_TERMS, cox_step, logistic_step
from cohort.types import Outcome
from evaluation.log_rank import log_rank
from features.encode import PredictorEncoder
from features.feature_set import build_predictors
from features.paper import PAPER, printed_covariate
from models.cox import fit_cox
from models.logistic import fit_logistic


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return load_cohort().frame


@pytest.fixture(scope="module")
def records(frame: pd.DataFrame) -> np.ndarray:
    return records_of(frame)


@pytest.fixture(scope="module")
def x(records: np.ndarray) -> np.ndarray:
    return problem.patients_of(records).x


def steps(kernel, x, columns, order, event, intercept: int) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method by the kernel's single steps."""
    everyone = np.ones(x.shape[1], dtype=np.bool_)
    beta, error = np.zeros(MAX_TERMS), np.zeros(MAX_TERMS)
    for _ in range(30):
        out = np.zeros(MAX_TERMS)
        assert kernel(x, np.array(columns, dtype=np.int64), order, event, everyone, beta, out, error)
        beta = out
    p = len(columns)
    return beta[:p], error[:p]


@pytest.mark.parametrize(
    "names", [[("age", ">=65 years")], [("baseline_lesions", ""), ("presurgery_cea", ">=10"), ("ecog_ps", "1-2")]]
)
@pytest.mark.parametrize("source", ["dfs", "os"])
def test_cox_steps_lead_to_the_projects_own_cox_regression(frame: pd.DataFrame, x: np.ndarray, names: list, source: str) -> None:
    months = frame[f"{source}_months"].to_numpy(dtype=float)
    event = frame[f"{source}_event"].to_numpy(dtype=bool)
    columns = [COLUMN[name] for name in names]
    known = np.isfinite(x[columns]).all(axis=0)
    ours = fit_cox(x[columns][:, known].T, Outcome(months[known], event[known]))
    beta, error = steps(cox_step, x, columns, np.argsort(-months), event, 0)
    assert beta == pytest.approx(ours.coefficients, abs=1e-8)
    assert error == pytest.approx(ours.standard_errors, rel=1e-6)


@pytest.mark.parametrize("names", [[("baseline_segments", "")], [("primary_resected", "yes"), ("baseline_lobes", "unilobar")]])
def test_logistic_steps_lead_to_the_projects_own_logistic_regression(frame: pd.DataFrame, x: np.ndarray, names: list) -> None:
    early = ((frame["dfs_months"] <= 12) & frame["dfs_event"]).to_numpy(dtype=bool)
    columns = [COLUMN[name] for name in names]
    coefficients, errors, _ = fit_logistic(x[columns].T, Outcome(np.ones(len(early)), early))
    beta, error = steps(logistic_step, x, columns, np.arange(len(early)), early, 1)
    assert beta == pytest.approx(coefficients, abs=1e-7)
    assert error == pytest.approx(errors, rel=1e-5)


def test_a_regression_on_twice_the_same_covariate_is_refused(frame: pd.DataFrame, x: np.ndarray) -> None:
    months = frame["dfs_months"].to_numpy(dtype=float)
    event = frame["dfs_event"].to_numpy(dtype=bool)
    everyone, beta = np.ones(len(months), dtype=np.bool_), np.zeros(MAX_TERMS)
    twice = np.array([0, 0], dtype=np.int64)
    assert not cox_step(x, twice, np.argsort(-months), event, everyone, beta, beta.copy(), beta.copy())


def test_the_covariates_are_those_of_the_paper_feature_set(x: np.ndarray) -> None:
    cohort = load_cohort()
    predictors = build_predictors(cohort, "overall", PAPER)
    encoded = PredictorEncoder(predictors.skewed, impute=False).fit_transform(predictors.frame)
    seen = set()
    for term in encoded:
        printed = printed_covariate(str(term))
        column = COLUMN[(printed.variable, printed.level)]
        np.testing.assert_allclose(x[column], encoded[term].to_numpy(dtype=float), err_msg=str(term))
        seen.add(column)
    left = {COVARIATES[c] for c in set(range(N_COVARIATES)) - seen}
    assert left == {("pt_stage", "t4"), ("pn_stage", "n1_2")}, "of all patients the paper leaves pT and pN out"


def test_records_written_back_are_the_columns_they_came_from(frame: pd.DataFrame, records: np.ndarray) -> None:
    again = records_of(write_records(records, frame))
    np.testing.assert_array_equal(again, records)


def patient(**changes: int) -> np.ndarray:
    """A patient in whom no rule is broken, changed."""
    usual = {
        "AGE": 60, "ECOG": 0, "LEFT": 1, "SYNCHRONOUS": 1, "RESECTED": 1, "ADJUVANT": 0, "T4": 0, "NODE_POSITIVE": 1,
        "RAS_BRAF": 0, "BASELINE_MRI": 0, "LATER_MRI": 1, "TRIPLET": 1, "AGENT": 2, "CHEMOTHERAPY": 400, "RESPONSE": 1,
        "ONE_STEP": 1, "BASELINE_CEA": 200, "LATER_CEA": 50, "BASELINE_UNILOBAR": 0, "LATER_UNILOBAR": 0, "BASELINE_SEGMENTS": 4,
        "LATER_SEGMENTS": 3, "BASELINE_LESIONS": 5, "LATER_LESIONS": 3, "BASELINE_DIAMETER": 40, "LATER_DIAMETER": 20,
        "BASELINE_CONTACTS": 1, "LATER_CONTACTS": 1,
    }  # fmt: skip
    record = np.full(len(Field), UNKNOWN, dtype=np.int64)
    for name, value in (usual | changes).items():
        record[Field[name]] = value
    return record


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"SYNCHRONOUS": 0, "RESECTED": 0, "T4": -1, "NODE_POSITIVE": -1}, "metachronous with the primary in place"),
        ({"ADJUVANT": 1}, "adjuvant chemotherapy of synchronous disease"),
        ({"NODE_POSITIVE": -1}, "resected without a nodal stage"),
        ({"RESECTED": 0, "T4": -1}, "a nodal stage without resection"),
        ({"AGENT": 1, "RAS_BRAF": 1}, "anti-EGFR in RAS mutated disease"),
        ({"LATER_LESIONS": 1}, "one lesion in two lobes"),
        ({"BASELINE_UNILOBAR": 1, "LATER_UNILOBAR": 1, "BASELINE_SEGMENTS": 5}, "five segments in a lobe"),
        ({"BASELINE_UNILOBAR": 1, "LATER_MRI": 0}, "a second lobe later, without a new look"),
        ({"LATER_SEGMENTS": 5, "LATER_DIAMETER": 20, "BASELINE_DIAMETER": 85}, "more segments later"),
        ({"BASELINE_SEGMENTS": 8}, "more segments than small lesions reach"),
        ({"LATER_LESIONS": 6}, "more lesions later"),
        ({"LATER_DIAMETER": 41, "RESPONSE": 0}, "a larger lesion later"),
        ({"LATER_DIAMETER": 39}, "a response without shrinkage"),
        ({"LATER_DIAMETER": 10, "RESPONSE": 0}, "shrinkage to a quarter without a response"),
        ({"BASELINE_CONTACTS": 6}, "more contacts than lesions"),
        ({"LATER_CONTACTS": 3}, "two more contacts than at baseline"),
        ({"ONE_STEP": 0, "BASELINE_UNILOBAR": 1}, "two steps for one lobe"),
        ({"BASELINE_CEA": 20, "LATER_CEA": 900}, "CEA that rises much without progression"),
    ],
)  # fmt: skip
def test_a_rule_of_clinic_and_logic_is_broken_by(changes: dict[str, int], rule: str) -> None:
    assert broken_rules(patient()) == 0
    assert broken_rules(patient(**changes)) >= 1, rule


def test_unknown_values_stay_unknown_in_covariates() -> None:
    out = np.zeros(N_COVARIATES)
    encode(patient(ECOG=UNKNOWN, LATER_CEA=UNKNOWN, RAS_BRAF=UNKNOWN), out)
    unknown = {COVARIATES[c] for c in np.flatnonzero(np.isnan(out))}
    assert unknown == {
        ("ecog_ps", "1-2"), ("presurgery_cea", ""), ("presurgery_cea", ">=10"), ("ras_braf", "ras_mutated"),
        ("ras_braf", "braf_mutated"),
    }  # fmt: skip


# Outcomes


@pytest.fixture(scope="module")
def after_relapse(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hundredths of months from relapse, deaths, and early relapse."""
    rows = frame[frame["relapse"] == "yes"]
    months = np.round((rows["os_months"] - rows["dfs_months"]).to_numpy() * 100).astype(np.int64)
    return months, rows["os_event"].to_numpy(dtype=bool), (rows["dfs_months"] <= 6).to_numpy()


def test_the_kernels_log_rank_is_the_projects(after_relapse: tuple) -> None:
    months, died, early = after_relapse
    ours = log_rank(Outcome(months / 100, died), list(early)).chi_squared
    assert outcome_fit._log_rank(np.argsort(months)[::-1], died, early.astype(np.int64)) == pytest.approx(ours, rel=1e-9)


def test_the_kernels_hazard_ratio_is_coxs(after_relapse: tuple) -> None:
    months, died, early = after_relapse
    ours = fit_cox(early.astype(float)[:, None], Outcome(months / 100, died))
    out = np.zeros(3)
    outcome_fit._log_hazard_ratio(np.argsort(months)[::-1], died, early.astype(np.int64), 0.0, out)
    assert np.log(out[0]) == pytest.approx(ours.coefficients[0], abs=1e-6)
    assert np.log(out[2] / out[1]) / (2 * 1.959964) == pytest.approx(ours.standard_errors[0], rel=1e-5)


def test_the_kernels_medians_are_those_of_r(frame: pd.DataFrame) -> None:
    months = np.round(frame["os_months"].to_numpy() * 100).astype(np.int64)
    died = frame["os_event"].to_numpy(dtype=bool)
    out = np.zeros(3)
    outcome_fit._medians(months, died, np.argsort(months), out)
    assert out == pytest.approx(median_survival(Outcome(months / 100, died)))


# Processes


def test_a_chain_goes_on_while_its_parent_lives_and_ends_without_it() -> None:
    fit._stop_without(os.getppid(), 0.5, "")
    with pytest.raises(SystemExit):
        fit._stop_without(os.getppid() + 1, 0.5, "")


# Targets


def test_rows_that_contradict_themselves_are_no_targets() -> None:
    dfs_age = next(
        r for r in targets.univariate("overall") if r.outcome == "dfs" and r.columns == (COLUMN[("age", ">=65 years")],)
    )
    assert dfs_age.targets[0].printed is None, "P 0.92 does not follow from 0.92 (0.70-1.21)"


def test_what_entered_the_second_stage_must_have_a_small_p_and_what_did_not_a_large_one() -> None:
    for regression in targets.univariate("overall"):
        names = targets.entered(regression.outcome)
        for target in regression.targets:
            variable, level = COVARIATES[target.column]
            if variable in targets.FACTORS:
                continue
            if f"{variable}|{level}" in names:
                assert target.z_low > targets.z_of(0.105), (regression.outcome, variable, level)
            else:
                assert target.z_high < targets.z_of(0.105), (regression.outcome, variable, level)


def test_a_p_printed_as_0_102_is_sought_above_0_10_and_below_0_105() -> None:
    column = COLUMN[("chemotherapy_duration", ">=3.7 months")]
    dfs = next(r for r in targets.univariate("overall") if r.outcome == "dfs" and r.columns == (column,))
    assert targets.z_of(0.105) < dfs.targets[0].z_low < dfs.targets[0].z_high < targets.z_of(0.10)


def test_a_term_costs_nothing_where_every_digit_agrees_and_more_the_farther_it_is() -> None:
    printed, error = np.array([0.66, 0.50, 0.87]), 0.1405
    costs = [problem.term_cost(np.log(ratio), error, printed, 0.005, False, 0.0, np.inf) for ratio in (0.66, 0.67, 0.70, 0.90)]
    assert costs[0] == 0
    assert costs == sorted(costs)
    assert costs[1] > 0.5, "a row that is not exact pays a step"


def test_a_ratio_on_the_wrong_side_of_1_is_not_significant_enough() -> None:
    printed = np.array([0.54, 0.37, 0.78])
    right = problem.term_cost(np.log(0.54), 0.19, printed, 0.005, False, 1.96, np.inf)
    wrong = problem.term_cost(-np.log(0.54), 0.19, printed, 0.005, False, 1.96, np.inf)
    assert wrong > right + 50


def test_a_term_sought_within_tolerance_pays_nothing_for_its_last_digits() -> None:
    printed, error = np.array([0.66, 0.50, 0.87]), 0.1405
    costs = [problem.term_cost(np.log(ratio), error, printed, 0.005, True, 0.0, np.inf) for ratio in (0.66, 0.665, 0.90)]
    assert costs[:2] == [0, 0]
    assert costs[2] > problem.NOT_NEAR


def test_a_factor_that_did_not_enter_must_have_a_large_p_at_every_level() -> None:
    columns = tuple(COLUMN[("biologic_agent", level)] for level in ("anti_egfr", "anti_vegf"))
    for outcome in ("dfs", "os"):
        agent = next(r for r in targets.univariate("overall") if r.outcome == outcome and r.columns == columns)
        assert all(target.z_high < targets.z_of(0.105) for target in agent.targets), outcome


# Moves


@pytest.mark.parametrize(
    ("changes", "gained"),
    [
        ({}, (0, 0, 0)),
        ({"BASELINE_CONTACTS": 0}, (1, 0, 0)),
        ({"BASELINE_UNILOBAR": 1}, (0, 1, 0)),
        ({"BASELINE_CEA": 90, "LATER_CEA": 100}, (0, 0, 1)),
        ({"BASELINE_CEA": UNKNOWN, "LATER_CEA": 100}, (0, 0, 0)),
        ({"BASELINE_CEA": 100, "LATER_CEA": 90}, (0, 0, 0)),
    ],
)
def test_what_a_patient_gained_before_surgery(changes: dict[str, int], gained: tuple[int, int, int]) -> None:
    gains = np.zeros(3, dtype=np.int64)
    add_gains(patient(**changes), 1, gains)
    assert tuple(gains) == gained
    add_gains(patient(**changes), -1, gains)
    assert not gains.any()


def test_only_the_fields_named_move(records: np.ndarray) -> None:
    only = frozenset({Field.RAS_BRAF, Field.AGENT})
    found = fit._moves(records, fit.Cycle(1.0, 0.1, 1, only))
    assert set(found.block) == {int(field) for field in only}
    assert len(found.nudged) == 0
    assert not found.whole
    assert fit._moves(records, fit.CYCLES[0]).whole


def test_a_value_is_nudged_only_once_it_is_cool_enough(records: np.ndarray) -> None:
    warmest = fit._moves(records, fit.CYCLES[0]).warmest
    assert warmest[Field.BASELINE_DIAMETER] < warmest[Field.BASELINE_LESIONS]
    assert warmest[Field.AGE] == 0.0
