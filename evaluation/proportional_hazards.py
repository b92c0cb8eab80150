"""Are hazards proportional? The score test of R's ``cox.zph`` (survival 3 and later; Grambsch and Therneau, Biometrika
1994;81:515).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from cohort.types import FloatArray, Outcome
from models.cox import CoxFit, RiskSets
from models.kaplan_meier import kaplan_meier

GLOBAL = "GLOBAL"


def zph(x: pd.DataFrame, outcome: Outcome, fit: CoxFit) -> pd.DataFrame:
    """Score test of adding ``x * g(t)``, for every column of ``x`` (n, p) and for all at once (``GLOBAL``).

    ``g`` is R's default "km": one minus the Kaplan-Meier survival just before t. ``fit`` is the Cox regression of ``outcome`` on
    ``x``. Columns ``term, chi_squared, degrees_of_freedom, p_value``; NaN where the information is singular.
    """
    u, plain, once, twice = _moments(x.to_numpy(dtype=np.float64), outcome, fit)
    p = x.shape[1]
    rows = [(str(term), *_score_test(u, plain, once, twice, np.array([j]))) for j, term in enumerate(x.columns)]
    rows.append((GLOBAL, *_score_test(u, plain, once, twice, np.arange(p))))
    return pd.DataFrame(rows, columns=["term", "chi_squared", "degrees_of_freedom", "p_value"])


def _moments(x: FloatArray, outcome: Outcome, fit: CoxFit) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Score of the time-dependent part (p,), and sums over events of 1, g and g squared times the variance in the risk set
    (p, p).
    """
    sets = RiskSets(outcome)
    sorted_x = (x - fit.centre)[sets.order]
    hazard = np.exp(sorted_x @ fit.coefficients)
    g = 1 - kaplan_meier(outcome).just_before(sets.times_months)[0]
    g = g - np.average(g, weights=np.bincount(sets.tie_of_event))
    p = x.shape[1]
    score, sums = np.zeros(p), np.zeros((3, p, p))
    for event, tie, share in zip(sets.events, sets.tie_of_event, sets.share, strict=True):
        weight = hazard.copy()
        weight[sets.last_at_risk[tie] + 1 :] = 0
        weight[sets.events[sets.tie_of_event == tie]] *= 1 - share  # Efron
        weight /= weight.sum()
        mean = weight @ sorted_x
        variance = (sorted_x * weight[:, None]).T @ sorted_x - np.outer(mean, mean)
        score += g[tie] * (sorted_x[event] - mean)
        sums += np.array([1.0, g[tie], g[tie] ** 2])[:, None, None] * variance
    return score, sums[0], sums[1], sums[2]


def _score_test(u: FloatArray, plain: FloatArray, once: FloatArray, twice: FloatArray, j: np.ndarray) -> tuple[float, int, float]:
    information = np.block([[plain, once[:, j]], [once[j], twice[np.ix_(j, j)]]])
    vector = np.concatenate([np.zeros(len(plain)), u[j]])
    try:
        chi_squared = float(vector @ np.linalg.solve(information, vector))
    except np.linalg.LinAlgError:
        return float("nan"), len(j), float("nan")
    return chi_squared, len(j), float(stats.chi2.sf(chi_squared, len(j)))
