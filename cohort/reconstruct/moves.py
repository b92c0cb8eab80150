"""What may change about the patients, and how: values swapped between two of them, or one value nudged.

A swap within a stratum of the outcome (event by 6 months, by 12, later or never) keeps every 2x2 table of Table 2, and any swap
keeps the counts and quartiles of Table 1. Nudges keep Table 1's ranges and quartiles.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cohort.reconstruct.covariates import COVARIATES, IS_CATEGORICAL, N_COVARIATES, N_FIELDS, Field
from cohort.reconstruct.problem import BoolArray, Outcomes, Patients, Problem, starts
from cohort.reconstruct.regressions import FloatArray, IntArray, compiled

#: From here on small changes are tried more often: large ones are hardly ever accepted.
COLD = 0.3

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

#: Fields whose values themselves may change a little, where Table 1's quartiles and range allow, and the temperature from which
#: on downwards: heat spreads values evenly over their range. Lesions and segments must bend early, their flags hang on them; of
#: the others only the tail matters, a thousandth of a row a change, which any more heat than this would lose again.
NUDGED = {
    F.BASELINE_SEGMENTS: 1.2, F.LATER_SEGMENTS: 1.2, F.BASELINE_LESIONS: 1.2, F.LATER_LESIONS: 1.2,
    F.BASELINE_CEA: 0.15, F.LATER_CEA: 0.15, F.BASELINE_DIAMETER: 0.15, F.LATER_DIAMETER: 0.15,
    F.BASELINE_CONTACTS: 0.15, F.LATER_CONTACTS: 0.15,
}  # fmt: skip


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


class Moves(NamedTuple):
    """What may change: blocks of fields, single values within their ``limits`` and Table 1's ``anchors``, both flat.

    ``by_covariate``: the moves that change a covariate: a block's number, or -1 - field for a nudge.
    """

    block: IntArray
    block_start: IntArray
    whole: bool  # whether whole patients may be exchanged
    nudged: IntArray
    warmest: FloatArray  # (fields,) temperature from which on downwards a field is nudged
    by_covariate: IntArray
    by_covariate_start: IntArray
    limits: IntArray  # (fields, 2)
    anchors: IntArray  # (anchors, 3): value, and the ranks (of the known values, sorted) that must have it
    anchor_start: IntArray  # (fields + 1,)
    categorical: BoolArray  # (covariates,)


class Scratch(NamedTuple):
    """The patients that a step changes, as they were and as they would be."""

    pair: IntArray  # (2,)
    old_records: IntArray  # (2, fields)
    old_x: FloatArray  # (2, covariates)
    new_x: FloatArray  # (2, covariates)


def moves_of(limits: IntArray, anchors: IntArray, anchor_start: IntArray, only: frozenset[Field]) -> Moves:
    """The blocks and nudges of ``only`` these fields, with what Table 1 fixes of the values."""
    blocks = [fields for fields in BLOCKS if only.issuperset(fields)]
    nudged = [field for field in NUDGED if field in only]
    by_covariate = [
        [b for b, fields in enumerate(blocks) if len(fields) <= 8 and set(fields) & set(FIELDS_OF[c])]
        + [-1 - int(f) for f in nudged if f in FIELDS_OF[c]] * 2
        for c in range(N_COVARIATES)
    ]
    return Moves(
        block=np.array([field for fields in blocks for field in fields], dtype=np.int64),
        block_start=starts([len(fields) for fields in blocks]),
        whole=only.issuperset(Field),
        nudged=np.array(nudged, dtype=np.int64),
        warmest=np.array([NUDGED.get(field, 0.0) for field in Field]),
        by_covariate=np.array([move for moves in by_covariate for move in moves], dtype=np.int64),
        by_covariate_start=starts([len(moves) for moves in by_covariate]),
        limits=limits,
        anchors=anchors,
        anchor_start=anchor_start,
        categorical=IS_CATEGORICAL,
    )


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
def equal(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


@compiled
def flags_hold(changed: int, together: bool, old_x: FloatArray, new_x: FloatArray, categorical: BoolArray) -> bool:
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
                if not equal(old_x[k, c], new_x[k, c]):
                    return False
    return True


@compiled
def margins_hold(i: int, old_record: IntArray, records: IntArray, moves: Moves) -> bool:
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
def _choose(temperature: float, problem: Problem, cost: FloatArray, moves: Moves) -> tuple[int, int, bool]:
    """(block, field, whole): a field of 0 or more is to be nudged, else the block is to be swapped, or ``whole`` patients.

    Half of the time, and more often when it is cold, something that a regression far from print reads.
    """
    block = np.random.randint(len(moves.block_start) - 1)
    draw = np.random.random()
    nudge = draw < 0.15 and len(moves.nudged) > 0
    field = moves.nudged[np.random.randint(len(moves.nudged))] if nudge else -1
    if draw > (0.3 if temperature < COLD else 0.5):
        m = np.random.randint(len(cost))
        for _ in range(20):
            if cost[m] > 4.0 * np.random.random() * np.random.random():
                break
            m = np.random.randint(len(cost))
        c = problem.column[np.random.randint(problem.start[m], problem.start[m + 1])]
        first, last = moves.by_covariate_start[c], moves.by_covariate_start[c + 1]
        chosen = moves.by_covariate[np.random.randint(first, last)] if last > first else block
        if chosen < 0:
            nudge, field = True, -1 - chosen
        else:
            block = chosen
    return block, (field if nudge else -1), moves.whole and 0.15 <= draw < 0.16


@compiled
def propose(
    i: int, temperature: float, patients: Patients, outcomes: Outcomes, problem: Problem, cost: FloatArray, moves: Moves,
    position: IntArray, scratch: Scratch,
) -> int:  # fmt: skip
    """Change the records of one or two patients, remembered in ``scratch``; returns how many, 0 where nothing may change."""
    records = patients.records
    block, field, whole = _choose(temperature, problem, cost, moves)
    scratch.pair[0] = i
    for f in range(N_FIELDS):
        scratch.old_records[0, f] = records[f, i]
    if field >= 0:
        if temperature > moves.warmest[field] or not _nudge(i, field, records, moves.limits):
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
def apply(changed: int, patients: Patients, scratch: Scratch) -> None:
    """Write the new covariates."""
    for k in range(changed):
        patient = scratch.pair[k]
        for c in range(N_COVARIATES):
            patients.x[c, patient] = scratch.new_x[k, c]
        patients.resected[patient] = patients.records[_RESECTED, patient] == 1


@compiled
def undo(changed: int, applied: bool, patients: Patients, scratch: Scratch) -> None:
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
