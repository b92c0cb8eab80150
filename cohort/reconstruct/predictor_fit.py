"""Fits who has which predictors, until the paper's regressions give the printed numbers.

Outcomes stay where they are; predictors move between patients (``moves``). That freedom is what hazard ratios, effects of
continuous predictors and multivariable models (``problem``) are fitted with, by simulated annealing: each change re-estimates
the regressions it touches.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cohort.reconstruct.course import DFS, OS, Relapses, exchange, may_exchange, told_cost
from cohort.reconstruct.covariates import COLUMN, N_COVARIATES, N_FIELDS, add_gains, broken_rules, encode
from cohort.reconstruct.moves import Moves, Scratch, apply, equal, flags_hold, margins_hold, propose, undo
from cohort.reconstruct.problem import (
    BoolArray,
    Estimates,
    Outcomes,
    Patients,
    Problem,
    evaluate,
    foretell,
    measure_anew,
    no_estimates,
)
from cohort.reconstruct.regressions import IntArray, compiled

RULE_COST = 30.0  # of each rule of clinic and logic that a patient breaks
#: Table 1's paired tests. With the counts given, McNemar's P of 0.04 means that 8 patients gained a contact (and 20 lost theirs),
#: P < 0.001 that at most 6 went from one lobe to two, and P < 0.0001 that at most some 19 rose to a CEA of 10 (12 keep a
#: distance). Each patient too many, or of contacts too few, costs this.
GAIN_COST, GAINED_CONTACTS, MOST_GAINED_LOBES, MOST_RISEN_CEA = 6.0, 8, 5, 12
#: A single change seldom makes the regressions not yet asked cheaper by more: one that would need it is refused at once.
MOST_GAINED = 1.5

#: Of each unit by which the course departs from what the text tells, in ``told_cost``.
TOLD_WEIGHT = 5.0
#: Share of the steps in which two patients exchange times instead of predictors, and the temperature from which on downwards:
#: heat would lose what is told of survival after relapse, which was fitted before.
TIMES_SHARE, TIMES_WARMEST = 0.12, 0.4

# numba reads plain integers as constants.
_RESECTED_COVARIATE = COLUMN[("primary_resected", "yes")]


class _Asked(NamedTuple):
    """Working space of a step: what it touches, and what would be."""

    everyone: BoolArray  # (n,)
    marked: BoolArray  # (m,)
    models: IntArray  # (m,) those touched come first
    new: Estimates
    gains: IntArray  # (3,) of ``add_gains``, of all patients
    new_gains: IntArray  # (3,)


@compiled
def _touched(changed: int, together: bool, problem: Problem, scratch: Scratch, marked: BoolArray, models: IntArray) -> int:
    """The regressions that read what changed, narrow ones first, into ``models``; returns how many.

    Of two patients with the same outcome at a horizon (``together``) it makes no odds there who has which value.
    """
    n_marked = 0
    resected, n_resected = False, 0
    for k in range(changed):
        resected = resected or scratch.old_x[k, _RESECTED_COVARIATE] == 1.0 or scratch.new_x[k, _RESECTED_COVARIATE] == 1.0
        n_resected += scratch.old_x[k, _RESECTED_COVARIATE] == 1.0
    for c in range(N_COVARIATES):
        moved = False
        for k in range(changed):
            moved = moved or not equal(scratch.old_x[k, c], scratch.new_x[k, c])
        if not moved:
            continue
        for place in range(problem.touched_start[c], problem.touched_start[c + 1]):
            m = problem.touched[place]
            if marked[m] or (problem.resected_only[m] and not resected):
                continue
            alike = together and problem.kind[m] < 2 and (n_resected == 2 or not problem.resected_only[m])
            if not (alike and _exchanged(m, problem, scratch)):
                marked[m] = True
                models[n_marked] = m
                n_marked += 1
    if _population_changes(scratch):
        for m in range(len(marked)):
            if problem.resected_only[m] and not marked[m]:
                marked[m] = True
                models[n_marked] = m
                n_marked += 1
    models[:n_marked].sort()
    for place in range(n_marked):
        marked[models[place]] = False
    return n_marked


@compiled
def _touched_by_times(k: int, problem: Problem, scratch: Scratch, models: IntArray) -> int:
    """The Cox regressions of outcome ``k`` in which the two patients are not alike, into ``models``; returns how many."""
    found = 0
    before, after = scratch.old_x[0, _RESECTED_COVARIATE], scratch.old_x[1, _RESECTED_COVARIATE]
    for m in range(len(problem.kind)):
        if problem.kind[m] != k or (problem.resected_only[m] and before != 1.0 and after != 1.0):
            continue
        differ = problem.resected_only[m] and before != after
        for c in problem.column[problem.start[m] : problem.start[m + 1]]:
            differ = differ or not equal(scratch.old_x[0, c], scratch.old_x[1, c])
        if differ:
            models[found] = m
            found += 1
    return found


@compiled
def _exchanged(m: int, problem: Problem, scratch: Scratch) -> bool:
    """Each of the two patients has what the other had, of all that the regression reads."""
    same = True
    for c in problem.column[problem.start[m] : problem.start[m + 1]]:
        same = same and equal(scratch.new_x[0, c], scratch.old_x[1, c]) and equal(scratch.new_x[1, c], scratch.old_x[0, c])
    return same


@compiled
def _population_changes(scratch: Scratch) -> bool:
    """Other patients would be in the primary-resected population (a swap changes both or none)."""
    return bool(scratch.old_x[0, _RESECTED_COVARIATE] != scratch.new_x[0, _RESECTED_COVARIATE])


@compiled
def _can_foretell(m: int, changed: int, problem: Problem, scratch: Scratch) -> bool:
    """A narrow regression on the same patients as before."""
    if not problem.narrow[m] or (problem.resected_only[m] and _population_changes(scratch)):
        return False
    c = problem.column[problem.start[m]]
    same = True
    for k in range(changed):
        same = same and math.isnan(scratch.old_x[k, c]) == math.isnan(scratch.new_x[k, c])
    return same


@compiled
def _gain_cost(gains: IntArray) -> float:
    away = abs(gains[0] - GAINED_CONTACTS) + max(0, gains[1] - MOST_GAINED_LOBES) + max(0, gains[2] - MOST_RISEN_CEA)
    return float(GAIN_COST * away)


@compiled
def _rules_and_gains(changed: int, temperature: float, patients: Patients, scratch: Scratch, asked: _Asked) -> float:
    """What the change costs before any regression is asked; the covariates as they were and would be go into ``scratch``."""
    cost = 0.0
    asked.new_gains[:] = asked.gains
    for k in range(changed):
        patient = scratch.pair[k]
        record = patients.records[:, patient]
        add_gains(record, 1, asked.new_gains)
        add_gains(scratch.old_records[k], -1, asked.new_gains)
        for c in range(N_COVARIATES):
            scratch.old_x[k, c] = patients.x[c, patient]
        encode(record, scratch.new_x[k])
        cost += RULE_COST * max(1.0, temperature) * (broken_rules(record) - broken_rules(scratch.old_records[k]))
    return cost + _gain_cost(asked.new_gains) - _gain_cost(asked.gains)


@compiled
def _cheap_enough(
    changed: int, times: int, n_touched: int, cost: float, bound: float, patients: Patients, outcomes: Outcomes,
    relapses: Relapses, problem: Problem, estimates: Estimates, scratch: Scratch, asked: _Asked,
) -> tuple[bool, bool]:  # fmt: skip
    """(whether the touched regressions, with ``cost`` so far, stay within ``bound``; whether the change is applied)."""
    gain = 0.0  # the most that the regressions not yet asked can give back
    for m in asked.models[:n_touched]:
        gain += estimates.cost[m]
    applied = False
    for exactly in (False, True):  # first those that can be foretold
        for m in asked.models[:n_touched]:
            if _can_foretell(m, changed, problem, scratch) == exactly:
                continue
            if cost - min(gain, MOST_GAINED) > bound:
                return False, applied  # whatever the others gain
            member = patients.resected if problem.resected_only[m] else asked.everyone
            if exactly:
                asked.new.cost[m] = evaluate(m, patients, outcomes, problem, member, estimates.beta[m], asked.new)
            else:
                c = problem.column[problem.start[m]]
                asked.new.cost[m] = foretell(
                    m, scratch.pair[:changed], scratch.old_x[:changed, c], scratch.new_x[:changed, c], problem, member, outcomes,
                    estimates.beta[m], estimates.influence, asked.new.beta[m], asked.new.error[m],
                )  # fmt: skip
            cost += asked.new.cost[m] - estimates.cost[m]
            gain -= estimates.cost[m]
        if not exactly:
            if times < 0:
                apply(changed, patients, scratch)
            else:
                exchange(times, scratch.pair[0], scratch.pair[1], relapses, outcomes)
            applied = True
    return cost <= bound, applied


@compiled
def _accept(
    n_touched: int, patients: Patients, outcomes: Outcomes, problem: Problem, estimates: Estimates, asked: _Asked
) -> None:
    asked.gains[:] = asked.new_gains
    for m in asked.models[:n_touched]:
        estimates.cost[m] = asked.new.cost[m]
        for a in range(problem.start[m + 1] - problem.start[m] + 1):
            estimates.beta[m, a] = asked.new.beta[m, a]
            estimates.error[m, a] = asked.new.error[m, a]
        if problem.narrow[m]:
            member = patients.resected if problem.resected_only[m] else asked.everyone
            measure_anew(m, patients, outcomes, problem, member, estimates)


@compiled
def anneal_predictors(
    seed: int, steps: int, hot: float, cold: float, patients: Patients, outcomes: Outcomes, relapses: Relapses,
    problem: Problem, estimates: Estimates, moves: Moves,
) -> None:  # fmt: skip
    """Change ``patients``, their ``outcomes`` and with them ``estimates`` in place, cooling from ``hot`` to ``cold``."""
    np.random.seed(seed)
    n = patients.records.shape[1]
    n_models = len(problem.kind)
    scratch = Scratch(
        np.zeros(2, dtype=np.int64),
        np.zeros((2, N_FIELDS), dtype=np.int64),
        np.zeros((2, N_COVARIATES)),
        np.zeros((2, N_COVARIATES)),
    )
    asked = _Asked(
        np.ones(n, dtype=np.bool_),
        np.zeros(n_models, dtype=np.bool_),
        np.zeros(n_models, dtype=np.int64),
        no_estimates(n_models, n),
        np.zeros(3, dtype=np.int64),
        np.zeros(3, dtype=np.int64),
    )
    for patient in range(n):
        add_gains(patients.records[:, patient], 1, asked.gains)
    for step in range(steps):
        temperature = hot * (cold / hot) ** (step / steps)
        bound = -temperature * math.log(1.0 - np.random.random())  # Metropolis: a rise up to this is accepted
        i = np.random.randint(n)
        if moves.whole and temperature <= TIMES_WARMEST and np.random.random() < TIMES_SHARE:
            _step_of_times(i, bound, patients, outcomes, relapses, problem, estimates, scratch, asked)
        else:
            _step_of_predictors(i, temperature, bound, patients, outcomes, relapses, problem, estimates, moves, scratch, asked)


@compiled
def _step_of_predictors(
    i: int, temperature: float, bound: float, patients: Patients, outcomes: Outcomes, relapses: Relapses, problem: Problem,
    estimates: Estimates, moves: Moves, scratch: Scratch, asked: _Asked,
) -> None:  # fmt: skip
    """Swap or nudge predictors of patient ``i``, unless that costs more than ``bound``."""
    changed = propose(i, temperature, patients, outcomes, problem, estimates.cost, moves, relapses.position, scratch)
    if changed == 0:
        return
    cost = _rules_and_gains(changed, temperature, patients, scratch, asked)
    together = changed == 2 and outcomes.stratum[scratch.pair[0]] == outcomes.stratum[scratch.pair[1]]
    fits = flags_hold(changed, together, scratch.old_x, scratch.new_x, moves.categorical)
    if fits and changed == 1:
        fits = margins_hold(scratch.pair[0], scratch.old_records[0], patients.records, moves)
    applied, n_touched = False, 0
    if fits:
        n_touched = _touched(changed, together, problem, scratch, asked.marked, asked.models)
        fits, applied = _cheap_enough(
            changed, -1, n_touched, cost, bound, patients, outcomes, relapses, problem, estimates, scratch, asked
        )  # fmt: skip
    if fits:
        _accept(n_touched, patients, outcomes, problem, estimates, asked)
    else:
        undo(changed, applied, patients, scratch)


@compiled
def _step_of_times(
    i: int, bound: float, patients: Patients, outcomes: Outcomes, relapses: Relapses, problem: Problem, estimates: Estimates,
    scratch: Scratch, asked: _Asked,
) -> None:  # fmt: skip
    """Exchange the months of DFS or OS of patient ``i`` and another, unless that costs more than ``bound``."""
    n = patients.records.shape[1]
    k = DFS if np.random.random() < 0.5 else OS
    draw = np.random.random()
    away = 2 if draw < 0.3 else (6 if draw < 0.6 else (25 if draw < 0.9 else n))
    j = outcomes.order[k, min(n - 1, max(0, relapses.position[k, i] + np.random.randint(-away, away + 1)))]
    if not may_exchange(k, i, j, relapses):
        return
    scratch.pair[0], scratch.pair[1] = i, j
    for c in range(N_COVARIATES):  # in their regressions it is as if the two changed places
        scratch.old_x[0, c] = scratch.new_x[1, c] = patients.x[c, i]
        scratch.old_x[1, c] = scratch.new_x[0, c] = patients.x[c, j]
    n_touched = _touched_by_times(k, problem, scratch, asked.models)
    asked.new_gains[:] = asked.gains
    fits, applied = _cheap_enough(2, k, n_touched, 0.0, bound, patients, outcomes, relapses, problem, estimates, scratch, asked)
    told = 0.0
    if fits:
        cost = 0.0
        for m in asked.models[:n_touched]:
            cost += asked.new.cost[m] - estimates.cost[m]
        told = told_cost(relapses)
        fits = cost + TOLD_WEIGHT * (told - relapses.cost[0]) <= bound
    if fits:
        relapses.cost[0] = told
        _accept(n_touched, patients, outcomes, problem, estimates, asked)
    elif applied:
        exchange(k, i, j, relapses, outcomes)
