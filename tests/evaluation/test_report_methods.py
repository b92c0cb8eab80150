"""The protocol in words, its numbers from the settings."""

from __future__ import annotations

from evaluation.report_methods import methods

from .report_cases import SETTINGS


def test_methods_take_their_numbers_from_the_settings() -> None:
    text = methods(SETTINGS)

    for piece in ("5-fold cross-validation repeated 2 times", "4 settings in 3 inner folds", "500 resamples", "seed 7"):
        assert piece in text


def test_methods_say_how_net_benefit_meets_censoring_and_for_what_its_intervals_hold() -> None:
    text = methods(SETTINGS)

    assert "a threshold from 5% to 60%, averaged over repeats, with Kaplan-Meier among those treated" in text
    assert "one threshold at a time" in text


def test_methods_pass_over_settings_that_are_absent() -> None:
    assert "internal validation" in methods({})
