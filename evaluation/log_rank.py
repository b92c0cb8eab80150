"""The log-rank test of k groups, R's ``survdiff`` (rho = 0)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from cohort.types import Outcome


@dataclass(frozen=True, eq=False)
class LogRank:
    """``table``: one row a group with ``n``, ``observed`` and ``expected`` events."""

    chi_squared: float
    degrees_of_freedom: int
    p_value: float
    table: pd.DataFrame


def log_rank(outcome: Outcome, group: Sequence[object]) -> LogRank:
    """Compare the survival of the ``group`` labels (n,). Raises ``ValueError`` for fewer than two groups or without an event."""
    labels, codes = np.unique(np.asarray(group, dtype=str), return_inverse=True)
    if len(codes) != len(outcome) or len(labels) < 2:
        raise ValueError(f"the log-rank test compares two or more groups of the same patients; got {len(labels)}")
    if not outcome.event.any():
        raise ValueError("no event was seen, so there is nothing to compare")
    member = np.eye(len(labels))[codes]  # (n, k)
    order = np.argsort(outcome.time_months, kind="stable")
    times, deaths = np.unique(outcome.time_months[outcome.event], return_counts=True)
    gone = np.searchsorted(outcome.time_months[order], times, side="left")
    left = np.vstack([np.zeros(len(labels)), np.cumsum(member[order], axis=0)])[gone]
    at_risk = member.sum(axis=0) - left  # (times, k)
    total = at_risk.sum(axis=1)
    share = at_risk / total[:, None]
    expected = (deaths[:, None] * share).sum(axis=0)
    observed = member[outcome.event].sum(axis=0)
    spread = deaths * np.where(total > 1, (total - deaths) / np.maximum(total - 1, 1), 0.0)
    covariance = np.diag((spread[:, None] * share).sum(axis=0)) - (share * spread[:, None]).T @ share
    seen = expected > 0  # a group that left before the first event cannot be compared
    difference = (observed - expected)[seen][:-1]
    inverse = np.linalg.pinv(covariance[np.ix_(seen, seen)][:-1, :-1], hermitian=True)
    chi_squared = float(difference @ inverse @ difference)
    freedom = int(seen.sum()) - 1
    table = pd.DataFrame(
        {"group": labels, "n": member.sum(axis=0).astype(int), "observed": observed.astype(int), "expected": expected}
    )
    return LogRank(chi_squared, freedom, float(stats.chi2.sf(chi_squared, freedom)) if freedom else float("nan"), table)
