"""From configuration and cohort to cells and fits: nothing twice, nothing lost, and a reason for what is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cohort.dictionary import KnownAt
from cohort.errors import CohortError
from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, POPULATIONS, Cohort, Outcome
from evaluation.tables import Cell
from features.feature_set import Feature, FeatureSet, KnownTooLate
from features.registry import FEATURE_SETS
from flows.config import BenchmarkConfig
from flows.plan import Fit, Plan, horizons_of, make_plan
from models.registry import MODELS

from ..staging import stages

SIMULATED = simulate_cohort(200, seed=1).cohort
COHORT = replace(SIMULATED, frame=SIMULATED.frame.assign(**stages(200, seed=1)))
NEEDS_STAGES = {"fong_score", "game_score", "m_cs_score", "nordlinger_score", "nagashima_score"}
#: The population that withholds the stages of the primary.
WITHHELD = "overall"


def _without(*columns: str, cohort: Cohort = COHORT) -> Cohort:
    return replace(cohort, frame=cohort.frame.drop(columns=list(columns)))


def _followed_for(months: float) -> Cohort:
    """Everybody censored after ``months``, some with an event before."""
    frame = COHORT.frame.copy()
    for source in ("dfs", "os"):
        late = frame[f"{source}_months"] > months
        frame[f"{source}_event"] &= ~late
        frame[f"{source}_months"] = frame[f"{source}_months"].clip(upper=months)
    return replace(COHORT, frame=frame)


@pytest.fixture(scope="module")
def full() -> Plan:
    """The plan of the whole default configuration."""
    return make_plan(BenchmarkConfig(), COHORT)


def _expected(config: BenchmarkConfig) -> set[Cell]:
    """Config x registry, written down another way."""
    cells = set()
    for population, endpoint, feature_set, model in product(
        config.populations, config.endpoints, config.feature_sets, config.models
    ):
        if MODELS[model].answers == "horizon" and endpoint in ("dfs", "os"):
            continue
        if MODELS[model].role == "published" and feature_set == "paper":
            continue
        cells.add(Cell(population, endpoint, "none" if model == "null_model" else feature_set, model))
    return cells


def test_every_cell_of_configuration_and_registry_appears_once(full: Plan) -> None:
    every = [*full.cells, *(skipped.cell for skipped in full.skipped)]

    assert Counter(c.name for c in every) == Counter(c.name for c in _expected(BenchmarkConfig()))


def test_a_score_is_skipped_with_the_reason_where_an_input_is_withheld_and_run_where_it_is_known(full: Plan) -> None:
    assert {s.cell.model for s in full.skipped} == NEEDS_STAGES
    assert {s.cell.population for s in full.skipped} == {WITHHELD}
    assert all(s.status == "skipped" and "(pn_stage)" in s.note for s in full.skipped)
    assert {c.model for c in full.cells if c.population == "primary_resected"} >= NEEDS_STAGES


def test_a_score_that_cannot_be_computed_alone_leaves_nothing_to_run_and_says_why() -> None:
    config = BenchmarkConfig(models=("fong_score",), populations=("overall",))

    with pytest.raises(CohortError, match=r"Fong score is not computable on baseline: it needs .* \(pn_stage\)"):
        make_plan(config, COHORT)


def test_a_score_is_not_asked_on_the_papers_features() -> None:
    config = BenchmarkConfig(models=("konopke_score",), feature_sets=("paper",))

    with pytest.raises(CohortError, match="no model answers these endpoints on these feature sets"):
        make_plan(config, COHORT)


def test_every_fit_is_read_by_a_cell_and_every_cell_has_a_fit(full: Plan) -> None:
    assert set(full.fits) == set(full.cells.values())
    assert len(full.fits) == len(set(full.fits))
    assert sorted(c.name for fit in full.fits for c in full.cells_of(fit)) == sorted(c.name for c in full.cells)


@pytest.mark.parametrize("model", [name for name, spec in MODELS.items() if spec.answers == "any_time"])
def test_one_survival_fit_serves_both_relapse_endpoints_and_dfs(model: str) -> None:
    plan = make_plan(BenchmarkConfig(models=(model,), feature_sets=("baseline",), populations=("primary_resected",)), COHORT)
    used = "none" if model == "null_model" else "baseline"
    shared = Fit("primary_resected", "dfs", used, model)

    assert {c.endpoint for c in plan.cells_of(shared)} == {"relapse_6m", "relapse_12m", "dfs"}
    assert set(plan.fits) == {shared, Fit("primary_resected", "os", used, model)}


@pytest.mark.parametrize("model", [name for name, spec in MODELS.items() if spec.answers == "horizon"])
def test_a_classifier_is_trained_for_each_horizon_and_answers_no_time_endpoint(model: str) -> None:
    plan = make_plan(BenchmarkConfig(models=(model,), feature_sets=("baseline",), populations=("primary_resected",)), COHORT)

    assert {cell.endpoint: fit.trained_on for cell, fit in plan.cells.items()} == {
        "relapse_6m": "relapse_6m",
        "relapse_12m": "relapse_12m",
    }


def test_the_null_model_is_there_once_a_population_and_endpoint_without_features(full: Plan) -> None:
    null = [c for c in full.cells if c.model == "null_model"]

    assert Counter((c.population, c.endpoint) for c in null) == Counter(product(POPULATIONS, ENDPOINTS))
    assert {c.feature_set for c in null} == {"none"}


def test_the_longest_fits_come_first(full: Plan) -> None:
    costs = [MODELS[fit.model].relative_cost for fit in full.fits]

    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_the_same_configuration_gives_the_same_plan(full: Plan) -> None:
    again = make_plan(BenchmarkConfig(), COHORT)

    assert (again.fits, list(again.cells)) == (full.fits, list(full.cells))


def test_a_population_the_cohort_cannot_tell_is_skipped_with_the_reason() -> None:
    config = BenchmarkConfig()
    plan = make_plan(config, _without("primary_resected"))

    assert {c.population for c in plan.cells} == {"overall"}
    assert {s.cell for s in plan.skipped} == {c for c in _expected(config) if c.population == "primary_resected"}
    assert len(plan.skipped) == len({s.cell for s in plan.skipped})
    for skipped in plan.skipped:
        assert skipped.status == "skipped"
        assert "needs the variable primary_resected, which this cohort does not record" in skipped.note


def test_a_feature_set_the_cohort_does_not_hold_is_skipped_but_the_null_model_stays() -> None:
    variables = COHORT.variables
    known_at_baseline = [n for n in COHORT.frame if variables[n].known_at == KnownAt.BASELINE and n != "patient_id"]
    config = BenchmarkConfig(
        populations=("overall",), feature_sets=("baseline", "pre_surgery"), models=("null_model", "paper_cox")
    )
    plan = make_plan(config, _without(*known_at_baseline))

    assert {c.feature_set for c in plan.cells} == {"pre_surgery", "none"}
    assert {s.cell.feature_set for s in plan.skipped} == {"baseline"}
    assert all("holds no predictor of the feature set baseline" in s.note for s in plan.skipped)


def test_an_endpoint_beyond_the_follow_up_is_skipped_with_the_reason() -> None:
    plan = make_plan(BenchmarkConfig(models=("null_model", "paper_logistic", "paper_cox")), _followed_for(24.0))

    assert {c.endpoint for c in plan.cells} == {"relapse_6m", "relapse_12m", "dfs"}
    assert {s.cell.endpoint for s in plan.skipped} == {"os"}
    assert all("follow-up ends at 24.0 months" in s.note for s in plan.skipped)


def test_an_endpoint_with_one_answerable_horizon_is_run() -> None:
    plan = make_plan(BenchmarkConfig(), _followed_for(8.0))

    assert {c.endpoint for c in plan.cells} == {"relapse_6m", "dfs"}


def test_a_cohort_that_can_answer_nothing_is_refused_with_all_reasons() -> None:
    config = BenchmarkConfig(populations=("overall", "primary_resected"), endpoints=("os",))
    unable = _without("primary_resected", cohort=_followed_for(24.0))

    with pytest.raises(CohortError, match="nothing can be run on cohort simulated") as refusal:
        make_plan(config, unable)
    assert "does not record" in str(refusal.value)
    assert "follow-up ends at 24.0 months" in str(refusal.value)


def test_a_late_predictor_stops_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    late = (Feature("resection_margin", ("resection_margin",)),)
    monkeypatch.setitem(FEATURE_SETS, "baseline", FeatureSet("baseline", "Late", KnownAt.BASELINE, lambda _: late))

    with pytest.raises(KnownTooLate, match="resection_margin"):
        make_plan(BenchmarkConfig(), COHORT)


@pytest.mark.parametrize(
    ("trained_on", "followed", "expected"),
    [
        ("dfs", 100.0, (6.0, 12.0)),
        ("dfs", 8.0, (6.0,)),
        ("relapse_6m", 100.0, (6.0,)),
        ("relapse_12m", 100.0, (12.0,)),
        ("os", 100.0, (36.0, 60.0)),
        ("os", 40.0, (36.0,)),
        ("os", 24.0, ()),
    ],
)
def test_a_fit_predicts_the_horizons_of_its_readers_within_the_follow_up(
    trained_on: str, followed: float, expected: tuple[float, ...]
) -> None:
    outcome = Outcome(np.array([1.0, 5.0, followed]), np.array([True, True, False]))

    assert horizons_of(trained_on, outcome) == expected


def test_a_cell_is_skipped_once_with_its_first_reason() -> None:
    # No baseline variable, and too short a follow-up for os: the null model is met with both reasons.
    cohort = _followed_for(24.0)
    baseline = [n for n in cohort.frame if cohort.variables[n].known_at == KnownAt.BASELINE and n != "patient_id"]
    config = BenchmarkConfig(populations=("overall",), feature_sets=("baseline", "pre_surgery"))

    plan = make_plan(config, _without(*baseline, cohort=cohort))

    assert max(Counter(s.cell for s in plan.skipped).values()) == 1
