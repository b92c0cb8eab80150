"""What counts as reproduced, and what as exact to the printed digit."""

from __future__ import annotations

import pytest

from evaluation.tolerance import exact, half_unit, near


@pytest.mark.parametrize(
    ("printed", "ours", "accepted"),
    [
        (0.50, 0.52, True),
        (0.50, 0.4799, False),
        (0.50, 0.521, False),
        (0.6667, 0.6867, True),  # 3 % is 0.020001: the two rules meet at two thirds
        (10.0, 10.3, True),
        (10.0, 9.7, True),
        (10.0, 10.301, False),
        (-10.0, -10.3, True),
        (0.0, 0.02, True),
        (1.0, float("nan"), False),
        (1.0, float("inf"), False),
    ],
)
def test_near_is_within_002_or_3_percent_of_print(printed: float, ours: float, accepted: bool) -> None:
    assert bool(near(printed, ours)) is accepted


def test_the_share_is_taken_of_print_not_of_ours() -> None:
    # 3 % of 97.05 would not reach 100, 3 % of 100 does.
    assert near(100.0, 97.05)
    assert not near(97.05, 100.0)


def test_near_of_vectors_is_asked_one_by_one() -> None:
    assert near([1.0, 10.0, 0.1], [1.03, 10.4, 0.12]).tolist() == [True, False, True]


@pytest.mark.parametrize(("text", "half"), [("17", 0.5), ("17.0", 0.05), ("0.03", 0.005), ("0.0001", 0.00005)])
def test_a_number_stands_for_half_a_unit_of_its_last_digit(text: str, half: float) -> None:
    assert half_unit(text) == pytest.approx(half, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "ours", "accepted"),
    [
        ("0.87", 0.865, True),
        ("0.87", 0.875, True),
        ("0.87", 0.86499, False),
        ("0.87", 0.87501, False),
        ("96", 96.0, True),
        ("96", 96.51, False),
        ("0.87", float("nan"), False),
    ],
)
def test_exact_takes_both_ways_of_rounding_a_half_and_nothing_beyond(text: str, ours: float, accepted: bool) -> None:
    assert exact(text, ours) is accepted


def test_a_bare_number_can_be_read_with_the_decimals_of_its_neighbours() -> None:
    assert exact("1", 1.3)
    assert not exact("1", 1.3, half=0.005)
