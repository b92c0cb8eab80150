"""What happened to the patients after surgery, and exchanges of a time between two of them.

Print ties no predictor to a time within a stratum of the outcome. So two patients may exchange their months to relapse, or their
months to death or censoring: all curves, medians and counts stay, one outcome's Cox regressions change and no other regression
does. What the text tells of survival after relapse changes too, and is kept by ``told_cost``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cohort.reconstruct.outcome_fit import SHORTEST_AFTER_RELAPSE, OutcomeTargets, outcome_cost
from cohort.reconstruct.outcomes import SITES, targets
from cohort.reconstruct.problem import Outcomes
from cohort.reconstruct.regressions import BoolArray, FloatArray, IntArray, compiled

#: Rows of ``Outcomes`` whose times are exchanged.
DFS, OS = 2, 3


class Course(NamedTuple):
    """What happened; all (n,), times in hundredths of months. ``stratum``: event by 6 months, by 12, later or never.

    ``site``, ``treated``: of a relapse, by the order of ``SITES``; 0 and False without one.
    """

    stratum: IntArray
    dfs: IntArray
    dfs_event: BoolArray
    os: IntArray
    died: BoolArray
    relapsed: BoolArray
    site: IntArray
    treated: BoolArray


class Relapses(NamedTuple):
    """Patients with a relapse, by ``row`` (n,), -1 without one, as ``outcome_cost`` reads them; the others' survival; what is
    told of them; ``position`` (4, n): each patient's place in the orders of ``Outcomes``; ``cost`` (1,) as it is.
    """

    row: IntArray
    dfs: IntArray
    stratum: IntArray
    after: IntArray
    died: BoolArray
    site: IntArray
    treated: BoolArray
    os_other: IntArray
    died_other: BoolArray
    goal: OutcomeTargets
    rising: IntArray
    order: IntArray
    position: IntArray
    cost: FloatArray


def course_of(frame: pd.DataFrame) -> Course:
    """Read off the columns of the dictionary."""
    dfs, os = (np.round(100 * frame[f"{name}_months"].to_numpy(dtype=np.float64)).astype(np.int64) for name in ("dfs", "os"))
    dfs_event, died = (frame[f"{name}_event"].to_numpy(dtype=np.bool_) for name in ("dfs", "os"))
    relapsed = (frame["relapse"] == "yes").to_numpy(dtype=np.bool_)
    site = np.array([SITES.index(name) if known else 0 for name, known in zip(frame["relapse_site"], relapsed, strict=True)])
    treated = (frame["locoregional_treatment"] == "yes").to_numpy(dtype=np.bool_)
    stratum = np.where(dfs_event & (dfs <= 600), 0, np.where(dfs_event & (dfs <= 1200), 1, 2)).astype(np.int64)
    return Course(stratum, dfs, dfs_event, os, died, relapsed, site.astype(np.int64), treated)


def write_course(course: Course, frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with the times of ``course``, and who died."""
    events = {"dfs_event": course.dfs_event.astype(np.int64), "os_event": course.died.astype(np.int64)}
    return frame.assign(dfs_months=course.dfs / 100, os_months=course.os / 100, **events)


def outcomes_of(course: Course) -> Outcomes:
    """What happened, as the regressions read it."""
    by_dfs, by_os = np.argsort(-course.dfs, kind="stable"), np.argsort(-course.os, kind="stable")
    return Outcomes(
        course.stratum,
        np.array([by_dfs, by_dfs, by_dfs, by_os], dtype=np.int64),
        np.array([course.stratum == 0, course.stratum <= 1, course.dfs_event, course.died], dtype=np.bool_),
    )


def relapses_of(course: Course, outcomes: Outcomes) -> Relapses:
    """Working arrays for the exchanges; ``outcomes`` are those of ``course``."""
    relapsed = course.relapsed
    relapses = Relapses(
        np.where(relapsed, np.cumsum(relapsed) - 1, -1).astype(np.int64),
        course.dfs[relapsed], course.stratum[relapsed], (course.os - course.dfs)[relapsed], course.died[relapsed],
        course.site[relapsed], course.treated[relapsed], course.os[~relapsed], course.died[~relapsed], targets(),
        np.arange(relapsed.sum()), np.arange(len(relapsed)), np.argsort(outcomes.order, axis=1), np.zeros(1),
    )  # fmt: skip
    relapses.cost[0] = told_cost(relapses)
    return relapses


def course_after(course: Course, relapses: Relapses) -> Course:
    """``course`` with what the exchanges made of it."""
    dfs, os, died = course.dfs.copy(), course.os.copy(), course.died.copy()
    dfs[course.relapsed] = relapses.dfs
    os[course.relapsed] = relapses.dfs + relapses.after
    died[course.relapsed] = relapses.died
    return course._replace(dfs=dfs, os=os, died=died)


@compiled
def told_cost(relapses: Relapses) -> float:
    """How far the course is from what the text tells of it."""
    r = relapses
    return outcome_cost(
        r.dfs, r.stratum, r.after, r.died, r.site, r.treated, r.os_other, r.died_other, r.goal, r.rising, r.order
    )  # fmt: skip


@compiled
def may_exchange(k: int, i: int, j: int, relapses: Relapses) -> bool:
    """Whether both would still relapse before they die or are last seen, and in their stratum."""
    a, b = relapses.row[i], relapses.row[j]
    if i == j or a < 0 or b < 0:
        return False
    if k == DFS and relapses.stratum[a] != relapses.stratum[b]:
        return False
    # Either way each keeps one of his two times and takes the other's second one.
    first = relapses.dfs[a] + relapses.after[a] - relapses.dfs[b]
    second = relapses.dfs[b] + relapses.after[b] - relapses.dfs[a]
    return bool(min(first, second) >= SHORTEST_AFTER_RELAPSE)


@compiled
def exchange(k: int, i: int, j: int, relapses: Relapses, outcomes: Outcomes) -> None:
    """The patients ``i`` and ``j`` exchange their times of outcome ``k``, in place; done twice it undoes itself."""
    a, b = relapses.row[i], relapses.row[j]
    os_a, os_b = relapses.dfs[a] + relapses.after[a], relapses.dfs[b] + relapses.after[b]
    if k == DFS:
        relapses.dfs[a], relapses.dfs[b] = relapses.dfs[b], relapses.dfs[a]
    else:
        os_a, os_b = os_b, os_a
        relapses.died[a], relapses.died[b] = relapses.died[b], relapses.died[a]
        outcomes.event[k, i], outcomes.event[k, j] = outcomes.event[k, j], outcomes.event[k, i]
    relapses.after[a], relapses.after[b] = os_a - relapses.dfs[a], os_b - relapses.dfs[b]
    for row in range(0 if k == DFS else k, k + 1):  # logistic regressions visit patients by DFS
        at_i, at_j = relapses.position[row, i], relapses.position[row, j]
        outcomes.order[row, at_i], outcomes.order[row, at_j] = j, i
        relapses.position[row, i], relapses.position[row, j] = at_j, at_i
