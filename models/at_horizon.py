"""What classifiers share: the patients whose status at their one horizon is known, and no answer at another."""

from __future__ import annotations

import numpy as np

from cohort.types import BoolArray, FloatArray, Outcome


def known_status(outcome: Outcome, horizon_months: float) -> tuple[BoolArray, FloatArray]:
    """(n,) whose status at the horizon is known, and the status (1 = event) of these.

    Patients censored before the horizon have none and are left out of training. Raises ``ValueError`` where all are alike.
    """
    status = outcome.status_at(horizon_months)
    known = ~np.isnan(status)
    if len(np.unique(status[known])) < 2:
        raise ValueError(f"all training patients have the same status at {horizon_months:g} months")
    return known, status[known]


def require_horizon(trained_for_months: float, asked_at_months: float) -> None:
    if asked_at_months != trained_for_months:
        raise ValueError(f"trained for {trained_for_months:g} months, asked at {asked_at_months:g}")
