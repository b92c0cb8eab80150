"""From a first draft of the predictors to patients whose regressions are the paper's: the schedule of the annealing.

The paper prints what the second stage found in the primary-resected population, not all that entered it. Which covariates do is
read off the patients themselves while they still move, among those that entered in all patients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from cohort.intervals import Z_95
from cohort.reconstruct import targets as wanted
from cohort.reconstruct.course import Course, Relapses, course_after, outcomes_of, relapses_of
from cohort.reconstruct.covariates import COLUMN, COVARIATES, N_FIELDS, Field
from cohort.reconstruct.moves import NUDGED, Moves, moves_of
from cohort.reconstruct.predictor_fit import TOLD_WEIGHT, anneal_predictors
from cohort.reconstruct.problem import (
    Estimates,
    Outcomes,
    Patients,
    Problem,
    evaluate_all,
    n_broken,
    no_estimates,
    patients_of,
    problem_of,
)
from cohort.reconstruct.regressions import FloatArray, IntArray
from cohort.reconstruct.targets import OUTCOMES, OVERALL, PRIMARY_RESECTED, Regression, Target, z_of

BoolArray = npt.NDArray[np.bool_]

STEPS_A_ROUND = 170_000
MULTIVARIABLE_WEIGHT, SUPPLEMENTARY_WEIGHT = 1.25, 1.5

#: Table 1 prints their quartiles, which a change of values must keep.
_WITH_QUARTILES = (
    Field.BASELINE_CEA, Field.LATER_CEA, Field.BASELINE_LESIONS, Field.LATER_LESIONS, Field.BASELINE_DIAMETER,
    Field.LATER_DIAMETER,
)  # fmt: skip

#: Where Table 1 prints no range: what is possible. A value at the end of a printed range stays there.
_UNPRINTED_RANGE = {
    Field.BASELINE_CEA: (1, 50_000), Field.LATER_CEA: (1, 20_000), Field.BASELINE_SEGMENTS: (1, 8), Field.LATER_SEGMENTS: (1, 8),
    Field.LATER_LESIONS: (1, 64), Field.LATER_DIAMETER: (2, 205), Field.BASELINE_CONTACTS: (0, 20), Field.LATER_CONTACTS: (0, 20),
}  # fmt: skip

Members = dict[str, frozenset[int]]

#: Told the share done and how near to print the fit is.
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Fitted:
    """Records (fields, patients), the course, and how near to print they came: the regressions (``cost``, terms with printed
    numbers), what the text tells of survival (``told_cost``), rules still broken.
    """

    records: IntArray
    course: Course
    cost: float
    told_cost: float
    n_terms: int
    n_exact: int
    n_near: int
    n_broken_rules: int

    def __str__(self) -> str:
        return f"{self.n_exact} of {self.n_terms} fitted effects exact, {self.n_near} within 0.02 or 3 %, cost {self.cost:.0f}"


@dataclass(frozen=True)
class Cycle:
    """One cooling: from ``hot`` to ``cold`` in ``rounds`` of ``STEPS_A_ROUND`` steps.

    ``only`` these fields move. ``loose``: slopes that contradict others are sought within tolerance; while it is hot all their
    digits pull, or a P would settle on the wrong side of its level. ``settled``: who enters the second stage of the
    primary-resected population is read off once, at the start: later a change would be another problem, with no heat to solve it.
    """

    hot: float
    cold: float
    rounds: int
    only: frozenset[Field] = frozenset(Field)
    loose: bool = True
    settled: bool = True


_MUTATIONS = frozenset({Field.RAS_BRAF, Field.AGENT})

#: The best of a cycle's chains is where all chains of the next begin. Six patients carry the effects of BRAF: mutations find
#: their places while all else holds still; once the others have found theirs, each swap of the six is too dear. The last cycle
#: is a slow quench: what hundreds of small changes of single values gain, a thousandth each, is lost in more heat.
CYCLES = (
    Cycle(2.5, 0.4, 22, loose=False, settled=False),
    Cycle(12.0, 0.4, 5, _MUTATIONS, loose=False, settled=False),
    Cycle(0.4, 0.06, 40),
    Cycle(0.03, 0.001, 9),
)

#: For patients that were cooled before: hot enough to leave a hollow, cool enough to keep what is there.
CYCLES_AGAIN = (Cycle(0.2, 0.04, 25), Cycle(0.03, 0.001, 8))


def _moves(records: IntArray, cycle: Cycle) -> Moves:
    """What may change: each field's smallest and largest value, and the ranks at which Table 1's quartiles lie."""
    limits = np.tile(np.array([0, 10**9], dtype=np.int64), (N_FIELDS, 1))
    anchors: list[tuple[int, int, int]] = []
    start = [0]
    for field in Field:
        known = np.sort(records[field][records[field] >= 0])
        if field in NUDGED:
            limits[field] = _UNPRINTED_RANGE.get(field, (known[0], known[-1]))
        if field in _WITH_QUARTILES:
            for quarter in (0.25, 0.5, 0.75):
                position = (len(known) - 1) * quarter
                ranks = sorted({int(np.floor(position)), int(np.ceil(position))})
                anchors += [(int(known[rank]), rank, rank) for rank in ranks]
        start.append(len(anchors))
    return moves_of(limits, np.array(anchors, dtype=np.int64), np.array(start, dtype=np.int64), cycle.only)


def fit(
    records: IntArray, course: Course, cycle: Cycle, seed: int, effort: float = 1.0, progress: Progress | None = None
) -> Fitted:
    """Anneal copies of ``records`` (fields, patients) and ``course`` once; ``effort`` scales the number of steps."""
    patients, outcomes = patients_of(records), outcomes_of(course)
    relapses = relapses_of(course, outcomes)
    moves = _moves(records, cycle)
    temperatures = np.geomspace(cycle.hot, cycle.cold, cycle.rounds + 1)
    steps = max(1, round(STEPS_A_ROUND * effort))
    members: Members = {}
    n_patients = records.shape[1]
    screen = _State.of([(r, 1.0) for r in wanted.univariate(PRIMARY_RESECTED)], n_patients)
    state = _State.of([], n_patients)
    for number in range(cycle.rounds):
        if not (members and cycle.settled):
            screen.refresh(patients, outcomes)
            z = _z_alone(screen.estimates)
            entered = _members(z)
            if entered != members:
                members = entered
                state = _State.of(_regressions(members, _carriers(members, z), cycle.loose), n_patients)
        state.refresh(patients, outcomes)
        hot, cold = temperatures[number : number + 2]
        anneal_predictors(seed + number, steps, hot, cold, patients, outcomes, relapses, state.problem, state.estimates, moves)
        if progress is not None:
            progress((number + 1) / cycle.rounds, str(state.result(patients.records, course, relapses)))
    state.refresh(patients, outcomes)
    return state.result(patients.records, course, relapses)


def fit_best(
    records: IntArray, course: Course, cycles: Sequence[Cycle], seed: int, chains: int, effort: float = 1.0,
    progress: Progress | None = None,
) -> Fitted:  # fmt: skip
    """All ``cycles`` with ``chains`` competing fits in each, every one in a process of its own.

    The answer does not depend on how many cores there are.
    """
    total = sum(cycle.rounds for cycle in cycles)
    done = 0
    fitted: Fitted | None = None
    with _pool(chains) as pool:
        for cycle in cycles:

            def told(share: float, text: str, done: int = done, rounds: int = cycle.rounds) -> None:
                if progress is not None:
                    progress((done + share * rounds) / total, text)

            seeds = np.random.SeedSequence((seed, done)).generate_state(chains) % 1_000_000_000
            start = (records, course) if fitted is None else (fitted.records, fitted.course)
            stop = partial(_stop_without, os.getpid())
            waiting = [pool.submit(fit, *start, cycle, int(s), effort, stop) for s in seeds[1:]] if pool else []
            found = [fit(*start, cycle, int(seeds[0]), effort, told), *(future.result() for future in waiting)]
            fitted = min(found, key=lambda one: (one.n_broken_rules, one.cost + one.told_cost))
            done += cycle.rounds
    assert fitted is not None  # noqa: S101 - there are cycles
    return fitted


@contextmanager
def _pool(chains: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes for all chains but the first, which runs here."""
    if chains == 1:
        yield None
        return
    with ProcessPoolExecutor(chains - 1, mp_context=get_context("spawn")) as pool:
        yield pool


def _stop_without(parent: int, done: float, text: str) -> None:
    """Told after every round in a chain's own process: ends it when the process that asked for it is gone."""
    if os.getppid() != parent:
        raise SystemExit(1)


@dataclass(frozen=True, eq=False)
class _State:
    """A problem with its running estimates."""

    problem: Problem
    estimates: Estimates

    @classmethod
    def of(cls, regressions: list[tuple[Regression, float]], n_patients: int) -> _State:
        problem = problem_of([r for r, _ in regressions], [w for _, w in regressions])
        return cls(problem, no_estimates(len(regressions), n_patients))

    def refresh(self, patients: Patients, outcomes: Outcomes) -> None:
        """Estimate everything anew: single steps leave small errors behind. Where nothing is known yet it takes more of them."""
        known = self.estimates.beta.any()
        evaluate_all(patients, outcomes, self.problem, self.estimates, 6 if known else 20)

    def result(self, records: IntArray, course: Course, relapses: Relapses) -> Fitted:
        p = self.problem
        model = np.repeat(np.arange(len(p.kind)), np.diff(p.start))
        place = np.arange(len(p.column)) - p.start[model]
        beta, error = self.estimates.beta[model, place], self.estimates.error[model, place]
        has_print = ~np.isnan(p.printed[:, 0])
        with np.errstate(over="ignore"):
            ours = np.exp(np.column_stack([beta, beta - Z_95 * error, beta + Z_95 * error]))[has_print]
        printed, half = p.printed[has_print], p.half[has_print, None]
        off = np.abs(ours - printed)
        return Fitted(
            records.copy(),
            course_after(course, relapses),
            float(self.estimates.cost.sum()),
            float(TOLD_WEIGHT * relapses.cost[0]),
            len(printed),
            int((off <= half + 1e-9).all(axis=1).sum()),
            int((off <= np.maximum(0.02, 0.03 * printed)).all(axis=1).sum()),
            n_broken(records),
        )


def _candidates(outcome: str) -> frozenset[int]:
    """Covariates that may enter the second stage in the primary-resected population.

    Those the text names and those that entered in all patients, without CEA: the printed intervals need more patients than
    have one. At 6 months only the nodes were associated.
    """
    if outcome == "relapse_6m":
        return frozenset(wanted.required(outcome))
    names = {tuple(name.split("|")) for name in wanted.entered(outcome)}
    overall = {COLUMN[(v, level)] for v, level in names if v not in ("primary_resected", "baseline_cea", "presurgery_cea")}
    return frozenset(overall) | frozenset(wanted.required(outcome))


def _with_factors(columns: set[int]) -> frozenset[int]:
    """A factor enters with all its levels."""
    factors = {COVARIATES[c][0] for c in columns} & set(wanted.FACTORS)
    return frozenset(columns | {c for c, (v, _) in enumerate(COVARIATES) if v in factors})


def _z_alone(alone: Estimates) -> FloatArray:
    """|z| (outcomes, covariates) of each covariate alone in the primary-resected population."""
    found = np.zeros((len(OUTCOMES), len(COVARIATES)))
    for m, regression in enumerate(wanted.univariate(PRIMARY_RESECTED)):
        size = len(regression.columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.nan_to_num(np.abs(alone.beta[m, :size]) / alone.error[m, :size], posinf=0.0)
        found[OUTCOMES.index(regression.outcome), list(regression.columns)] = z
    return found


def _members(z_alone: FloatArray) -> Members:
    """Who would enter the second stage of the primary-resected population, by ``_z_alone``."""
    members: Members = {}
    for outcome, z in zip(OUTCOMES, z_alone, strict=True):
        entered = {int(c) for c in np.flatnonzero(z >= z_of(0.10))} & _candidates(outcome)
        members[outcome] = _with_factors(entered | set(wanted.required(outcome)))
    return members


def _carriers(members: Members, z_alone: FloatArray) -> Members:
    """Of each factor that entered and need not have, the level that let it in: were that lost, the whole second stage would be
    another one.
    """
    carriers: Members = {}
    for outcome, z in zip(OUTCOMES, z_alone, strict=True):
        found = set()
        for factor in wanted.FACTORS:
            levels = [c for c in members[outcome] if COVARIATES[c][0] == factor]
            if levels and not set(levels) & set(wanted.required(outcome)):
                found.add(max(levels, key=lambda c: float(z[c])))
        carriers[outcome] = frozenset(found)
    return carriers


def _regressions(members: Members, carriers: Members, loose: bool) -> list[tuple[Regression, float]]:
    """All that is fitted: what is printed of all patients, and the two stages in the primary-resected.

    ``loose``: some slopes are sought within tolerance only.
    """
    found = [(r, 1.0) for r in wanted.univariate(OVERALL, loose)]
    for regression in wanted.univariate(PRIMARY_RESECTED):
        inside = members[regression.outcome]
        carried = carriers[regression.outcome]
        screened = tuple(_screened(t.column, regression.outcome, inside, carried) for t in regression.targets)
        found.append((Regression(regression.outcome, PRIMARY_RESECTED, screened), 1.0))
    # The wide ones last: a change that the others refuse is never asked of them.
    found += [(r, MULTIVARIABLE_WEIGHT) for r in wanted.multivariable(loose)]
    found += [(wanted.supplementary(o, tuple(sorted(members[o]))), SUPPLEMENTARY_WEIGHT) for o in OUTCOMES]
    return found


def _screened(column: int, outcome: str, inside: frozenset[int], carried: frozenset[int]) -> Target:
    """A covariate alone in the primary-resected population: P low enough to enter, or too high."""
    if column not in inside:
        return Target(column, z_high=z_of(wanted.STAYS_OUT_ABOVE))
    if COVARIATES[column][0] in wanted.FACTORS and column not in carried and column not in wanted.required(outcome):
        return Target(column)
    return Target(column, z_low=z_of(wanted.ENTERS_BELOW))
