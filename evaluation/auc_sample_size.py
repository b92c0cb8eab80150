"""How many patients it takes to see an AUC of a certain size.

Variances are Hanley and McNeil's (Radiology 1982;143:29) in the large-sample form that Obuchowski gives (Stat Methods Med Res
1998;7:371): for N patients of whom a share pi has the event,

    Var(AUC) = V / N,   V = (Q1 - AUC^2) / (1 - pi) + (Q2 - AUC^2) / pi,   Q1 = AUC / (2 - AUC),   Q2 = 2 AUC^2 / (1 + AUC)

Assumed: risks of cases spread more than those of controls, as exponential ones do (for AUCs up to 0.9 other distributions differ
little); the status of everybody is known at the horizon; one model is tested, without correction for others; it is fixed
beforehand, so that its AUC in the sample is that of the model, and not of its fitting anew.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from cohort.intervals import Z_95

POWER = 0.8
#: Two-sided.
ALPHA = 0.05


def auc_variance(auc: float, event_share: float) -> float:
    """V above: the variance of an AUC times the number of patients."""
    if not 0 < event_share < 1 or not 0 < auc < 1:
        raise ValueError(f"AUC and the share of events lie between 0 and 1; got {auc:g} and {event_share:g}")
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return (q1 - auc**2) / (1 - event_share) + (q2 - auc**2) / event_share


def patients_to_see_auc(auc: float, event_share: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """Patients needed so that a model of this AUC is told from one that ranks nobody (0.5), in a two-sided test."""
    if auc == 0.5:
        raise ValueError("an AUC of 0.5 is never told from 0.5")
    z_alpha, z_power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    spread = z_alpha * np.sqrt(auc_variance(0.5, event_share)) + z_power * np.sqrt(auc_variance(auc, event_share))
    return math.ceil(float((spread / (auc - 0.5)) ** 2))


def patients_to_see_difference(
    difference: float, ci_low: float, ci_high: float, n: int, power: float = POWER, alpha: float = ALPHA
) -> int:
    """Patients needed to see a ``difference`` between two models that ``n`` patients gave this 95 % interval of.

    The standard error is read off the interval and shrinks with the root of the number of patients: the correlation of the two
    models need not be assumed, it is in the interval.
    """
    standard_error = (ci_high - ci_low) / (2 * Z_95)
    if not standard_error > 0 or difference == 0:
        raise ValueError("an interval has a width, and a difference is not 0")
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return math.ceil(float(n * (z * standard_error / difference) ** 2))
