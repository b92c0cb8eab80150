"""The liver at baseline and before surgery: lesions, lobes, segments, diameters, vessels, response.

The 2x2 tables of Table 2 fix every yes/no question per stratum; Table 1 fixes the quartiles. The rest is kept possible:
what vanished plus what is left is what was there, disease before surgery lies inside the disease at baseline, one lobe holds at
most four segments, one lesion cannot lie in two lobes.
"""

from __future__ import annotations

import numpy as np

from cohort.reconstruct.assign import (
    FIRST,
    STRATUM,
    BoolArray,
    FloatArray,
    IntArray,
    Shape,
    even_chances,
    even_noise,
    hand_out_below,
    per_stratum,
    pick,
    sorted_values,
)
from cohort.reconstruct.clinical import Columns, words
from cohort.reconstruct.published import N_PATIENTS
from cohort.reconstruct.tables import stratum_counts

N = N_PATIENTS

#: (lesions at baseline, lesions before surgery): patients. A joint table with both rows of Table 1's quartiles, by hand: both
#: lesion counts below 4, of which the first part lost none; from 4 down to below 4.
FEW_NONE_VANISHED = {(1, 1): 24, (2, 2): 14, (3, 3): 10}
FEW_SOME_VANISHED = {(2, 1): 36, (3, 1): 6, (3, 2): 44}
_FEW_LOST = sum(FEW_SOME_VANISHED.values())
MANY_TO_FEW = {(4, 3): 9, (4, 2): 4, (5, 3): 4, (5, 2): 2, (6, 3): 2, (7, 3): 1, (9, 2): 1}
#: Lesions before surgery where 4 or more were left, none or some having vanished; and how many had vanished.
MANY_NONE_VANISHED = {4: 13, 5: 7, 6: 6, 7: 4, 8: 3, 9: 2, 11: 1, 13: 1, 16: 1, 22: 1}
MANY_SOME_VANISHED = {
    (5, 4): 16, (6, 4): 8, (7, 4): 3, (9, 4): 1,
    (6, 5): 6, (7, 5): 4, (8, 5): 2, (10, 5): 1,
    (7, 6): 5, (8, 6): 3, (9, 6): 2,
    (9, 7): 3, (10, 7): 2, (12, 8): 2, (10, 8): 2, (11, 9): 1, (13, 10): 2, (16, 12): 1,
    (15, 13): 1, (18, 14): 1, (20, 15): 1, (24, 19): 1, (28, 20): 1, (35, 26): 1, (42, 30): 1, (64, 41): 1,
}  # fmt: skip


def _pairs(table: dict[tuple[int, int], int]) -> IntArray:
    """(patients, 2) lesions at baseline and before surgery, fewest first."""
    rows = [pair for pair, patients in table.items() for _ in range(patients)]
    return np.array(sorted(rows), dtype=np.int64)


def _shares(wanted: FloatArray, total: int) -> IntArray:
    """Whole numbers near ``wanted`` that add up to ``total``: the largest remainders are rounded up."""
    whole = np.floor(wanted).astype(np.int64)
    short = total - int(whole.sum())
    whole[np.argsort(whole - wanted, kind="stable")[:short]] += 1
    return whole


def _lesions(rng: np.random.Generator, burden: FloatArray, response: BoolArray) -> tuple[IntArray, IntArray]:
    """Lesions at baseline and before surgery. Many before surgery implies many at baseline."""
    many = pick(stratum_counts("baseline_lesions")[">=4"], burden + 0.5 * rng.normal(size=N))
    still_many = pick(stratum_counts("presurgery_lesions")[">=4"], burden + 0.5 * rng.normal(size=N) - 0.4 * response, many)
    fell = many & ~still_many
    # Below 4 after 4 or more: some vanished for certain. The others share the rest in proportion to their numbers.
    wanted = np.array(stratum_counts("vanished_lesions")["yes"]) - per_stratum(fell)
    among_few = _shares(wanted * per_stratum(~many) / (np.array(per_stratum(~many)) + per_stratum(still_many)), _FEW_LOST)
    leaning = rng.normal(size=N) + 0.8 * response
    lost_few = pick([int(k) for k in among_few], leaning, ~many)
    lost_many = pick([int(k) for k in wanted - among_few], leaning, still_many)
    result = np.zeros((N, 2), dtype=np.int64)
    # Larger numbers go a little more often to the early strata, as the odds ratios per lesion say.
    tilt = np.array([0.25, 0.15, -0.15])[STRATUM]
    for group, table in (
        (~many & ~lost_few, FEW_NONE_VANISHED),
        (~many & lost_few, FEW_SOME_VANISHED),
        (fell, MANY_TO_FEW),
        (still_many & ~lost_many, {(k, k): n for k, n in MANY_NONE_VANISHED.items()}),
        (still_many & lost_many, MANY_SOME_VANISHED),
    ):
        rows = np.flatnonzero(group)
        order = even_noise(rng, STRATUM[rows]) + tilt[rows]
        result[rows[np.argsort(order, kind="stable")]] = _pairs(table)
    return result[:, 0], result[:, 1]


def _lobes(rng: np.random.Generator, lesions: IntArray, left: IntArray) -> tuple[BoolArray, BoolArray]:
    """One lobe (True) at baseline and before surgery. One lesion means one lobe; one lobe stays one lobe."""
    baseline, later = stratum_counts("baseline_lobes")["unilobar"], stratum_counts("presurgery_lobes")["unilobar"]
    # Before surgery every single lesion must count as one lobe, so most of these patients had one lobe to begin with.
    reduced_to_one = (left == 1) & (lesions > 1)
    room = np.minimum(np.array(later) - baseline, per_stratum(reduced_to_one))
    free = pick([int(r) // 2 for r in room], rng.normal(size=N), reduced_to_one)
    noise = rng.normal(size=N)
    one = pick(baseline, FIRST * ((left == 1) & ~free) + noise - 1.2 * np.log(lesions))
    still = rng.normal(size=N) - 1.0 * np.log(left)
    return one, pick(later, 2 * FIRST * one + FIRST * (left == 1) + still)


def _segments(
    rng: np.random.Generator, many: BoolArray, ceiling: IntArray, lesions: IntArray, one_lobe: BoolArray, tilt: FloatArray
) -> IntArray:
    """Segments involved, at most ``ceiling``: 4 or more where ``many``, about as many as there are lesions otherwise."""
    expected = 2.6 + 0.9 * np.log(lesions) + 0.7 * even_noise(rng, STRATUM) + tilt
    above = np.clip(np.round(expected), 4, np.where(one_lobe, 4, ceiling))
    least = np.where(one_lobe, 1, 2)
    below = np.clip(np.round(expected - 1.2), least, np.maximum(least, np.minimum(3, np.minimum(ceiling, lesions))))
    return np.where(many, above, below).astype(np.int64)


def _segments_twice(
    rng: np.random.Generator, lesions: IntArray, left: IntArray, one: BoolArray, one_later: BoolArray
) -> tuple[IntArray, IntArray]:
    """Segments at baseline and before surgery, never more later than at first."""
    score = np.log(lesions) * 1.5 - 1.5 * one - FIRST * (lesions == 1) + 0.7 * rng.normal(size=N)
    many = pick(stratum_counts("baseline_segments")[">=4"], score)
    score_later = np.log(left) * 1.5 - 1.5 * one_later - FIRST * (left == 1) + 0.7 * rng.normal(size=N)
    many_later = pick(stratum_counts("presurgery_segments")[">=4"], score_later, many)
    tilt = np.array([0.0, 0.2, 0.0])[STRATUM]
    first = _segments(rng, many, np.full(N, 8), lesions, one, tilt)
    return first, _segments(rng, many_later, first, left, one_later, -0.2 - tilt)


def _diameters(
    rng: np.random.Generator, lesions: IntArray, segments: IntArray, response: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Largest diameters. Few lesions over many segments are large ones; later none has grown, responders' shrank most."""
    spread = np.maximum(segments - lesions, 0)
    values = sorted_values("max_diameter", "baseline", N, Shape(6, 205, 0))
    first = hand_out_below(values, np.full(N, np.inf), even_noise(rng, STRATUM) + 0.8 * spread)
    later = sorted_values("max_diameter", "pre_surgery", N, Shape(3, 150, 0))
    shrinkage = np.where(response, 0.5, 0.85) * np.exp(0.25 * even_noise(rng, STRATUM))
    trend = np.array([1.08, 1.05, 0.93])[STRATUM]
    return first, hand_out_below(later, first, first * shrinkage * trend)


def _vessel_contacts(
    rng: np.random.Generator, lesions: IntArray, left: IntArray, diameter: FloatArray, new_mri: BoolArray
) -> tuple[IntArray, IntArray]:
    """Lesions in contact with major vessels, never more than there are lesions.

    Table 1's McNemar test (170 against 158, P 0.04) means that about 20 patients lost their contacts and 8 gained one: an
    MRI done before surgery only shows contacts that computed tomography had not.
    """
    baseline, later = stratum_counts("baseline_vessel_contacts")["yes"], stratum_counts("presurgery_vessel_contacts")["yes"]
    score = rng.normal(size=N) + 0.5 * np.log(diameter) + 0.3 * np.log(lesions)
    touching = pick(baseline, score)
    gained = pick((3, 2, 3), rng.normal(size=N) + FIRST * new_mri, ~touching)
    kept = pick([k - g for k, g in zip(later, per_stratum(gained), strict=True)], score + rng.normal(size=N), touching)
    further = 0.8 + 0.35 * np.log(lesions) + np.array([0.0, 0.2, 0.0])[STRATUM]
    more = np.floor(np.log(even_chances(rng, STRATUM)) / np.log(further / (1 + further)))  # geometric with the mean ``further``
    first = np.where(touching, np.clip(1 + more.astype(np.int64), 1, np.minimum(lesions, 8)), 0)
    fewer = np.clip(first - (rng.random(N) < 0.3), 1, None)
    return first, np.where(kept, np.minimum(fewer, left), np.where(gained, 1, 0))


def imaging_columns(rng: np.random.Generator, columns: Columns) -> Columns:
    """Images at baseline and before surgery, and the response between them, in the order of ``STRATUM``."""
    burden = rng.normal(size=N)
    response = pick(stratum_counts("objective_response")["yes"], rng.normal(size=N))
    lesions, left = _lesions(rng, burden, response)
    one, one_later = _lobes(rng, lesions, left)
    segments, segments_later = _segments_twice(rng, lesions, left, one, one_later)
    diameter, diameter_later = _diameters(rng, lesions, segments, response)
    new_mri = np.asarray((columns["presurgery_mri"] == "yes") & (columns["baseline_mri"] == "no"))
    contacts, contacts_later = _vessel_contacts(rng, lesions, left, diameter, new_mri)
    return {
        "baseline_lobes": words(one, "unilobar", "bilobar"),
        "baseline_segments": segments,
        "baseline_lesions": lesions,
        "baseline_max_diameter": diameter.astype(np.int64),
        "baseline_vessel_contacts": contacts,
        "objective_response": words(response),
        "presurgery_lobes": words(one_later, "unilobar", "bilobar"),
        "presurgery_segments": segments_later,
        "presurgery_lesions": left,
        "presurgery_max_diameter": diameter_later.astype(np.int64),
        "presurgery_vessel_contacts": contacts_later,
        "vanished_lesions": lesions - left,
    }
