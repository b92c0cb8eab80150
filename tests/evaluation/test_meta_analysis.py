"""Against R's metafor (tests/reference/meta/meta.R), and against known truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.meta_analysis import pool

REFERENCE = Path(__file__).parents[1] / "reference" / "meta"
STUDIES = pd.read_csv(REFERENCE / "studies.csv")
POOLED = pd.read_csv(REFERENCE / "pooled.csv").set_index("example")


@pytest.mark.parametrize("example", list(POOLED.index))
def test_the_pooled_numbers_are_metafors(example: str):
    studies = STUDIES[STUDIES["example"] == example]
    ours = asdict(pool(studies["estimate"].to_numpy(), studies["error"].to_numpy()))
    for name, value in POOLED.loc[example].items():
        assert ours[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name


def test_two_studies_by_hand():
    """Estimates 0 and 2 with error 1: REML's tau2 is their variance less the error's, 2 - 1; the mean's variance (1 + 1) / 2."""
    pooled = pool(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    assert pooled.tau2 == pytest.approx(1.0)
    assert (pooled.mean, pooled.error) == pytest.approx((1.0, 1.0))
    assert pooled.ci_high - pooled.mean == pytest.approx(12.7062, rel=1e-5), "t on one degree of freedom"
    assert np.isnan(pooled.prediction_low), "two studies say nothing of a third"
    assert np.isnan(pooled.prediction_high)


def test_studies_that_happen_to_agree_do_not_look_certain():
    """Without the lower limit Hartung and Knapp's interval would have no width at all."""
    pooled = pool(np.full(4, 0.7), np.full(4, 0.2))
    assert pooled.tau2 == 0
    assert pooled.error == pytest.approx(0.1)


@pytest.mark.parametrize(("n_studies", "predicted_at_least"), [(10, 0.86), (30, 0.90)])
def test_intervals_hold_the_truth(n_studies: int, predicted_at_least: float):
    """Centres whose truths vary by 0.3: the mean's interval holds its truth, a new centre's truth lies in the prediction's.

    The latter is known to be too narrow with few studies of unequal size (Partlett and Riley 2017).
    """
    rng, n = np.random.default_rng(1), 400
    held = predicted = 0
    for _ in range(n):
        errors = rng.uniform(0.1, 0.4, n_studies)
        pooled = pool(rng.normal(0.5, np.sqrt(0.3**2 + errors**2)), errors)
        held += pooled.ci_low <= 0.5 <= pooled.ci_high
        predicted += pooled.prediction_low <= rng.normal(0.5, 0.3) <= pooled.prediction_high
    assert 0.92 <= held / n <= 0.985
    assert predicted_at_least <= predicted / n <= 0.98


@pytest.mark.parametrize(
    ("estimates", "errors"), [([1.0], [1.0]), ([1.0, 2.0], [1.0, 0.0]), ([1.0, np.nan], [1.0, 1.0]), ([1, 2.0], [1, np.inf])]
)
def test_what_cannot_be_pooled_is_refused(estimates: list[float], errors: list[float]):
    with pytest.raises(ValueError, match=r"two studies or more|finite estimate and a standard error"):
        pool(np.array(estimates), np.array(errors))
