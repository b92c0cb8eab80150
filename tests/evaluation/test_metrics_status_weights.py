"""The weights that metrics share, and the risk that they imply."""

from __future__ import annotations

import numpy as np
import pytest

from cohort.types import Outcome
from evaluation.estimate import bootstrap_weights
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import kaplan_meier


def _at(outcome: Outcome) -> HorizonPredictions:
    return HorizonPredictions(12.0, 30.0, outcome, np.full((len(outcome), 1), 0.5), np.zeros((len(outcome), 1), np.int16))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tied", [False, True])
def test_the_weighted_share_of_events_is_the_kaplan_meier_risk_in_every_resample(seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    time, leaves = rng.exponential(17, 120) + 1e-3, rng.uniform(3, 60, 120)
    months = np.minimum(time, leaves)
    outcome = Outcome(np.ceil(months) if tied else months, time <= leaves)
    weights = bootstrap_weights(120, 50, seed)

    known = status_weights(_at(outcome), weights)

    np.testing.assert_allclose(known.observed, 1 - kaplan_meier(outcome, weights).at([12.0])[:, 0], atol=1e-12)
    np.testing.assert_allclose(known.weights.sum(axis=1), 120, atol=1e-9)


def test_a_resample_of_one_status_has_no_observed_risk() -> None:
    at = _at(Outcome(np.array([2.0, 5.0, 20.0]), np.array([True, False, False])))

    observed = status_weights(at, np.array([[1.0, 1, 1], [3, 0, 0], [0, 0, 3], [2, 1, 0], [0, 3, 0]])).observed

    assert np.isfinite(observed).tolist() == [True, False, False, False, False]
