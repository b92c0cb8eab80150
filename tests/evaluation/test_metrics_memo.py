"""What is computed once is computed anew where anything differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cohort.types import FloatArray, Outcome
from evaluation.metrics import memo
from evaluation.metrics.memo import last_results_kept
from evaluation.predictions import HorizonPredictions

AT = HorizonPredictions(
    12.0, 30.0, Outcome(np.array([2.0, 20.0]), np.array([True, False])), np.full((2, 1), 0.5), np.zeros((2, 1), np.int16)
)


class _Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, predictions: HorizonPredictions, weights: FloatArray) -> float:
        self.calls += 1
        return float(weights.sum() + predictions.risk.sum())


def test_the_same_predictions_and_weights_of_the_same_values_are_computed_once() -> None:
    counted = _Counted()
    kept = last_results_kept(counted)
    ones, twos = np.ones((1, 2)), np.full((3, 2), 2.0)

    assert [kept(AT, w) for w in (ones, twos, ones, twos.copy(), ones.copy())] == [3, 13, 3, 13, 3]
    assert counted.calls == 2


def test_weights_that_were_changed_in_place_are_new() -> None:
    counted = _Counted()
    kept = last_results_kept(counted)
    weights = np.ones((1, 2))

    first = kept(AT, weights)
    weights[0, 0] = 5.0

    assert (first, kept(AT, weights)) == (3.0, 7.0)


def test_other_predictions_are_new_even_with_the_same_values() -> None:
    counted = _Counted()
    kept = last_results_kept(counted)
    weights = np.ones((1, 2))

    kept(AT, weights)
    kept(replace(AT), weights)

    assert counted.calls == 2


def test_results_of_large_weights_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "_LARGEST_BYTES", 8)
    counted = _Counted()
    kept = last_results_kept(counted)

    assert [kept(AT, np.ones((1, 2))) for _ in range(2)] == [3, 3]
    assert counted.calls == 2
