"""``paper``: the 37 covariates of the paper's Tables 2 and 3, coded as printed, with pT and pN where the primary was resected.

Cut-points: Moretto et al. 2024, Tables 1 to 3. Where the paper tests a variable both as it is and cut, both are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cohort.dictionary import DICTIONARY, KnownAt, Variable
from features.encode import LEVEL, factor_of
from features.feature_set import Feature, FeatureSet


def _at_least(variable: str, cut: float) -> Feature:
    def compute(frame: pd.DataFrame) -> pd.Series:
        return (frame[variable] >= cut).astype("float64").where(frame[variable].notna())

    return Feature(f"{variable}>={cut:g}", (variable,), compute)


def _ecog_above_0(frame: pd.DataFrame) -> pd.Series:
    return frame["ecog_ps"].isin(("1", "2")).astype("float64").where(frame["ecog_ps"].notna())


def _mri_any(frame: pd.DataFrame) -> pd.Series:
    either = (frame["baseline_mri"] == "yes") | (frame["presurgery_mri"] == "yes")
    both_known = frame["baseline_mri"].notna() & frame["presurgery_mri"].notna()
    return either.astype("float64").where(either | both_known, np.nan)


def _plain(*names: str) -> tuple[Feature, ...]:
    return tuple(Feature(name, (name,)) for name in names)


PAPER_FEATURES: tuple[Feature, ...] = (
    _at_least("age", 65),
    Feature("ecog_ps>=1", ("ecog_ps",), _ecog_above_0),
    *_plain("primary_resected", "pt_stage", "pn_stage", "synchronous", "primary_location", "adjuvant_chemotherapy"),
    *_plain("baseline_cea"),
    _at_least("baseline_cea", 10),
    *_plain("presurgery_cea"),
    _at_least("presurgery_cea", 10),
    *_plain("baseline_lobes", "presurgery_lobes"),
    *_plain("baseline_segments"),
    _at_least("baseline_segments", 4),
    *_plain("presurgery_segments"),
    _at_least("presurgery_segments", 4),
    *_plain("baseline_lesions"),
    _at_least("baseline_lesions", 4),
    *_plain("presurgery_lesions"),
    _at_least("presurgery_lesions", 4),
    *_plain("vanished_lesions"),
    _at_least("vanished_lesions", 1),
    *_plain("baseline_max_diameter", "presurgery_max_diameter"),
    *_plain("baseline_vessel_contacts"),
    _at_least("baseline_vessel_contacts", 1),
    *_plain("presurgery_vessel_contacts"),
    _at_least("presurgery_vessel_contacts", 1),
    Feature("mri_any", ("baseline_mri", "presurgery_mri"), _mri_any),
    *_plain("ras_braf", "objective_response", "regimen", "biologic_agent"),
    _at_least("chemotherapy_duration", 3.7),
    *_plain("surgery_steps"),
)


def _select(_variables: Mapping[str, Variable]) -> tuple[Feature, ...]:
    return PAPER_FEATURES


PAPER = FeatureSet("paper", "The paper's covariates, as the paper coded them", KnownAt.PRE_SURGERY, _select)

#: How the paper names the two sides of a cut, where it does not print the cut itself.
_SIDES = {
    "age>=65": (">=65 years", "<65 years"),
    "ecog_ps>=1": ("1-2", "0"),
    "vanished_lesions>=1": ("yes", "no"),
    "baseline_vessel_contacts>=1": ("yes", "no"),
    "presurgery_vessel_contacts>=1": ("yes", "no"),
    "chemotherapy_duration>=3.7": (">=3.7 months", "<3.7 months"),
    "mri_any": ("yes", "no"),
}


@dataclass(frozen=True)
class PrintedCovariate:
    """A row of the paper's tables: ``level`` against ``reference``, both empty for a continuous form."""

    variable: str
    form: Literal["continuous", "categorical"]
    level: str
    reference: str


def printed_covariate(term: str) -> PrintedCovariate:
    """The row of Tables 2 and 3 that an encoded covariate of this feature set stands in."""
    variable = term.partition(">=")[0]
    if term in _SIDES:
        return PrintedCovariate(variable, "categorical", *_SIDES[term])
    if variable != term:
        cut = term.removeprefix(variable)
        return PrintedCovariate(variable, "categorical", cut, "<" + cut.removeprefix(">="))
    variable = factor_of(term)
    if variable != term:
        return PrintedCovariate(variable, "categorical", term.removeprefix(variable + LEVEL), DICTIONARY[variable].levels[0])
    return PrintedCovariate(term, "continuous", "", "")
