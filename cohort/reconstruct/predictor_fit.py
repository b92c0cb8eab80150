"""Fits who has which predictors, until the paper's regressions give the printed numbers.

Outcomes stay where they are; predictors move between patients. A swap within a stratum of the outcome (event by 6 months, by 12,
later or never) keeps every 2x2 table of Table 2, and any swap keeps the counts and quartiles of Table 1. That freedom is what
hazard ratios, effects of continuous predictors and multivariable models are fitted with, by simulated annealing: each
change re-estimates, by one Newton step, the regressions it touches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cohort.reconstruct.covariates import (
    COLUMN,
    COVARIATES,
    IS_CATEGORICAL,
    N_COVARIATES,
    N_FIELDS,
    Field,
    broken_rules,
    encode,
    gained_contact,
    gained_lobe,
)
from cohort.reconstruct.influence import Influence, measure_cox, measure_logistic, shift_cox, shift_logistic
from cohort.reconstruct.regressions import MAX_TERMS, FloatArray, IntArray, compiled, cox_step, logistic_step
from cohort.reconstruct.targets import OUTCOMES, PRIMARY_RESECTED, Regression, numbers

BoolArray = npt.NDArray[np.bool_]

_Z = 1.959963984540054
RULE_COST = 30.0  # of each rule of clinic and logic that a patient breaks
#: Table 1's paired tests: with the counts given, McNemar's P of 0.04 means that 8 patients gained a contact (and 20 lost theirs),
#: P < 0.001 that at most 6 went from one lobe to two. Each patient too many, or of contacts too few, costs this.
GAIN_COST, GAINED_CONTACTS, MOST_GAINED_LOBES = 6.0, 8, 5
#: From here on small changes are tried more often: large ones are hardly ever accepted.
COLD = 0.3
#: The tolerance of a reproduction, or this share of the standard error where that is more: where six patients carry an effect,
#: each of their swaps moves it by many tolerances, and would be frozen long before the rest.
OF_AN_ERROR = 0.15
#: A P on the wrong side lets a covariate enter a second stage that print has without it, and every number there is another one.
WRONG_SIDE = 12.0
#: A single change seldom makes the regressions not yet asked cheaper by more: one that would need it is refused at once.
MOST_GAINED = 1.5
NOT_ESTIMABLE = 200.0  # cost of a regression whose information is singular

#: Values are changed only once it is this cool: heat would spread them evenly over their range.
TOO_HOT_TO_NUDGE = 1.2

F = Field
#: Fields that change patients together.
BLOCKS: tuple[tuple[Field, ...], ...] = (
    (F.AGE,), (F.ECOG,), (F.LEFT,), (F.T4,), (F.NODE_POSITIVE,), (F.RAS_BRAF,), (F.AGENT,), (F.TRIPLET,), (F.CHEMOTHERAPY,),
    (F.RESPONSE,), (F.ONE_STEP,), (F.BASELINE_CEA,), (F.LATER_CEA,), (F.BASELINE_UNILOBAR,), (F.LATER_UNILOBAR,),
    (F.BASELINE_SEGMENTS,), (F.LATER_SEGMENTS,), (F.LATER_LESIONS,), (F.BASELINE_DIAMETER,), (F.LATER_DIAMETER,),
    (F.BASELINE_CONTACTS,), (F.LATER_CONTACTS,), (F.BASELINE_MRI, F.LATER_MRI),
    (F.SYNCHRONOUS, F.ADJUVANT), (F.ADJUVANT,), (F.SYNCHRONOUS, F.RESECTED, F.ADJUVANT, F.T4, F.NODE_POSITIVE),
    (F.RESECTED, F.T4, F.NODE_POSITIVE),
    (F.RAS_BRAF, F.AGENT), (F.BASELINE_CEA, F.LATER_CEA), (F.BASELINE_LESIONS, F.LATER_LESIONS),
    (F.BASELINE_SEGMENTS, F.LATER_SEGMENTS), (F.BASELINE_DIAMETER, F.LATER_DIAMETER),
    (F.BASELINE_DIAMETER, F.LATER_DIAMETER, F.RESPONSE),
    (F.BASELINE_CONTACTS, F.LATER_CONTACTS), (F.BASELINE_UNILOBAR, F.LATER_UNILOBAR, F.ONE_STEP),
    (F.BASELINE_UNILOBAR, F.LATER_UNILOBAR, F.BASELINE_SEGMENTS, F.LATER_SEGMENTS, F.ONE_STEP),
    (
        F.BASELINE_LESIONS, F.LATER_LESIONS, F.BASELINE_SEGMENTS, F.LATER_SEGMENTS, F.BASELINE_UNILOBAR, F.LATER_UNILOBAR,
        F.ONE_STEP,
    ),
    (F.BASELINE_LESIONS, F.LATER_LESIONS, F.BASELINE_CONTACTS, F.LATER_CONTACTS),
    tuple(f for f in F if f >= F.BASELINE_UNILOBAR or f in (F.ONE_STEP, F.RESPONSE)),
    tuple(f for f in F if f < F.ONE_STEP and f != F.RESPONSE),
)  # fmt: skip

#: Fields whose values themselves may change a little, where Table 1's quartiles and range allow.
NUDGED = (
    F.CHEMOTHERAPY, F.BASELINE_CEA, F.LATER_CEA, F.BASELINE_SEGMENTS, F.LATER_SEGMENTS, F.BASELINE_LESIONS, F.LATER_LESIONS,
    F.BASELINE_DIAMETER, F.LATER_DIAMETER, F.BASELINE_CONTACTS, F.LATER_CONTACTS,
)  # fmt: skip


_FIELDS_BY_VARIABLE: dict[str, tuple[Field, ...]] = {
    "age": (F.AGE,), "ecog_ps": (F.ECOG,), "primary_resected": (F.RESECTED,), "synchronous": (F.SYNCHRONOUS,),
    "primary_location": (F.LEFT,), "adjuvant_chemotherapy": (F.ADJUVANT,), "pt_stage": (F.T4,), "pn_stage": (F.NODE_POSITIVE,),
    "baseline_cea": (F.BASELINE_CEA,), "presurgery_cea": (F.LATER_CEA,), "baseline_lobes": (F.BASELINE_UNILOBAR,),
    "presurgery_lobes": (F.LATER_UNILOBAR,), "baseline_segments": (F.BASELINE_SEGMENTS,),
    "presurgery_segments": (F.LATER_SEGMENTS,),
    "baseline_lesions": (F.BASELINE_LESIONS,), "presurgery_lesions": (F.LATER_LESIONS,),
    "vanished_lesions": (F.BASELINE_LESIONS, F.LATER_LESIONS), "baseline_max_diameter": (F.BASELINE_DIAMETER,),
    "presurgery_max_diameter": (F.LATER_DIAMETER,), "baseline_vessel_contacts": (F.BASELINE_CONTACTS,),
    "presurgery_vessel_contacts": (F.LATER_CONTACTS,), "mri_any": (F.BASELINE_MRI,), "ras_braf": (F.RAS_BRAF,),
    "objective_response": (F.RESPONSE,), "regimen": (F.TRIPLET,), "biologic_agent": (F.AGENT,),
    "chemotherapy_duration": (F.CHEMOTHERAPY,), "surgery_steps": (F.ONE_STEP,),
}  # fmt: skip

#: Fields that each covariate is read from.
FIELDS_OF = tuple(_FIELDS_BY_VARIABLE[variable] for variable, _ in COVARIATES)

# numba reads plain integers as constants.
_RESECTED, _LESIONS, _LATER_LESIONS = int(F.RESECTED), int(F.BASELINE_LESIONS), int(F.LATER_LESIONS)
_RESECTED_COVARIATE = COLUMN[("primary_resected", "yes")]


class Problem(NamedTuple):
    """All regressions in flat arrays, as compiled code reads them; regression m has terms ``start[m]:start[m + 1]``."""

    kind: IntArray  # (m,) row of ``event``: 0, 1 logistic, 2, 3 Cox
    resected_only: BoolArray  # (m,)
    start: IntArray  # (m + 1,)
    column: IntArray  # (terms,)
    printed: FloatArray  # (terms, 3) ratio and bounds, NaN where none is printed
    half: FloatArray  # (terms,) half a unit of the last digit
    z_low: FloatArray  # (terms,)
    z_high: FloatArray  # (terms,)
    weight: FloatArray  # (terms,)
    touched: IntArray  # regressions by covariate, flat
    touched_start: IntArray  # (covariates + 1,)
    narrow: BoolArray  # (m,) on one covariate: its changes are foretold by ``influence``


class Outcomes(NamedTuple):
    """What happened: ``stratum`` (n,), and by outcome the ``order`` (4, n) by falling time and the ``event`` (4, n)."""

    stratum: IntArray
    order: IntArray
    event: BoolArray


class Patients(NamedTuple):
    """``records`` (fields, n), the covariates ``x`` (covariates, n) that follow from them, and who is ``resected`` (n,)."""

    records: IntArray
    x: FloatArray
    resected: BoolArray


class Estimates(NamedTuple):
    """Of every regression: coefficients and errors (m, terms), cost (m,), and of those on one covariate the influence."""

    beta: FloatArray
    error: FloatArray
    cost: FloatArray
    influence: Influence


def no_estimates(n_regressions: int, n_patients: int) -> Estimates:
    """Where estimation begins."""
    shape = (n_regressions, MAX_TERMS)
    influence = Influence(np.zeros((n_regressions, 5)), np.zeros((n_regressions, n_patients, 4)))
    return Estimates(np.zeros(shape), np.ones(shape), np.zeros(n_regressions), influence)


class Moves(NamedTuple):
    """What may change: blocks of fields, single values within their ``limits`` and Table 1's ``anchors``, both flat.

    ``by_covariate``: the moves that change a covariate: a block's number, or -1 - field for a nudge.
    """

    block: IntArray
    block_start: IntArray
    nudged: IntArray
    by_covariate: IntArray
    by_covariate_start: IntArray
    limits: IntArray  # (fields, 2)
    anchors: IntArray  # (anchors, 3): value, and the ranks (of the known values, sorted) that must have it
    anchor_start: IntArray  # (fields + 1,)
    categorical: BoolArray  # (covariates,)


class _Scratch(NamedTuple):
    """The patients that a step changes, as they were and as they would be."""

    pair: IntArray  # (2,)
    old_records: IntArray  # (2, fields)
    old_x: FloatArray  # (2, covariates)
    new_x: FloatArray  # (2, covariates)


def problem_of(regressions: Sequence[Regression], weights: Sequence[float]) -> Problem:
    """The regressions and their targets; ``weights`` (m,) of their terms."""
    terms = [(m, t) for m, r in enumerate(regressions) for t in r.targets]
    printed = np.full((len(terms), 3), np.nan)
    half = np.full(len(terms), 0.005)
    for place, (_, target) in enumerate(terms):
        if (given := numbers(target)) is not None:
            printed[place], half[place] = given[0], given[1][0]
    by_covariate = [sorted({m for m, t in terms if t.column == c}) for c in range(N_COVARIATES)]
    return Problem(
        kind=np.array([OUTCOMES.index(r.outcome) for r in regressions], dtype=np.int64),
        resected_only=np.array([r.population == PRIMARY_RESECTED for r in regressions], dtype=np.bool_),
        start=_starts([len(r.targets) for r in regressions]),
        column=np.array([t.column for _, t in terms], dtype=np.int64),
        printed=printed,
        half=half,
        z_low=np.array([t.z_low for _, t in terms]),
        z_high=np.array([t.z_high for _, t in terms]),
        weight=np.array([weights[m] for m, _ in terms]),
        touched=np.array([m for ms in by_covariate for m in ms], dtype=np.int64),
        touched_start=_starts([len(ms) for ms in by_covariate]),
        narrow=np.array([len(r.targets) == 1 for r in regressions], dtype=np.bool_),
    )


def moves_of(limits: IntArray, anchors: IntArray, anchor_start: IntArray) -> Moves:
    """All blocks and nudges, with what Table 1 fixes of the values."""
    by_covariate = [
        [b for b, fields in enumerate(BLOCKS) if len(fields) <= 8 and set(fields) & set(FIELDS_OF[c])]
        + [-1 - int(f) for f in NUDGED if f in FIELDS_OF[c]] * 2
        for c in range(N_COVARIATES)
    ]
    return Moves(
        block=np.array([field for fields in BLOCKS for field in fields], dtype=np.int64),
        block_start=_starts([len(fields) for fields in BLOCKS]),
        nudged=np.array(NUDGED, dtype=np.int64),
        by_covariate=np.array([move for moves in by_covariate for move in moves], dtype=np.int64),
        by_covariate_start=_starts([len(moves) for moves in by_covariate]),
        limits=limits,
        anchors=anchors,
        anchor_start=anchor_start,
        categorical=IS_CATEGORICAL,
    )


def _starts(sizes: Sequence[int]) -> IntArray:
    """Where each part of a flat array begins, and the last one ends."""
    return np.cumsum([0, *sizes]).astype(np.int64)


@compiled
def term_cost(beta: float, error: float, printed: FloatArray, half: float, z_low: float, z_high: float) -> float:
    """How far a term is from print: 0 where every printed digit and the side of P agree.

    A row that is not exact pays a step, one that is not near a larger one, so that many come out exact rather than all almost;
    beyond the printed digit the cost grows like a logarithm, beyond the tolerance of a reproduction (0.02 or 3 %) like the
    distance.
    """
    cost = 0.0
    if not math.isnan(printed[0]):
        exact, near = True, True
        ratio, spread = math.exp(min(beta, 20.0)), math.exp(min(_Z * error, 20.0))
        for k in range(3):
            value = ratio if k == 0 else (ratio / spread if k == 1 else ratio * spread)
            off = abs(value - printed[k])
            digits = off / half - 0.9
            if digits > 0.0:
                cost += 0.35 * math.log1p(4.0 * digits)
            exact = exact and off < 0.985 * half
            tolerance = max(0.02, 0.03 * printed[k])
            near = near and off < 0.98 * tolerance
            if off > 0.7 * tolerance:  # far away it is the ratio that counts, or a wild bound would never come back
                width = max(math.log1p(tolerance / printed[k]), OF_AN_ERROR * error)
                times = min(abs(math.log(max(value, 1e-9) / printed[k])) / width, 60.0)
                cost += 3.0 * max(0.0, times - 0.9)
        cost += (0.0 if exact else 0.6) + (0.0 if near else 1.5)
    z = beta / error
    if math.isnan(printed[0]) or printed[0] == 1.0:
        z = abs(z)
    elif printed[0] < 1.0:
        z = -z
    if z < z_low and z_low > 0.0:
        cost += WRONG_SIDE + 80.0 * (z_low - z)
    elif abs(z) > z_high:
        cost += WRONG_SIDE + 80.0 * (abs(z) - z_high)
    return cost


@compiled
def _evaluate(
    m: int, patients: Patients, outcomes: Outcomes, problem: Problem, everyone: BoolArray, beta: FloatArray, new: Estimates
) -> float:
    """Cost of regression ``m``; its estimates, one step from ``beta``, are written into row m of ``new``."""
    first, last = problem.start[m], problem.start[m + 1]
    columns = problem.column[first:last]
    member = patients.resected if problem.resected_only[m] else everyone
    k = problem.kind[m]
    fitted = False
    if k < 2:
        fitted = logistic_step(patients.x, columns, outcomes.order[2], outcomes.event[k], member, beta, new.beta[m], new.error[m])
    else:
        fitted = cox_step(patients.x, columns, outcomes.order[k], outcomes.event[k], member, beta, new.beta[m], new.error[m])
    if not fitted:
        return NOT_ESTIMABLE
    cost = 0.0
    for term in range(first, last):
        cost += _term_cost(term, new.beta[m, term - first], new.error[m, term - first], problem)
    return cost


@compiled
def _term_cost(term: int, beta: float, error: float, problem: Problem) -> float:
    cost = term_cost(beta, error, problem.printed[term], problem.half[term], problem.z_low[term], problem.z_high[term])
    return float(problem.weight[term] * cost)


@compiled
def _foretell(m: int, pair: IntArray, old: FloatArray, new: FloatArray, problem: Problem, member: BoolArray, outcomes: Outcomes,
              estimates: Estimates, found: FloatArray) -> float:  # fmt: skip
    """Cost of the narrow regression ``m`` if ``pair`` had the values ``new``; ``found`` (3,): slope, error, intercept."""
    k = problem.kind[m]
    event, sums, slope = outcomes.event[k], estimates.influence.sums[m], estimates.beta[m, 0]
    if k < 2:
        found[0], found[1], found[2] = shift_logistic(pair, old, new, event, member, slope, estimates.beta[m, 1], sums)
    else:
        found[0], found[1] = shift_cox(pair, old, new, event, member, slope, sums, estimates.influence.at[m])
    return _term_cost(problem.start[m], found[0], found[1], problem) if found[1] > 0.0 else NOT_ESTIMABLE


@compiled
def _measure(m: int, patients: Patients, outcomes: Outcomes, problem: Problem, everyone: BoolArray, estimates: Estimates) -> None:
    """Measure the narrow regression ``m`` at its coefficients, in place; its cost is that of the estimate one step on."""
    k = problem.kind[m]
    values = patients.x[problem.column[problem.start[m]]]
    member = patients.resected if problem.resected_only[m] else everyone
    sums, slope = estimates.influence.sums[m], estimates.beta[m, 0]
    if k < 2:
        measure_logistic(values, outcomes.event[k], member, slope, estimates.beta[m, 1], sums)
    else:
        measure_cox(values, outcomes.order[k], outcomes.event[k], member, slope, sums, estimates.influence.at[m])
    nobody, nothing, found = np.empty(0, dtype=np.int64), np.empty(0), np.empty(3)
    estimates.cost[m] = _foretell(m, nobody, nothing, nothing, problem, member, outcomes, estimates, found)


@compiled
def _is_alone(values: IntArray, value: int) -> bool:
    same = 0
    for v in values:
        same += v == value
    return same == 1


@compiled
def _quartiles_hold(values: IntArray, anchors: IntArray) -> bool:
    """Whether the known values, sorted, have each anchor's value at its ranks."""
    for a in range(len(anchors)):
        value, rank_low, rank_high = anchors[a, 0], anchors[a, 1], anchors[a, 2]
        below, upto = 0, 0
        for v in values:
            if v < 0:
                continue
            below += v < value
            upto += v <= value
        if below > rank_low or upto <= rank_high:
            return False
    return True


@compiled
def _nudge(i: int, field: int, records: IntArray, limits: IntArray) -> bool:
    """Change one value a little, or by a larger share; False where there is nothing to change."""
    value = records[field, i]
    if value < 0:
        return False
    if (value == limits[field, 0] or value == limits[field, 1]) and _is_alone(records[field], value):
        return False  # Table 1's range stays as it is
    size = np.random.random()
    width = 1 if size < 0.5 else max(1, int((0.15 if size < 0.8 else 0.6) * value))
    change = np.random.randint(1, width + 1) * (1 if np.random.random() < 0.5 else -1)
    if not limits[field, 0] <= value + change <= limits[field, 1]:
        return False
    records[field, i] = value + change
    if field == _LESIONS and np.random.random() < 0.5:  # lesions at both times
        records[_LATER_LESIONS, i] += change
    return True


@compiled
def _differ(i: int, j: int, block: int, records: IntArray, moves: Moves) -> bool:
    """Whether two patients differ in a field of the block."""
    for place in range(moves.block_start[block], moves.block_start[block + 1]):
        field = moves.block[place]
        if records[field, i] != records[field, j]:
            return True
    return False


@compiled
def _partner(
    i: int, block: int, whole: bool, cold: bool, records: IntArray, outcomes: Outcomes, position: IntArray, moves: Moves
) -> int:
    """Somebody who differs in the block, mostly of the same stratum and often near in time; -1 where nobody is found.

    Near in time means a small change of the hazard ratios: of one outcome's, or, for the last digits, of both.
    """
    n = records.shape[1]
    same = whole or np.random.random() < 0.7
    nearby = not whole and np.random.random() < (0.75 if cold else 0.5)
    by = 2 + np.random.randint(2)
    away = 12 if np.random.random() < 0.6 else 3
    wanted = 6 if nearby and np.random.random() < 0.5 else 1  # the nearest of so many by the other outcome
    best, distance, found = -1, n, 0
    for _ in range(60):
        j = np.random.randint(n)
        if nearby:
            j = outcomes.order[by, min(n - 1, max(0, position[by, i] + np.random.randint(-away, away + 1)))]
        if same and outcomes.stratum[j] != outcomes.stratum[i]:
            continue
        if _differ(i, j, block, records, moves):
            found += 1
            apart = abs(position[5 - by, i] - position[5 - by, j])
            if apart < distance:
                best, distance = int(j), apart
            if found == wanted:
                break
    return best


@compiled
def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


@compiled
def _flags_hold(changed: int, together: bool, old_x: FloatArray, new_x: FloatArray, categorical: BoolArray) -> bool:
    """Flags may move within a stratum (``together``) and nowhere else: they are Table 2's whole numbers."""
    for c in range(N_COVARIATES):
        if not categorical[c]:
            continue
        if together:
            known, before, after = 0, 0.0, 0.0
            for k in range(2):
                if not math.isnan(old_x[k, c]):
                    known += 1
                    before += old_x[k, c]
                if not math.isnan(new_x[k, c]):
                    known -= 1
                    after += new_x[k, c]
            if known != 0 or before != after:
                return False
        else:
            for k in range(changed):
                if not _same(old_x[k, c], new_x[k, c]):
                    return False
    return True


@compiled
def _margins_hold(i: int, old_record: IntArray, records: IntArray, moves: Moves) -> bool:
    """Whether a nudged patient's values stay within their limits and leave Table 1's quartiles."""
    for field in moves.nudged:
        value = records[field, i]
        if value == old_record[field]:
            continue
        if not moves.limits[field, 0] <= value <= moves.limits[field, 1]:
            return False
        if not _quartiles_hold(records[field], moves.anchors[moves.anchor_start[field] : moves.anchor_start[field + 1]]):
            return False
    return True


@compiled
def _apply(changed: int, patients: Patients, scratch: _Scratch) -> None:
    """Write the new covariates."""
    for k in range(changed):
        patient = scratch.pair[k]
        for c in range(N_COVARIATES):
            patients.x[c, patient] = scratch.new_x[k, c]
        patients.resected[patient] = patients.records[_RESECTED, patient] == 1


@compiled
def _undo(changed: int, applied: bool, patients: Patients, scratch: _Scratch) -> None:
    """The records as they were and, where the new ones were ``applied``, the covariates."""
    for k in range(changed):
        patient = scratch.pair[k]
        for field in range(N_FIELDS):
            patients.records[field, patient] = scratch.old_records[k, field]
        if not applied:
            continue
        for c in range(N_COVARIATES):
            patients.x[c, patient] = scratch.old_x[k, c]
        patients.resected[patient] = patients.records[_RESECTED, patient] == 1


@compiled
def _touched(changed: int, together: bool, problem: Problem, scratch: _Scratch, marked: BoolArray, models: IntArray) -> int:
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
            moved = moved or not _same(scratch.old_x[k, c], scratch.new_x[k, c])
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
def _exchanged(m: int, problem: Problem, scratch: _Scratch) -> bool:
    """Each of the two patients has what the other had, of all that the regression reads."""
    same = True
    for c in problem.column[problem.start[m] : problem.start[m + 1]]:
        same = same and _same(scratch.new_x[0, c], scratch.old_x[1, c]) and _same(scratch.new_x[1, c], scratch.old_x[0, c])
    return same


@compiled
def _population_changes(scratch: _Scratch) -> bool:
    """Other patients would be in the primary-resected population (a swap changes both or none)."""
    return bool(scratch.old_x[0, _RESECTED_COVARIATE] != scratch.new_x[0, _RESECTED_COVARIATE])


@compiled
def _can_foretell(m: int, changed: int, problem: Problem, scratch: _Scratch) -> bool:
    """A narrow regression on the same patients as before."""
    if not problem.narrow[m] or (problem.resected_only[m] and _population_changes(scratch)):
        return False
    c = problem.column[problem.start[m]]
    same = True
    for k in range(changed):
        same = same and math.isnan(scratch.old_x[k, c]) == math.isnan(scratch.new_x[k, c])
    return same


@compiled
def _gain_cost(contacts: int, lobes: int) -> float:
    return GAIN_COST * (abs(contacts - GAINED_CONTACTS) + max(0, lobes - MOST_GAINED_LOBES))


@compiled
def _choose(temperature: float, problem: Problem, cost: FloatArray, moves: Moves) -> tuple[int, int, bool]:
    """(block, field, whole): a field of 0 or more is to be nudged, else the block is to be swapped, or ``whole`` patients.

    Half of the time, and more often when it is cold, something that a regression far from print reads.
    """
    block = np.random.randint(len(moves.block_start) - 1)
    field = moves.nudged[np.random.randint(len(moves.nudged))]
    draw = np.random.random()
    nudge = draw < 0.15
    if draw > (0.3 if temperature < COLD else 0.5):
        m = np.random.randint(len(cost))
        for _ in range(20):
            if cost[m] > 4.0 * np.random.random() * np.random.random():
                break
            m = np.random.randint(len(cost))
        c = problem.column[np.random.randint(problem.start[m], problem.start[m + 1])]
        chosen = moves.by_covariate[np.random.randint(moves.by_covariate_start[c], moves.by_covariate_start[c + 1])]
        if chosen < 0:
            nudge, field = True, -1 - chosen
        else:
            block = chosen
    return block, (field if nudge else -1), 0.15 <= draw < 0.16


@compiled
def _propose(
    i: int, temperature: float, patients: Patients, outcomes: Outcomes, problem: Problem, cost: FloatArray, moves: Moves,
    position: IntArray, scratch: _Scratch,
) -> int:  # fmt: skip
    """Change the records of one or two patients, remembered in ``scratch``; returns how many, 0 where nothing may change."""
    records = patients.records
    block, field, whole = _choose(temperature, problem, cost, moves)
    scratch.pair[0] = i
    for f in range(N_FIELDS):
        scratch.old_records[0, f] = records[f, i]
    if field >= 0:
        if temperature > TOO_HOT_TO_NUDGE or not _nudge(i, field, records, moves.limits):
            return 0
        return 1
    j = _partner(i, block, whole, temperature < COLD, records, outcomes, position, moves)
    if j < 0:
        return 0
    scratch.pair[1] = j
    for f in range(N_FIELDS):
        scratch.old_records[1, f] = records[f, j]
    if whole:
        for f in range(N_FIELDS):
            records[f, i], records[f, j] = records[f, j], records[f, i]
    else:
        for place in range(moves.block_start[block], moves.block_start[block + 1]):
            f = moves.block[place]
            records[f, i], records[f, j] = records[f, j], records[f, i]
    return 2


@compiled
def anneal_predictors(
    seed: int, steps: int, hot: float, cold: float, patients: Patients, outcomes: Outcomes, problem: Problem,
    estimates: Estimates, moves: Moves,
) -> None:  # fmt: skip
    """Change ``patients`` and with them ``estimates`` in place, cooling from ``hot`` to ``cold`` in ``steps`` steps."""
    np.random.seed(seed)
    n = patients.records.shape[1]
    n_models = len(problem.kind)
    everyone = np.ones(n, dtype=np.bool_)
    position = np.empty_like(outcomes.order)
    for k in range(len(outcomes.order)):
        for place in range(n):
            position[k, outcomes.order[k, place]] = place
    scratch = _Scratch(
        np.zeros(2, dtype=np.int64),
        np.zeros((2, N_FIELDS), dtype=np.int64),
        np.zeros((2, N_COVARIATES)),
        np.zeros((2, N_COVARIATES)),
    )
    new = Estimates(np.zeros((n_models, MAX_TERMS)), np.zeros((n_models, MAX_TERMS)), np.zeros(n_models), estimates.influence)
    found = np.zeros(3)
    marked = np.zeros(n_models, dtype=np.bool_)
    models = np.zeros(n_models, dtype=np.int64)
    contacts, lobes = 0, 0
    for patient in range(n):
        contacts += gained_contact(patients.records[:, patient])
        lobes += gained_lobe(patients.records[:, patient])
    for step in range(steps):
        temperature = hot * (cold / hot) ** (step / steps)
        changed = _propose(
            np.random.randint(n), temperature, patients, outcomes, problem, estimates.cost, moves, position, scratch
        )  # fmt: skip
        if changed == 0:
            continue
        delta = 0.0
        new_contacts, new_lobes = contacts, lobes
        for k in range(changed):
            patient = scratch.pair[k]
            new_contacts += int(gained_contact(patients.records[:, patient])) - int(gained_contact(scratch.old_records[k]))
            new_lobes += int(gained_lobe(patients.records[:, patient])) - int(gained_lobe(scratch.old_records[k]))
            for c in range(N_COVARIATES):
                scratch.old_x[k, c] = patients.x[c, patient]
            encode(patients.records[:, patient], scratch.new_x[k])
            broken = broken_rules(patients.records[:, patient]) - broken_rules(scratch.old_records[k])
            delta += RULE_COST * max(1.0, temperature) * broken
        delta += _gain_cost(new_contacts, new_lobes) - _gain_cost(contacts, lobes)
        together = changed == 2 and outcomes.stratum[scratch.pair[0]] == outcomes.stratum[scratch.pair[1]]
        fits = _flags_hold(changed, together, scratch.old_x, scratch.new_x, moves.categorical)
        if fits and changed == 1:
            fits = _margins_hold(scratch.pair[0], scratch.old_records[0], patients.records, moves)
        n_marked = 0
        applied = False
        if fits:
            n_marked = _touched(changed, together, problem, scratch, marked, models)
            bound = -temperature * math.log(1.0 - np.random.random())  # Metropolis: a rise up to this is accepted
            gain = 0.0
            for m in models[:n_marked]:
                gain += estimates.cost[m]
            for exactly in (False, True):  # first those that can be foretold
                for m in models[:n_marked]:
                    if _can_foretell(m, changed, problem, scratch) == exactly:
                        continue
                    if delta - min(gain, MOST_GAINED) > bound:
                        fits = False  # whatever the others gain
                        break
                    if exactly:
                        new.cost[m] = _evaluate(m, patients, outcomes, problem, everyone, estimates.beta[m], new)
                    else:
                        c = problem.column[problem.start[m]]
                        member = patients.resected if problem.resected_only[m] else everyone
                        new.cost[m] = _foretell(
                            m, scratch.pair[:changed], scratch.old_x[:changed, c], scratch.new_x[:changed, c], problem, member,
                            outcomes, estimates, found,
                        )  # fmt: skip
                        new.beta[m, 0], new.error[m, 0], new.beta[m, 1] = found[0], found[1], found[2]
                    delta += new.cost[m] - estimates.cost[m]
                    gain -= estimates.cost[m]
                if not fits:
                    break
                if not exactly:
                    _apply(changed, patients, scratch)
                    applied = True
            fits = fits and delta <= bound
        if not fits:
            _undo(changed, applied, patients, scratch)
            continue
        contacts, lobes = new_contacts, new_lobes
        for m in models[:n_marked]:
            estimates.cost[m] = new.cost[m]
            for a in range(problem.start[m + 1] - problem.start[m] + 1):
                estimates.beta[m, a] = new.beta[m, a]
                estimates.error[m, a] = new.error[m, a]
            if problem.narrow[m]:
                _measure(m, patients, outcomes, problem, everyone, estimates)


@compiled
def evaluate_all(patients: Patients, outcomes: Outcomes, problem: Problem, estimates: Estimates, rounds: int) -> None:
    """Iterate every regression ``rounds`` times from the estimates, in place."""
    everyone = np.ones(patients.x.shape[1], dtype=np.bool_)
    new = Estimates(
        np.zeros_like(estimates.beta), np.zeros_like(estimates.error), np.zeros_like(estimates.cost), estimates.influence
    )
    for m in range(len(problem.kind)):
        for _ in range(rounds):
            estimates.cost[m] = _evaluate(m, patients, outcomes, problem, everyone, estimates.beta[m], new)
            estimates.beta[m] = new.beta[m]
            estimates.error[m] = new.error[m]
        if problem.narrow[m]:
            _measure(m, patients, outcomes, problem, everyone, estimates)


def patients_of(records: IntArray) -> Patients:
    """A copy of ``records`` (fields, n) with the covariates that follow."""
    x = np.empty((N_COVARIATES, records.shape[1]))
    for patient in range(records.shape[1]):
        covariates = np.empty(N_COVARIATES)
        encode(np.ascontiguousarray(records[:, patient]), covariates)
        x[:, patient] = covariates
    return Patients(records.copy(), x, records[F.RESECTED] == 1)


def n_broken(records: IntArray) -> int:
    """Broken rules of all patients."""
    return sum(broken_rules(np.ascontiguousarray(records[:, p])) for p in range(records.shape[1]))
