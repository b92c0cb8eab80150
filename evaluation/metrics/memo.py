"""What several metrics of one cell need is computed once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from cohort.types import FloatArray
from evaluation.predictions import HorizonPredictions

Result = TypeVar("Result")

#: As many results as a cell asks for in turn: of the patients themselves, of their resamples, and of the first of these.
_KEPT = 3
#: Larger weights are not kept: what is computed of them is computed anew.
_LARGEST_BYTES = 16_000_000


def last_results_kept(
    compute: Callable[[HorizonPredictions, FloatArray], Result],
) -> Callable[[HorizonPredictions, FloatArray], Result]:
    """``compute``, whose last results are given again to the same predictions and weights of the same values.

    Weights are compared with a copy of those seen, so an array that was changed in place is a new one. A result is the same
    object each time: nobody may change it.
    """
    kept: tuple[tuple[weakref.ref[HorizonPredictions], FloatArray, Result], ...] = ()

    def computed_once(predictions: HorizonPredictions, weights: FloatArray) -> Result:
        nonlocal kept
        for seen, seen_weights, result in kept:
            if seen() is predictions and np.array_equal(seen_weights, weights):
                return result
        result = compute(predictions, weights)
        if weights.nbytes <= _LARGEST_BYTES:
            kept = ((weakref.ref(predictions), weights.copy(), result), *kept)[:_KEPT]
        return result

    return computed_once
