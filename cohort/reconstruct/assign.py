"""Small tools that hand out counts and values to patients: which patients, given how many of each stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from cohort.reconstruct.published import Printed, printed
from cohort.reconstruct.tables import STRATUM_SIZES

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: The stratum of every patient: 0 = event by 6 months, 1 = after 6 and by 12 months, 2 = no event by 12 months.
STRATUM: IntArray = np.repeat(np.arange(3), STRATUM_SIZES)

#: Added to a score it puts a patient before all others, subtracted behind them.
FIRST = 1e6


def even(n: int) -> FloatArray:
    """``n`` probabilities spread evenly over (0, 1)."""
    return np.asarray((np.arange(n) + 0.5) / n, dtype=np.float64)


def normal_quantile(probability: FloatArray) -> FloatArray:
    """Quantiles of the standard normal distribution."""
    return np.array([NormalDist().inv_cdf(float(p)) for p in probability])


def even_chances(rng: np.random.Generator, groups: IntArray) -> FloatArray:
    """Random numbers in (0, 1) that every group gets spread evenly, so that no group is lucky."""
    chances = np.empty(len(groups))
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        chances[rows] = rng.permutation(even(len(rows)))
    return chances


def even_noise(rng: np.random.Generator, groups: IntArray) -> FloatArray:
    """``even_chances`` as standard normal noise."""
    return normal_quantile(even_chances(rng, groups))


def pick(counts: Sequence[int], score: FloatArray, among: BoolArray | None = None) -> BoolArray:
    """In every stratum the ``counts[stratum]`` patients with the highest score, of those ``among`` whom to look."""
    chosen = np.zeros(len(STRATUM), dtype=np.bool_)
    for stratum, wanted in enumerate(counts):
        rows = np.flatnonzero((stratum == STRATUM) & (among if among is not None else True))
        if wanted > len(rows):
            raise ValueError(f"{wanted} patients wanted of stratum {stratum}, which offers {len(rows)}")
        chosen[rows[np.argsort(-score[rows], kind="stable")[:wanted]]] = True
    return chosen


def pick_overall(wanted: int, score: FloatArray, among: BoolArray) -> BoolArray:
    """The ``wanted`` patients with the highest score whatever their stratum: where the paper prints no effect."""
    rows = np.flatnonzero(among)
    if wanted > len(rows):
        raise ValueError(f"{wanted} patients wanted, {len(rows)} on offer")
    chosen = np.zeros(len(STRATUM), dtype=np.bool_)
    chosen[rows[np.argsort(-score[rows], kind="stable")[:wanted]]] = True
    return chosen


def per_stratum(flags: BoolArray) -> tuple[int, int, int]:
    """How many flagged patients each stratum has."""
    first, second, third = np.bincount(STRATUM[flags], minlength=3)
    return int(first), int(second), int(third)


@dataclass(frozen=True)
class Split:
    """How many values lie at or above a threshold, by Table 1's count."""

    threshold: float
    n_above: int


@dataclass(frozen=True)
class Shape:
    """What Table 1 may leave open: the smallest and largest value, used where none is printed, and the decimals to keep."""

    low: float
    high: float
    decimals: int


def _anchors(n: int, quartiles: dict[float, Printed], shape: Shape, split: Split | None) -> dict[int, float]:
    """Rank -> value that the sorted values must pass through."""
    step = 10.0**-shape.decimals
    anchors = {0: shape.low, n - 1: shape.high}
    if split is not None:
        anchors |= {n - split.n_above - 1: split.threshold - step, n - split.n_above: split.threshold}
    for quantile, number in quartiles.items():
        position = (n - 1) * quantile
        for rank in {int(np.floor(position)), int(np.ceil(position))}:
            # The counts win over a quartile on the wrong side of the threshold (pre-treatment CEA: 57% below 10, median "17").
            on_right_side = split is None or (number.value >= split.threshold) == (rank >= n - split.n_above)
            if on_right_side:
                anchors.setdefault(rank, number.value)
    return anchors


def sorted_values(variable: str, when: str, n: int, shape: Shape, split: Split | None = None) -> FloatArray:
    """``n`` sorted values with Table 1's quartiles (type 7), range and count above the threshold; log-normal in between."""
    cells = {q: printed(variable, name, when) for q, name in ((0.25, "q1"), (0.5, "median"), (0.75, "q3"))}
    low, high = printed(variable, "min", when), printed(variable, "max", when)
    known = Shape(low.value if low else shape.low, high.value if high else shape.high, shape.decimals)
    anchors = _anchors(n, {q: cell for q, cell in cells.items() if cell is not None}, known, split)
    ranks = np.array(sorted(anchors))
    heights = np.log([anchors[int(rank)] for rank in ranks])
    normal_score = normal_quantile(even(n))
    values = np.exp(np.interp(normal_score, normal_score[ranks], heights))
    values[ranks] = [anchors[int(rank)] for rank in ranks]
    rounded = np.round(values, shape.decimals)
    if split is not None:  # rounding must not lift a value over the threshold
        below = n - split.n_above
        rounded[:below] = np.minimum(rounded[:below], round(split.threshold - 10.0**-shape.decimals, shape.decimals))
    return np.asarray(rounded, dtype=np.float64)


def hand_out(values: FloatArray, rows: IntArray, score: FloatArray, to: FloatArray) -> None:
    """Write sorted ``values`` into ``to[rows]``, the largest value to the highest score."""
    to[rows[np.argsort(score[rows], kind="stable")]] = np.sort(values)


def hand_out_split(values: FloatArray, above: BoolArray, known: BoolArray, score: FloatArray) -> FloatArray:
    """Values for the ``known`` patients, the largest ones for those flagged ``above`` the threshold; NaN for the others."""
    result = np.full(len(STRATUM), np.nan)
    ordered, n_above = np.sort(values), int((above & known).sum())
    cut = len(ordered) - n_above
    hand_out(ordered[cut:], np.flatnonzero(above & known), score, result)
    hand_out(ordered[:cut], np.flatnonzero(~above & known), score, result)
    return result


def hand_out_below(values: FloatArray, ceiling: FloatArray, score: FloatArray) -> FloatArray:
    """One value a patient, none above the patient's ``ceiling``; larger values go to higher scores where the ceilings allow.

    From the largest value down, each goes to the best scored patient whose ceiling still holds it. The groups of
    eligible patients are nested, so that this finds an assignment wherever one exists.
    """
    result = np.full(len(ceiling), np.nan)
    for value in np.sort(values)[::-1]:
        eligible = np.flatnonzero(np.isnan(result) & (ceiling >= value))
        if not len(eligible):
            raise ValueError(f"no patient is left whose ceiling holds {value:g}")
        result[eligible[np.argmax(score[eligible])]] = value
    return result
