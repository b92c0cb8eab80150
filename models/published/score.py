"""What a published score is: questions with points, the groups they fall into, where all that was published, and how sure it is.

A question is *open* in a patient whom the cohort cannot tell: a metachronous metastasis whose interval is not recorded, a RAS
mutation not known to be of KRAS. The points answer it by a stand-in, which is named wherever the score shows;
:meth:`Score.bounds` answers it no and yes, so that a reader sees what hangs on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from cohort.types import BoolArray, FloatArray
from models.published.inputs import missing_inputs, unrecorded_inputs

Reader = Callable[[pd.DataFrame], BoolArray]


@dataclass(frozen=True)
class Question:
    """A yes/no question on ``inputs`` (names of :data:`models.published.inputs.INPUTS`).

    ``yes`` answers it for complete inputs; ``is_open`` says in whom that answer is the ``stand_in``'s.
    """

    label: str
    inputs: tuple[str, ...]
    yes: Reader
    is_open: Reader | None = None
    stand_in: str = ""

    def __post_init__(self) -> None:
        if (self.is_open is None) != (self.stand_in == ""):
            raise ValueError(f"{self.label}: a question that can stay open names its stand-in, and no other does")


@dataclass(frozen=True)
class Item:
    question: Question
    points: float


@dataclass(frozen=True)
class FrozenRisk:
    """A published logistic model of the score's questions: logit P(event by the horizon) = intercept + sum of coefficients."""

    horizon_months: float
    intercept: float
    coefficients: Mapping[Question, float]


@dataclass(frozen=True)
class Score:
    """``groups`` are (label, lowest points, whether from these points on or above them), rising; the first holds all below.

    ``total`` computes the points where they are no sum of items. ``skewed`` marks points that a regression takes as log(1 + x).
    """

    name: str
    label: str
    source: str
    certainty: str
    groups: tuple[tuple[str, float, Literal["from", "above"]], ...]
    items: tuple[Item, ...] = ()
    total: Callable[[pd.DataFrame], FloatArray] | None = None
    total_inputs: tuple[str, ...] = ()
    skewed: bool = False
    frozen: tuple[FrozenRisk, ...] = field(default=())

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.total_inputs, *(name for item in self.items for name in item.question.inputs)]))

    @property
    def stand_ins(self) -> tuple[str, ...]:
        return tuple(item.question.stand_in for item in self.items if item.question.stand_in)

    def points(self, inputs: pd.DataFrame) -> FloatArray:
        """(n,) points of complete ``inputs``; open questions are answered by their stand-in."""
        if self.total is not None:
            return self.total(inputs)
        return np.asarray(sum(item.points * item.question.yes(inputs) for item in self.items), dtype=np.float64)

    def bounds(self, inputs: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        """(n,) lowest and highest points, every open question answered no and yes."""
        low, high = self.points(inputs), self.points(inputs)
        for item in self.items:
            if item.question.is_open is not None:
                is_open, yes = item.question.is_open(inputs), item.question.yes(inputs)
                low = low - item.points * (is_open & yes)
                high = high + item.points * (is_open & ~yes)
        return low, high

    def group(self, points: FloatArray) -> list[str]:
        """The published group of each patient."""
        names = np.full(len(points), self.groups[0][0], dtype=object)
        for label, lowest, edge in self.groups[1:]:
            names[points >= lowest if edge == "from" else points > lowest] = label
        return [str(name) for name in names]

    def not_computable(self, feature_set: str, predictors: tuple[str, ...]) -> str:
        """Why the score cannot be computed from predictors of these names, or an empty text."""
        lacking = missing_inputs(self.inputs, predictors)
        return f"{self.label} is not computable on {feature_set}: it needs {', '.join(lacking)}" if lacking else ""

    def reading(self, predictors: tuple[str, ...]) -> tuple[str, ...]:
        """What the points of these predictors take for granted, in words."""
        absent = tuple(f"{label} is not recorded: counted as absent" for label in unrecorded_inputs(self.inputs, predictors))
        return (*dict.fromkeys(self.stand_ins), *absent)
