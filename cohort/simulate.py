"""Cohorts with a known truth, of any size: for tests, for scale, for demonstration.

Predictors are drawn independently with the margins of the paper's Table 1. DFS follows a Weibull proportional-hazards model

    S(t | x) = exp(-(t / scale)^shape * exp(lp(x))),   lp(x) = signal * (effects . z(x))

whose median at lp = 0 is the paper's 9.7 months, so the true risk at any horizon is known in closed form.
Death follows relapse after an independent exponential time; administrative censoring is uniform over ``follow_up_months``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.dictionary import DICTIONARY
from cohort.types import Cohort, FloatArray

MEDIAN_DFS_MONTHS = 9.7
SHAPE = 0.9
POST_RELAPSE_MEAN_MONTHS = 45.0

#: Log hazard ratios per standard deviation (or for the level) at signal 1.
EFFECTS: dict[str, float] = {
    "baseline_lesions": 0.5,
    "baseline_max_diameter": 0.35,
    "primary_resected=yes": -0.4,
    "baseline_lobes=unilobar": -0.3,
}

_SHARES: dict[str, tuple[float, ...]] = {
    "sex": (0.41, 0.59),
    "ecog_ps": (0.86, 0.13, 0.01),
    "primary_location": (0.28, 0.72),
    "synchronous": (0.18, 0.82),
    "primary_resected": (0.43, 0.57),
    "ras_braf": (0.45, 0.53, 0.02),
    "mmr_status": (0.98, 0.02),
    "adjuvant_chemotherapy": (0.93, 0.07),
    "baseline_mri": (0.66, 0.34),
    "baseline_lobes": (0.59, 0.41),
    "regimen": (0.58, 0.42),
    "biologic_agent": (0.09, 0.25, 0.66),
    "objective_response": (0.25, 0.75),
    "presurgery_mri": (0.51, 0.49),
    "presurgery_lobes": (0.49, 0.51),
    "surgery_steps": (0.09, 0.91),
}


@dataclass(frozen=True, eq=False)
class SimulatedCohort:
    """A cohort and its truth: ``linear_predictor`` (n,) in the cohort's row order."""

    cohort: Cohort
    linear_predictor: FloatArray

    def true_risk(self, horizon_months: float) -> FloatArray:
        """(n,) true probability of relapse or death by the horizon."""
        scale = MEDIAN_DFS_MONTHS / np.log(2) ** (1 / SHAPE)
        risk: FloatArray = -np.expm1(-((horizon_months / scale) ** SHAPE) * np.exp(self.linear_predictor))
        return risk


def simulate_cohort(
    n_patients: int = 268,
    signal: float = 1.0,
    seed: int = 0,
    follow_up_months: tuple[float, float] = (12.0, 140.0),
    missing_cea: float = 0.17,
) -> SimulatedCohort:
    """Draw ``n_patients``; ``signal`` 0 makes every predictor pure noise, 1 gives effects like the field's, 3 strong ones.

    ``follow_up_months`` bounds the administrative censoring; ``missing_cea`` is the share of missing CEA values.
    """
    if n_patients < 1:
        raise ValueError(f"n_patients is 1 or more; got {n_patients}")
    rng = np.random.default_rng(seed)
    frame = _predictors(rng, n_patients, missing_cea)
    lp = signal * _linear_predictor(frame)
    scale = MEDIAN_DFS_MONTHS / np.log(2) ** (1 / SHAPE)
    relapse = scale * (rng.exponential(size=n_patients) / np.exp(lp)) ** (1 / SHAPE)
    death = relapse + rng.exponential(POST_RELAPSE_MEAN_MONTHS, size=n_patients)
    censored = rng.uniform(*follow_up_months, size=n_patients)
    frame["dfs_months"] = np.maximum(np.minimum(relapse, censored), 1e-3).round(4)
    frame["dfs_event"] = relapse <= censored
    frame["os_months"] = np.maximum(np.minimum(death, censored).round(4), frame["dfs_months"])
    frame["os_event"] = death <= censored
    cohort = Cohort(
        name="simulated",
        title=f"Simulated cohort, {n_patients} patients, signal {signal:g}, seed {seed}",
        evidence="simulated",
        frame=frame,
    )
    return SimulatedCohort(cohort, lp)


def _predictors(rng: np.random.Generator, n: int, missing_cea: float) -> pd.DataFrame:
    columns: dict[str, object] = {
        "patient_id": [f"S{i:07d}" for i in range(1, n + 1)],
        "age": rng.normal(61, 11, n).clip(25, 90).round(),
    }
    for name, shares in _SHARES.items():
        levels = list(DICTIONARY[name].levels)
        probabilities = np.asarray(shares) / np.sum(shares)
        columns[name] = pd.Categorical.from_codes(rng.choice(len(levels), n, p=probabilities), dtype=pd.CategoricalDtype(levels))
    lesions = np.minimum(1 + rng.negative_binomial(1.3, 0.24, n), 64)
    vanished = rng.binomial(lesions - 1, 0.35)
    diameter = rng.lognormal(np.log(42), 0.6, n).clip(6, 205).round()
    columns |= {
        "baseline_lesions": lesions.astype(float),
        "vanished_lesions": vanished.astype(float),
        "presurgery_lesions": (lesions - vanished).astype(float),
        "baseline_max_diameter": diameter,
        "presurgery_max_diameter": (diameter * rng.uniform(0.35, 1.0, n)).round(),
        "baseline_segments": rng.integers(1, 9, n).astype(float),
        "presurgery_segments": rng.integers(1, 9, n).astype(float),
        "baseline_vessel_contacts": rng.poisson(1.2, n).astype(float),
        "presurgery_vessel_contacts": rng.poisson(1.0, n).astype(float),
        "chemotherapy_duration": rng.lognormal(np.log(3.7), 0.45, n).clip(0.6, 30.2).round(1),
    }
    for name, median, spread, highest in (("baseline_cea", 17, 1.9, 9_000), ("presurgery_cea", 4, 1.2, 2_000)):
        unknown = rng.random(n) < missing_cea
        columns[name] = np.where(unknown, np.nan, rng.lognormal(np.log(median), spread, n).clip(0.5, highest).round(1))
    return pd.DataFrame(columns)


def _linear_predictor(frame: pd.DataFrame) -> FloatArray:
    lp = np.zeros(len(frame))
    for term, effect in EFFECTS.items():
        name, _, level = term.partition("=")
        if level:
            z = (frame[name] == level).to_numpy(dtype=np.float64)
            lp += effect * (z - z.mean())
        else:
            log = np.log(frame[name].to_numpy(dtype=np.float64))
            lp += effect * (log - log.mean()) / max(log.std(), 1e-12)
    return lp
