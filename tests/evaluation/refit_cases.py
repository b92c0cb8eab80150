"""Refits that the tests of optimism, of stability and of their report share: models made up, none fitted."""

from __future__ import annotations

import numpy as np

from cohort.types import ENDPOINTS, FloatArray, Outcome
from evaluation.estimate import bootstrap_weights
from evaluation.refits import Refits

TWELVE = ENDPOINTS["relapse_12m"]


def outcome_of(n: int, seed: int, risk: FloatArray | None = None) -> Outcome:
    """An event at 5 months with the patient's risk, or none by 30."""
    rng = np.random.default_rng(seed)
    event = rng.uniform(size=n) < (0.4 if risk is None else risk)
    return Outcome(np.where(event, 5.0, 30.0) + rng.uniform(0, 0.5, n), event)


def made_up(n: int = 60, n_resamples: int = 8, seed: int = 0, spread: float = 0.6, **changes: object) -> Refits:
    """An original model with some signal, and resample models scattered around it on the logit scale."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-0.4, 0.8, n)
    original = 1 / (1 + np.exp(-logit))
    risk = 1 / (1 + np.exp(-logit - spread * rng.normal(size=(n_resamples, n))))
    drawn = bootstrap_weights(n, n_resamples, seed)
    content = {"outcome": outcome_of(n, seed, original), "tau_months": 12.0, "horizons_months": (12.0,)}
    content |= {"original": original[None], "drawn": drawn, "risk": risk[:, None]}
    return Refits(**{**content, **changes})
