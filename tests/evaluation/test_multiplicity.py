"""Holm and Benjamini-Hochberg, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.multiplicity import adjust

NAN = float("nan")


def test_holm_multiplies_the_smallest_by_all_the_next_by_one_less_and_never_falls() -> None:
    # Sorted 0.01 0.02 0.03 0.04: 4 x 0.01, 3 x 0.02, then 2 x 0.03 and 1 x 0.04 which is raised to 0.06.
    holm, _ = adjust(np.array([0.04, 0.01, 0.03, 0.02]))

    assert holm == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_benjamini_hochberg_multiplies_by_all_over_the_rank_and_never_rises_back() -> None:
    # Sorted 0.01 0.02 0.03 0.5: 4/1, 4/2, 4/3 and 4/4 times; the first two come down to the third's 0.04.
    _, discovery = adjust(np.array([0.5, 0.01, 0.03, 0.02]))

    assert discovery == pytest.approx([0.5, 0.04, 0.04, 0.04])


def test_nothing_exceeds_1() -> None:
    holm, discovery = adjust(np.array([0.9, 0.6, 0.8]))

    assert holm.tolist() == [1, 1, 1]
    assert discovery == pytest.approx([0.9, 0.9, 0.9])


def test_a_missing_p_value_stays_missing_and_does_not_count() -> None:
    holm, discovery = adjust(np.array([NAN, 0.01, NAN, 0.04]))

    assert holm == pytest.approx([NAN, 0.02, NAN, 0.04], nan_ok=True)
    assert discovery == pytest.approx([NAN, 0.02, NAN, 0.04], nan_ok=True)


def test_one_p_value_is_left_as_it_is() -> None:
    assert [a.tolist() for a in adjust(np.array([0.03]))] == [[0.03], [0.03]]


@pytest.mark.parametrize("p", [[], [NAN, NAN]], ids=["none", "all missing"])
def test_with_nothing_to_adjust_nothing_comes_out(p: list[float]) -> None:
    holm, discovery = adjust(np.array(p, dtype=float))

    assert holm == pytest.approx(p, nan_ok=True)
    assert discovery == pytest.approx(p, nan_ok=True)


def test_equal_p_values_are_adjusted_equally_and_discovery_is_never_above_family() -> None:
    p = np.random.default_rng(0).random(50).round(1)
    holm, discovery = adjust(p)

    for value in np.unique(p):
        assert np.ptp(holm[p == value]) == 0
        assert np.ptp(discovery[p == value]) == pytest.approx(0)
    assert ((p <= discovery) & (discovery <= holm + 1e-12)).all()
