"""A fold's model asked again with some predictor changed: rows are put together, for a forest answers many at once faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import pandas as pd

from cohort.types import FloatArray
from features.encode import factor_of
from models.procedure import FittedProcedure

#: Rows asked at once: beyond, memory grows and speed does not.
_ROWS_AT_ONCE = 4_000


def columns_of(predictor: str, columns: Iterable[str]) -> list[int]:
    """Places of all encoded columns of a predictor, that of its missing values included."""
    return [place for place, column in enumerate(columns) if factor_of(column) == predictor]


def risks(
    fitted: FittedProcedure, columns: list[str], variants: Iterable[FloatArray], horizon_months: float
) -> Iterator[FloatArray]:
    """The (n,) risks by the horizon of each (n, q) variant of the encoded predictors, in their order."""
    variants = iter(variants)
    first = next(variants, None)
    if first is None:
        return
    n = len(first)
    waiting = [first, *islice(variants, max(_ROWS_AT_ONCE // n - 1, 0))]
    while waiting:
        risk = fitted.risk_of_encoded(pd.DataFrame(np.concatenate(waiting), columns=columns), horizon_months)
        yield from risk.reshape(len(waiting), n)
        waiting = list(islice(variants, max(_ROWS_AT_ONCE // n, 1)))
