"""The data dictionary: every variable of the paper, with its unit, levels, plausible range and the time it is known.

Source of names, codings and reference levels: Moretto et al., ESMO Open 2024, Tables 1 to 3. Reference levels stand first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal


class KnownAt(IntEnum):
    """When a value is known. Ordered: a predictor may serve a prediction made at its own time or later."""

    BASELINE = 0  # diagnosis of the metastases, before chemotherapy
    PRE_SURGERY = 1  # the day before liver surgery
    POST_SURGERY = 2  # theatre, pathology and what follows
    OUTCOME = 3  # what is to be predicted

    @property
    def label(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> KnownAt:
        """Read ``baseline``, ``pre_surgery``, ``post_surgery`` or ``outcome``; raises ``ValueError`` for anything else."""
        try:
            return cls[text.upper()]
        except KeyError:
            raise ValueError(f"known_at is one of {', '.join(k.label for k in cls)}; got {text!r}") from None


Kind = Literal["continuous", "count", "categorical", "time", "event", "identifier"]


@dataclass(frozen=True)
class Variable:
    """One line of the dictionary.

    ``levels`` (categorical only) begin with the reference level. ``low`` and ``high`` are the plausible range, inclusive, in
    ``unit``. ``only_if`` names a variable and the level it must have for this one to be known at all.
    ``skewed`` marks values that a regression takes on the log scale.
    """

    name: str
    label: str
    kind: Kind
    known_at: KnownAt
    unit: str = ""
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    only_if: tuple[str, str] | None = None
    skewed: bool = False

    def __post_init__(self) -> None:
        if (self.kind == "categorical") != (len(self.levels) >= 2):
            raise ValueError(f"{self.name}: a categorical variable has two or more levels, any other none")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"{self.name}: a level is listed twice")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.name}: the plausible range {self.low} to {self.high} is empty")
        if self.skewed and (not self.is_numeric or self.low is None or self.low < 0):
            raise ValueError(f"{self.name}: a variable for the log scale is a number with a low of 0 or more")

    @property
    def is_numeric(self) -> bool:
        return self.kind in ("continuous", "count", "time")

    @property
    def is_predictor(self) -> bool:
        """Whether the variable could serve as a predictor at some time before surgery."""
        return self.kind in ("continuous", "count", "categorical") and self.known_at <= KnownAt.PRE_SURGERY


_BASE, _PRE, _POST, _OUT = KnownAt.BASELINE, KnownAt.PRE_SURGERY, KnownAt.POST_SURGERY, KnownAt.OUTCOME
_NO_YES = ("no", "yes")


def _imaging(known_at: KnownAt, prefix: str, when: str) -> tuple[Variable, ...]:
    """The measurements taken twice, at baseline and before surgery."""
    smallest = 1 if known_at is KnownAt.BASELINE else 0  # a lesion may vanish under chemotherapy
    return (
        Variable(f"{prefix}_mri", f"{when} MRI with gadolinium", "categorical", known_at, levels=_NO_YES),
        Variable(f"{prefix}_cea", f"{when} CEA", "continuous", known_at, "ng/ml", low=0, high=100_000, skewed=True),
        Variable(f"{prefix}_lobes", f"{when} lobar involvement", "categorical", known_at, levels=("bilobar", "unilobar")),
        Variable(f"{prefix}_segments", f"{when} liver segments involved", "count", known_at, "segments", low=smallest, high=8),
        Variable(f"{prefix}_lesions", f"{when} number of lesions", "count", known_at, "lesions", low=smallest, high=100),
        Variable(f"{prefix}_max_diameter", f"{when} largest diameter", "continuous", known_at, "mm", low=0, high=300),
        Variable(
            f"{prefix}_vessel_contacts",
            f"{when} lesions in contact with major vessels",
            "count",
            known_at,
            "lesions",
            low=0,
            high=100,
        ),
    )


_VARIABLES: tuple[Variable, ...] = (
    Variable("patient_id", "Patient", "identifier", _BASE),
    Variable("centre", "Centre", "identifier", _BASE),
    Variable("age", "Age at diagnosis of the metastases", "continuous", _BASE, "years", low=18, high=100),
    Variable("sex", "Sex", "categorical", _BASE, levels=("female", "male")),
    Variable("ecog_ps", "ECOG performance status", "categorical", _BASE, levels=("0", "1", "2")),
    Variable("primary_location", "Primary tumour location", "categorical", _BASE, levels=("right", "left_or_rectum")),
    Variable("synchronous", "Time of metastases", "categorical", _BASE, levels=("metachronous", "synchronous")),
    Variable("primary_resected", "Primary tumour resected at baseline", "categorical", _BASE, levels=_NO_YES),
    Variable("pt_stage", "pT stage", "categorical", _BASE, levels=("t1_3", "t4"), only_if=("primary_resected", "yes")),
    Variable("pn_stage", "pN stage", "categorical", _BASE, levels=("n0", "n1_2"), only_if=("primary_resected", "yes")),
    Variable("ras_braf", "RAS and BRAF status", "categorical", _BASE, levels=("wild_type", "ras_mutated", "braf_mutated")),
    Variable("mmr_status", "Mismatch repair status", "categorical", _BASE, levels=("proficient", "deficient")),
    Variable("adjuvant_chemotherapy", "Adjuvant chemotherapy for the primary", "categorical", _BASE, levels=_NO_YES),
    *_imaging(_BASE, "baseline", "Baseline"),
    Variable("regimen", "First-line regimen", "categorical", _PRE, levels=("doublet", "triplet")),
    Variable("biologic_agent", "First-line biologic agent", "categorical", _PRE, levels=("none", "anti_egfr", "anti_vegf")),
    Variable("chemotherapy_duration", "Duration of first-line chemotherapy", "continuous", _PRE, "months", low=0, high=60),
    Variable("objective_response", "Objective response (RECIST)", "categorical", _PRE, levels=_NO_YES),
    *_imaging(_PRE, "presurgery", "Pre-surgery"),
    Variable("vanished_lesions", "Lesions that vanished under chemotherapy", "count", _PRE, "lesions", low=0, high=100),
    Variable("surgery_steps", "Scheduled surgery", "categorical", _PRE, levels=("two", "one")),
    Variable("resection_margin", "Resection margin", "categorical", _POST, levels=("r0", "r1")),
    Variable("concurrent_ablation", "Concurrent ablation", "categorical", _POST, levels=_NO_YES),
    Variable("postoperative_chemotherapy", "Postoperative chemotherapy", "categorical", _POST, levels=_NO_YES),
    Variable("dfs_months", "Disease-free survival", "time", _OUT, "months", low=0, high=600),
    Variable("dfs_event", "Relapse or death", "event", _OUT),
    Variable("relapse", "Relapse", "categorical", _OUT, levels=_NO_YES),
    Variable(
        "relapse_site",
        "Site of relapse",
        "categorical",
        _OUT,
        levels=("hepatic_only", "extrahepatic_single_organ", "multiorgan"),
        only_if=("relapse", "yes"),
    ),
    Variable("os_months", "Overall survival", "time", _OUT, "months", low=0, high=600),
    Variable("os_event", "Death", "event", _OUT),
    Variable(
        "locoregional_treatment",
        "Locoregional treatment after relapse",
        "categorical",
        _OUT,
        levels=_NO_YES,
        only_if=("relapse", "yes"),
    ),
    Variable(
        "locoregional_kind",
        "First locoregional treatment after relapse",
        "categorical",
        _OUT,
        levels=(
            "liver_surgery",
            "liver_nonsurgical",
            "lung_surgery",
            "lung_radiotherapy",
            "other_single_organ",
            "other_multiorgan",
        ),
        only_if=("locoregional_treatment", "yes"),
    ),
    Variable(
        "locoregional_repeated",
        "More than one locoregional treatment",
        "categorical",
        _OUT,
        levels=_NO_YES,
        only_if=("locoregional_treatment", "yes"),
    ),
)

DICTIONARY: dict[str, Variable] = {variable.name: variable for variable in _VARIABLES}

#: Without these a cohort cannot be analysed at all.
REQUIRED: tuple[str, ...] = ("patient_id", "dfs_months", "dfs_event", "os_months", "os_event")


def predictors_known_at(known_at: KnownAt, variables: Iterable[Variable] = DICTIONARY.values()) -> tuple[str, ...]:
    """Names of the variables that may predict at ``known_at``: known then or earlier, and neither outcome nor identifier."""
    return tuple(v.name for v in variables if v.is_predictor and v.known_at <= known_at)
