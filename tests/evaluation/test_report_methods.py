"""The protocol in words, its numbers from the settings."""

from __future__ import annotations

from typing import get_args

import pytest

from evaluation.metrics.registry import METRICS
from evaluation.report_methods import HOW_TO_READ, MISSING_HANDLING, methods
from models.missing import MissingMethod

from .report_cases import SETTINGS


def test_methods_take_their_numbers_from_the_settings() -> None:
    text = methods(SETTINGS)

    for piece in ("5-fold cross-validation repeated 2 times", "4 settings in 3 inner folds", "500 resamples", "seed 7"):
        assert piece in text


def test_methods_say_how_net_benefit_meets_censoring_and_for_what_its_intervals_hold() -> None:
    text = methods(SETTINGS)

    assert "a threshold from 5% to 60%, averaged over repeats, with Kaplan-Meier among those treated" in text
    assert "one threshold at a time" in text


@pytest.mark.parametrize("missing", get_args(MissingMethod))
def test_methods_say_what_is_done_about_missing_values(missing: str) -> None:
    assert MISSING_HANDLING[missing] in methods({"missing": missing})
    assert len(MISSING_HANDLING) == len(get_args(MissingMethod))


def test_methods_pass_over_settings_that_are_absent() -> None:
    assert "internal validation" in methods({})


def test_every_metric_is_explained() -> None:
    explained = {word.strip().lower() for term, _ in HOW_TO_READ for word in term.split(",")}

    assert {metric.label.split(" at ")[0].lower() for metric in METRICS.values()} <= explained


def test_methods_say_whose_intervals_rest_on_fewer_resamples() -> None:
    (most,) = {metric.most_resamples for metric in METRICS.values() if metric.most_resamples}

    assert "ICI, E50 and E90 rest on a weighted logistic regression" in methods({})
    assert f"their intervals on the first {most} resamples at most" in methods({})
