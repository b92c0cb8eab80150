"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cohort.types import FloatArray
from evaluation.predictions import HorizonPredictions


@dataclass(frozen=True)
class Metric:
    """One entry of the metric registry.

    compute : (predictions, weights (B, n)) -> (B,) estimates. Weights are how often each patient was drawn; a row of ones gives
        the estimate itself, so an estimate and its bootstrap come from one formula. NaN where a row allows none.
    better : ``higher``, ``lower``, or ``target`` (as near ``reference`` as can be).
    reference : the value of a model without information (discrimination), or of perfect calibration.
    needs_variation : whether it means something only where risks differ between patients.
    most_resamples : its interval is made from the first so many resamples, where it is dear to compute; None: from all.
    undefined : why these patients give no estimate, where ``compute`` says NaN.
    """

    name: str
    label: str
    better: Literal["higher", "lower", "target"]
    compute: Callable[[HorizonPredictions, FloatArray], FloatArray]
    reference: float | None = None
    needs_variation: bool = False
    most_resamples: int | None = None
    undefined: str = "cannot be estimated from these patients"
