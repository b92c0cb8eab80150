"""What the optimiser is to reach: every regression of the paper, with the numbers printed of each of its terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy.stats import norm

from cohort.reconstruct.covariates import COLUMN, COVARIATES
from cohort.reconstruct.published import EVENTS, Printed, effects, supplementary_effects

OUTCOMES = ("relapse_6m", "relapse_12m", "dfs", "os")
OVERALL, PRIMARY_RESECTED = "overall", "primary_resected"

#: A factor of several levels enters one regression whole.
FACTORS = ("ras_braf", "biologic_agent")

#: P values at which a covariate enters the second stage (0.10 read at two decimals), kept at a small distance.
ENTERS_BELOW, STAYS_OUT_ABOVE = 0.0985, 0.1065

#: Rows of which only the side of P is sought: with two levels and some 209 and 120 events no interval is as narrow as theirs.
ONLY_P = frozenset(
    {
        ("dfs", "univariate", "presurgery_lesions", ">=4"),
        ("os", "univariate", "baseline_cea", ">=10"),
        ("os", "univariate", "presurgery_cea", ">=10"),
    }
)


#: Slopes that are sought within the tolerance of a reproduction and not to the last digit, for they contradict others. Vanished
#: lesions and those before surgery add up to those at baseline: no patients give all three the printed slopes. Intervals of CEA
#: "1.00 to 1.01" ask for so little spread that the logistic ones, "1.00 to 1.00", would be wider.
WITHIN_TOLERANCE = frozenset(
    {(outcome, variable) for outcome in OUTCOMES for variable in ("vanished_lesions", "presurgery_lesions")}
    | {("dfs", "baseline_cea"), ("os", "baseline_cea")}
)


@dataclass(frozen=True)
class Target:
    """One term: the ratio and bounds printed (None: no number is), and the absolute z values between which it must lie.

    ``loose``: within the tolerance of a reproduction is near enough.
    """

    column: int
    printed: tuple[Printed, Printed, Printed] | None = None
    z_low: float = 0.0
    z_high: float = float("inf")
    loose: bool = False


@dataclass(frozen=True)
class Regression:
    """One regression: ``outcome`` of OUTCOMES in a population on ``targets``' columns."""

    outcome: str
    population: str
    targets: tuple[Target, ...] = field(default_factory=tuple)

    @property
    def columns(self) -> tuple[int, ...]:
        return tuple(target.column for target in self.targets)


def z_of(p_value: float) -> float:
    """The absolute z of a two-sided P."""
    return float(norm.isf(p_value / 2))


@cache
def _rows() -> dict[tuple[str, str, str, str], tuple[tuple[Printed, Printed, Printed], str, bool]]:
    """(outcome, analysis, variable, level) -> printed numbers, P as printed, and whether the row contradicts itself."""
    return {
        (str(r.outcome), str(r.analysis), str(r.variable), str(r.level)): (
            (Printed(str(r.estimate)), Printed(str(r.ci_low)), Printed(str(r.ci_high))),
            str(r.p_value),
            bool(r.inconsistency),
        )
        for r in effects().itertuples()
    }


def entered(outcome: str) -> frozenset[str]:
    """Names ``variable|level`` of the terms that Tables 2 and 3 have in the multivariable model of ``outcome``."""
    return frozenset(f"{v}|{level}" for (o, a, v, level) in _rows() if (o, a) == (outcome, "multivariable"))


def _sides(p_text: str) -> tuple[float, float]:
    """Bounds of |z| that keep P on its printed side of 0.05 and 0.10; a P printed as the level itself may lie on either side."""
    p = float(p_text.lstrip("<"))
    low, high = 0.0, float("inf")
    for level in (0.05, 0.10):
        if p < level:
            low = max(low, z_of(level) + 0.005)
        elif p > level:
            high = min(high, z_of(level) - 0.005)
    return low, high


def _univariate_target(outcome: str, column: int, loose: bool) -> Target:
    variable, level = COVARIATES[column]
    key = (outcome, "univariate", variable, level)
    if key not in _rows():
        return Target(column)
    printed, p_text, contradicted = _rows()[key]
    low, high = (0.0, float("inf")) if contradicted else _sides(p_text)
    names = entered(outcome)
    inside = {name.partition("|")[0] for name in names}
    if variable in FACTORS and variable in inside and low < z_of(ENTERS_BELOW):
        pass  # a factor enters by any of its levels, and each keeps its printed side
    elif f"{variable}|{level}" in names:
        low = max(low, z_of(ENTERS_BELOW))
        if high < low:  # P is printed as 0.102, and the covariate entered
            low = z_of(0.1045)
    else:
        high = min(high, z_of(STAYS_OUT_ABOVE))
    loosely = loose and (outcome, variable) in WITHIN_TOLERANCE and not level
    return Target(column, None if contradicted or key[:4] in ONLY_P else printed, low, high, loosely)


def _groups() -> Iterator[tuple[int, ...]]:
    """Columns that are fitted together when alone: a factor's levels, else each by itself."""
    seen: set[str] = set()
    for column, (variable, _) in enumerate(COVARIATES):
        if variable not in FACTORS:
            yield (column,)
        elif variable not in seen:
            seen.add(variable)
            yield tuple(c for c, (v, _) in enumerate(COVARIATES) if v == variable)


def univariate(population: str, loose: bool = True) -> list[Regression]:
    """Every covariate alone, at every outcome. Of the primary-resected population nothing is printed.

    ``loose``: the slopes ``WITHIN_TOLERANCE`` are sought no nearer.
    """
    found: list[Regression] = []
    for outcome in OUTCOMES:
        for group in _groups():
            variable = COVARIATES[group[0]][0]
            if population == OVERALL and variable in ("pt_stage", "pn_stage"):
                continue
            if population == PRIMARY_RESECTED and variable == "primary_resected":
                continue
            if population == OVERALL and outcome in EVENTS and COVARIATES[group[0]][1]:
                continue  # the 2x2 tables never change
            targets = tuple(_univariate_target(outcome, c, loose) if population == OVERALL else Target(c) for c in group)
            found.append(Regression(outcome, population, targets))
    return found


def multivariable(loose: bool = True) -> list[Regression]:
    """The second stages of Tables 2 and 3; ``loose`` as in ``univariate``."""
    found = []
    for outcome in OUTCOMES:
        targets = []
        for (o, analysis, variable, level), (printed, p_text, contradicted) in _rows().items():
            if (o, analysis) != (outcome, "multivariable"):
                continue
            low, high = _sides(p_text)
            loosely = loose and (outcome, variable) in WITHIN_TOLERANCE and not level
            targets.append(Target(COLUMN[(variable, level)], None if contradicted else printed, low, high, loosely))
        found.append(Regression(outcome, OVERALL, tuple(targets)))
    return found


def supplementary(outcome: str, columns: tuple[int, ...]) -> Regression:
    """The second stage in the primary-resected population on ``columns``: what the text prints of Tables S1 and S2.

    A term of which nothing is printed was not significant.
    """
    printed = {COLUMN[key[1:]]: numbers for key, numbers in supplementary_effects().items() if key[0] == outcome}
    significant = z_of(0.05)
    return Regression(
        outcome,
        PRIMARY_RESECTED,
        tuple(
            Target(c, printed[c], significant + 0.02) if c in printed else Target(c, None, 0.0, significant - 0.03)
            for c in columns
        ),
    )


def required(outcome: str) -> tuple[int, ...]:
    """Columns that the text reports from the second stage of the primary-resected population."""
    return tuple(COLUMN[key[1:]] for key in supplementary_effects() if key[0] == outcome)


def numbers(target: Target) -> tuple[np.ndarray, np.ndarray] | None:
    """(3,) printed ratio and bounds and (3,) half a unit of their last digits; a whole "1" is read as 1.00."""
    if target.printed is None:
        return None
    decimals = max(n.decimals for n in target.printed)
    half = 0.5 * 10.0**-decimals
    return np.array([n.value for n in target.printed]), np.full(3, half)
