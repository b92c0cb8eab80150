"""Splits: disjoint, complete, stratified, the same for the same seed, and refused where there are too few patients."""

from __future__ import annotations

import numpy as np
import pytest

from cohort.errors import CohortError
from cohort.types import Outcome
from evaluation.resampling import Split, repeated_stratified_splits, strata

HORIZONS = (6.0, 12.0)


def _outcome(n: int = 100, n_early: int = 10, seed: int = 0) -> Outcome:
    rng = np.random.default_rng(seed)
    time = np.concatenate([rng.uniform(1, 6, n_early), rng.uniform(6.1, 40, n - n_early)])
    event = np.concatenate([np.ones(n_early, dtype=bool), rng.random(n - n_early) < 0.7])
    order = rng.permutation(n)
    return Outcome(time[order], event[order])


def test_every_repeat_tests_every_patient_once_and_trains_on_all_others() -> None:
    splits = repeated_stratified_splits(_outcome(), HORIZONS, 5, 3, seed=0)

    assert [(s.repeat, s.fold) for s in splits] == [(r, f) for r in range(3) for f in range(5)]
    for repeat in range(3):
        tested = np.concatenate([s.test for s in splits if s.repeat == repeat])
        assert sorted(tested) == list(range(100))
    for split in splits:
        assert sorted([*split.train, *split.test]) == list(range(100))


def test_repeats_divide_the_patients_differently() -> None:
    splits = repeated_stratified_splits(_outcome(), HORIZONS, 5, 2, seed=0)

    assert set(splits[0].test) != set(splits[5].test)


def test_the_seed_decides_the_splits() -> None:
    first, again, other = (repeated_stratified_splits(_outcome(), HORIZONS, 5, 2, seed) for seed in (1, 1, 2))

    assert all(np.array_equal(a.test, b.test) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("n_early", [5, 7, 10, 33])
def test_every_fold_holds_its_share_of_early_events(n_early: int) -> None:
    outcome = _outcome(n_early=n_early)
    early = outcome.status_at(6.0) == 1

    held = [int(early[s.test].sum()) for s in repeated_stratified_splits(outcome, HORIZONS, 5, 4, seed=0)]

    assert min(held) >= 1
    assert max(held) - min(held) <= 1


def test_strata_are_events_by_each_horizon_later_events_and_the_censored() -> None:
    outcome = Outcome(np.array([5.0, 6.0, 6.1, 12.0, 13.0, 3.0, 20.0]), np.array([1, 1, 1, 1, 1, 0, 0], dtype=bool))

    assert strata(outcome, HORIZONS, smallest=1).tolist() == [0, 0, 1, 1, 2, 3, 3]


def test_the_order_of_horizons_does_not_matter() -> None:
    np.testing.assert_array_equal(strata(_outcome(), (12.0, 6.0), 5), strata(_outcome(), HORIZONS, 5))


def test_a_group_too_small_for_every_fold_joins_the_next_and_the_last_the_one_before() -> None:
    time = np.array([1.0] * 2 + [9.0] * 6 + [20.0] * 6 + [30.0] * 3)
    event = np.array([True] * 14 + [False] * 3)

    assert strata(Outcome(time, event), HORIZONS, smallest=5).tolist() == [1] * 8 + [2] * 9


def test_small_groups_join_until_all_are_large_enough_or_one_is_left() -> None:
    outcome = Outcome(np.array([1.0, 9.0, 20.0, 30.0]), np.array([True, True, True, False]))

    assert len(set(strata(outcome, HORIZONS, smallest=5))) == 1


def test_two_early_events_in_five_folds_raise_no_warning() -> None:
    # scikit-learn warns where a group is smaller than the number of folds; warnings are errors here.
    assert len(repeated_stratified_splits(_outcome(n_early=2), HORIZONS, 5, 1, seed=0)) == 5


def test_too_few_patients_are_refused_with_their_number() -> None:
    with pytest.raises(CohortError, match="9 patients are too few for 5 folds"):
        repeated_stratified_splits(_outcome(9, 3), HORIZONS, 5, 1, seed=0)
    assert len(repeated_stratified_splits(_outcome(10, 3), HORIZONS, 5, 1, seed=0)) == 5


@pytest.mark.parametrize(
    ("train", "test", "rule"),
    [([0, 1], [1, 2], "overlap"), ([], [1], "has training and test"), ([1], [], "has training and test")],
)
def test_a_split_refuses_to_overlap_or_be_empty(train: list[int], test: list[int], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Split(0, 0, np.array(train, dtype=np.intp), np.array(test, dtype=np.intp))
