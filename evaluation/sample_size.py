"""How many patients a prediction model needs, how many parameters given patients can carry, and what shrinkage to expect.

Three criteria of Riley et al. (Stat Med 2019;38:1276, "Part II"; BMJ 2020;368:m441), as R's and Stata's ``pmsampsize`` have them:

(i)   shrinkage: predictor effects are expected to need a uniform shrinkage of no less than 0.9;
(ii)  optimism: the apparent R2 of Nagelkerke exceeds the adjusted one by no more than 0.05;
(iii) overall risk: the 95 % limits of the average risk lie within 0.05 of it, even in a model without predictors.

They speak of unpenalised regression, and count every *candidate* parameter: those that a selection drops too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from scipy.optimize import brentq

SHRINKAGE = 0.9
OPTIMISM = 0.05
MARGIN = 0.05
#: Nagelkerke's R2 to plan with when nothing is known of earlier models: 15 % of the highest R2 possible (BMJ 2020).
NAGELKERKE_R2 = 0.15

Criterion = Literal["shrinkage", "optimism", "overall_risk"]
CRITERION_LABELS: dict[Criterion, str] = {"shrinkage": "shrinkage", "optimism": "optimism", "overall_risk": "overall risk"}

_Z = 1.96  # as the papers and pmsampsize print it


class Anticipated(Protocol):
    """What is expected of the outcome in the patients to come."""

    @property
    def events_per_patient(self) -> float: ...

    @property
    def max_cox_snell_r2(self) -> float:
        """Of a model that predicts without error; below 1, unlike that of linear regression."""

    @property
    def patients_for_overall_risk(self) -> int:
        """Criterion (iii)."""


@dataclass(frozen=True)
class BinaryOutcome:
    """``prevalence``: share of the patients with the event, in (0, 1)."""

    prevalence: float

    def __post_init__(self) -> None:
        if not 0 < self.prevalence < 1:
            raise ValueError(
                f"prevalence lies between 0 and 1, both excluded; got {self.prevalence:g}."
                " Choose an endpoint that some patients reach and some do not"
            )

    @property
    def events_per_patient(self) -> float:
        return self.prevalence

    @property
    def max_cox_snell_r2(self) -> float:
        """1 - exp(2 lnL / n), lnL that of the model without predictors (Part II, equation 23)."""
        p = self.prevalence
        return 1 - math.exp(2 * (p * math.log(p) + (1 - p) * math.log(1 - p)))

    @property
    def patients_for_overall_risk(self) -> int:
        return math.ceil((_Z / MARGIN) ** 2 * self.prevalence * (1 - self.prevalence))


@dataclass(frozen=True)
class TimeToEvent:
    """``rate``: events per patient-month, over all patients; ``horizon_months``: when the risk is asked for;
    ``mean_follow_up_months``: mean time to event or censoring.
    """

    rate: float
    horizon_months: float
    mean_follow_up_months: float

    def __post_init__(self) -> None:
        for name in ("rate", "horizon_months", "mean_follow_up_months"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is finite and above 0; got {value:g}. Without an event nothing can be planned")
        if self.events_per_patient > 1 + 1e-9:
            raise ValueError(
                "rate x mean_follow_up_months is the share of patients with the event, at most 1;"
                f" got {self.events_per_patient:g}. Give both in one unit of time, and count a patient's first event only"
            )

    @property
    def events_per_patient(self) -> float:
        return self.rate * self.mean_follow_up_months

    @property
    def max_cox_snell_r2(self) -> float:
        """The same under a constant rate, with the mean follow-up as the unit of time (BMJ 2020)."""
        events = self.events_per_patient
        return 1 - math.exp(2 * (events * math.log(events) - events))

    @property
    def patients_for_overall_risk(self) -> int:
        """Where both limits of the risk, 1 - exp(-(rate -+ z sqrt(rate / T)) horizon) in T patient-months, lie within the margin.

        The lower limit is the farther one and decides. pmsampsize prints these limits at the size that (i) and (ii) ask for,
        and leaves the judgement to the reader; here they are solved for T.
        """
        farthest = math.log1p(MARGIN * math.exp(self.rate * self.horizon_months))
        patient_months = self.rate * (_Z * self.horizon_months / farthest) ** 2
        return math.ceil(patient_months / self.mean_follow_up_months)


@dataclass(frozen=True)
class RequiredSize:
    """Patients that each criterion asks for."""

    shrinkage: int
    optimism: int
    overall_risk: int
    events_per_patient: float

    @property
    def patients(self) -> int:
        return max(self.shrinkage, self.optimism, self.overall_risk)

    @property
    def events(self) -> float:
        return self.patients * self.events_per_patient

    @property
    def binding(self) -> Criterion:
        """The criterion that asks for most; the first of equals."""
        sizes: dict[Criterion, int] = {
            "shrinkage": self.shrinkage,
            "optimism": self.optimism,
            "overall_risk": self.overall_risk,
        }
        return max(sizes, key=lambda criterion: sizes[criterion])


@dataclass(frozen=True)
class Capacity:
    """Most parameters by (i) and by (ii); and whether (iii) is met, without which not even the average risk is known."""

    shrinkage: int
    optimism: int
    overall_risk_met: bool

    @property
    def parameters(self) -> int:
        return min(self.shrinkage, self.optimism) if self.overall_risk_met else 0

    @property
    def binding(self) -> Criterion:
        if not self.overall_risk_met:
            return "overall_risk"
        return "shrinkage" if self.shrinkage <= self.optimism else "optimism"


def default_r2(anticipated: Anticipated) -> float:
    """Cox and Snell's R2 to plan with when nothing is known of earlier models."""
    return NAGELKERKE_R2 * anticipated.max_cox_snell_r2


def required_size(anticipated: Anticipated, n_parameters: int, r2: float | None = None) -> RequiredSize:
    """Patients for ``n_parameters``. ``r2`` is the anticipated Cox-Snell R2, adjusted for optimism (:func:`default_r2`)."""
    if n_parameters < 1:
        raise ValueError(f"a model to plan for has 1 parameter or more; got {n_parameters}. Name the candidate predictors")
    r2 = _checked_r2(anticipated, r2)
    by_shrinkage, by_optimism = (
        math.ceil(_exactly(n_parameters / _parameters_per_patient(shrinkage, r2)))
        for shrinkage in (SHRINKAGE, _shrinkage_of_optimism(anticipated, r2))
    )
    return RequiredSize(by_shrinkage, by_optimism, anticipated.patients_for_overall_risk, anticipated.events_per_patient)


def capacity(anticipated: Anticipated, n_patients: int, r2: float | None = None) -> Capacity:
    """Most parameters that ``n_patients`` can carry: the inverse of :func:`required_size`."""
    _check_patients(n_patients)
    r2 = _checked_r2(anticipated, r2)
    by_shrinkage, by_optimism = (
        math.floor(_exactly(n_patients * _parameters_per_patient(shrinkage, r2)))
        for shrinkage in (SHRINKAGE, _shrinkage_of_optimism(anticipated, r2))
    )
    return Capacity(by_shrinkage, by_optimism, n_patients >= anticipated.patients_for_overall_risk)


def expected_shrinkage(anticipated: Anticipated, n_patients: int, n_parameters: int, r2: float | None = None) -> float:
    """What effects of ``n_parameters``, estimated in ``n_patients``, are to be multiplied with; 1 = no overfitting.

    Solves criterion (i), n = p / ((S - 1) ln(1 - r2 / S)), for S: above r2, below 1. The approximation behind it (van
    Houwelingen and le Cessie 1990) is for large samples: far below 0.9 effects need yet more shrinking than it says.
    """
    _check_patients(n_patients)
    if n_parameters < 0:
        raise ValueError(f"n_parameters is 0 or more; got {n_parameters}. Count the candidate parameters")
    r2 = _checked_r2(anticipated, r2)
    if n_parameters == 0:
        return 1.0
    # Falls from infinity at S = r2 to 0 at S = 1, so there is one solution.
    lowest = r2 * (1 + 1e-12)
    if n_patients * _parameters_per_patient(lowest, r2) <= n_parameters:
        return r2  # hopelessly many: S is r2 to twelve digits
    return float(brentq(lambda s: n_patients * _parameters_per_patient(s, r2) - n_parameters, lowest, 1.0, xtol=1e-12))


def _parameters_per_patient(shrinkage: float, r2: float) -> float:
    """Parameters that one patient more allows at an expected ``shrinkage``."""
    return (shrinkage - 1) * math.log1p(-r2 / shrinkage)


def _shrinkage_of_optimism(anticipated: Anticipated, r2: float) -> float:
    """The shrinkage at which Nagelkerke's R2 is optimistic by just :data:`OPTIMISM`."""
    return r2 / (r2 + OPTIMISM * anticipated.max_cox_snell_r2)


def _checked_r2(anticipated: Anticipated, r2: float | None) -> float:
    if r2 is None:
        return default_r2(anticipated)
    highest = anticipated.max_cox_snell_r2
    if not 0 < r2 < highest:
        raise ValueError(
            f"Cox and Snell's R2 lies above 0 and below its maximum for this outcome, {highest:.3f}; got {r2:g}."
            " A Nagelkerke R2 is multiplied with that maximum first"
        )
    if r2 >= SHRINKAGE:
        raise ValueError(f"Cox and Snell's R2 lies below the shrinkage aimed at, {SHRINKAGE:g}; got {r2:g}. Anticipate less")
    return r2


def _check_patients(n_patients: int) -> None:
    if n_patients < 1:
        raise ValueError(f"n_patients is 1 or more; got {n_patients}. Give the patients that the model would learn from")


def _exactly(number: float) -> float:
    """Whole numbers freed from the last bits of arithmetic, so that rounding up or down does not add or lose one."""
    return float(round(number)) if math.isclose(number, round(number), rel_tol=1e-12) else number
