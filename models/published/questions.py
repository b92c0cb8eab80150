"""The questions that several scores ask, each cut-point once."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from cohort.types import BoolArray, FloatArray
from models.published.score import Question, Reader


def _is_above(name: str, cut: float, inputs: pd.DataFrame) -> BoolArray:
    return (inputs[name] > cut).to_numpy(dtype=np.bool_)


def _is_at_least(name: str, cut: float, inputs: pd.DataFrame) -> BoolArray:
    return (inputs[name] >= cut).to_numpy(dtype=np.bool_)


def _is_no(name: str, inputs: pd.DataFrame) -> BoolArray:
    return (inputs[name] <= 0.5).to_numpy(dtype=np.bool_)


# Partial functions instead of closures: a fitted model is stored with its questions.
def _above(name: str, cut: float) -> Reader:
    return partial(_is_above, name, cut)


def _at_least(name: str, cut: float) -> Reader:
    return partial(_is_at_least, name, cut)


def _yes(name: str) -> Reader:
    # A half is a tie among the patients that a missing value was filled from: no.
    return _above(name, 0.5)


def _no(name: str) -> Reader:
    return partial(_is_no, name)


def tumour_burden(inputs: pd.DataFrame) -> FloatArray:
    """(n,) tumour burden score: sqrt(largest diameter in cm squared + number of metastases squared), Sasaki 2018."""
    burden: FloatArray = np.hypot(inputs["diameter_mm"].to_numpy() / 10, inputs["lesions"].to_numpy())
    return burden


def _burden_3_to_9(inputs: pd.DataFrame) -> BoolArray:
    burden = tumour_burden(inputs)
    return (burden >= 3) & (burden < 9)


def _burden_from_9(inputs: pd.DataFrame) -> BoolArray:
    return tumour_burden(inputs) >= 9


def _interval_below(months: int) -> Question:
    return Question(
        f"disease-free interval < {months} months",
        ("synchronous",),
        _yes("synchronous"),
        is_open=_no("synchronous"),
        stand_in=(
            f"the disease-free interval is not recorded: below {months} months in synchronous disease, and counted as longer in"
            " metachronous"
        ),
    )


NODE_POSITIVE = Question("node-positive primary", ("node_positive",), _yes("node_positive"))
T4 = Question("pT4 primary", ("t4",), _yes("t4"))
SYNCHRONOUS = Question("synchronous metastases", ("synchronous",), _yes("synchronous"))
INTERVAL_BELOW_12 = _interval_below(12)
INTERVAL_BELOW_24 = _interval_below(24)
MORE_THAN_1 = Question("more than 1 metastasis", ("multiple",), _yes("multiple"))
MORE_THAN_3 = Question("more than 3 metastases", ("lesions",), _above("lesions", 3))
LARGER_THAN_50_MM = Question("largest metastasis > 50 mm", ("diameter_mm",), _above("diameter_mm", 50))
CEA_ABOVE_200 = Question("CEA > 200 ng/ml", ("cea",), _above("cea", 200))
CEA_FROM_200 = Question("CEA >= 200 ng/ml", ("cea",), _at_least("cea", 200))
CEA_FROM_20 = Question("CEA >= 20 ng/ml", ("cea",), _at_least("cea", 20))
OLDER_THAN_60 = Question("age > 60 years", ("age",), _above("age", 60))
RAS_MUTATED = Question("RAS mutated", ("ras_mutated",), _yes("ras_mutated"))
KRAS_MUTATED = Question(
    "KRAS mutated",
    ("ras_mutated",),
    _yes("ras_mutated"),
    is_open=_yes("ras_mutated"),
    stand_in="KRAS is not recorded apart from RAS: every RAS mutation counts as one of KRAS",
)
EXTRAHEPATIC = Question("extrahepatic disease", ("extrahepatic",), _yes("extrahepatic"))
BURDEN_3_TO_9 = Question("tumour burden score 3 to < 9", ("lesions", "diameter_mm"), _burden_3_to_9)
BURDEN_FROM_9 = Question("tumour burden score >= 9", ("lesions", "diameter_mm"), _burden_from_9)
