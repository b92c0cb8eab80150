"""Outcomes, endpoints, populations and the checked cohort. Frozen, and refusing nonsense at birth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohort.dictionary import DICTIONARY, Variable
from cohort.errors import CohortError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What happened: ``time_months`` (n,) > 0 and ``event`` (n,), True where the event was seen, False where censored."""

    time_months: FloatArray
    event: BoolArray

    def __post_init__(self) -> None:
        time = np.asarray(self.time_months, dtype=np.float64)
        event = np.asarray(self.event)
        if time.ndim != 1 or time.shape != event.shape:
            raise ValueError(f"time_months and event are vectors of one length; got {time.shape} and {event.shape}")
        if event.dtype != np.bool_:
            raise ValueError(f"event is boolean; got {event.dtype}")
        if not np.isfinite(time).all() or (time <= 0).any():
            raise ValueError("every time_months is finite and above 0")
        object.__setattr__(self, "time_months", time)
        object.__setattr__(self, "event", event)

    def __len__(self) -> int:
        return len(self.time_months)

    def subset(self, rows: IntArray | BoolArray) -> Outcome:
        return Outcome(self.time_months[rows], self.event[rows])

    def status_at(self, horizon_months: float) -> FloatArray:
        """(n,) 1 = event by the horizon, 0 = event-free past it, NaN = censored before it and so unknown."""
        status = np.where(self.time_months > horizon_months, 0.0, np.nan)
        # Followed up to the horizon itself without an event is event-free by the horizon.
        status[(self.time_months == horizon_months) & ~self.event] = 0.0
        status[(self.time_months <= horizon_months) & self.event] = 1.0
        return status

    def events_by(self, horizon_months: float) -> int:
        return int(np.nansum(self.status_at(horizon_months)))


@dataclass(frozen=True)
class Endpoint:
    """The definition of an outcome.

    ``source`` names the time and event it is read from (``dfs`` or ``os``). A *binary* endpoint asks for the event by its one
    horizon; a *time* endpoint for the time to the event, evaluated at ``horizons_months``. ``tau_months`` truncates
    the concordance: pairs whose earlier event comes later do not count.
    """

    name: str
    label: str
    source: Literal["dfs", "os"]
    kind: Literal["binary", "time"]
    horizons_months: tuple[float, ...]
    tau_months: float

    def __post_init__(self) -> None:
        if not self.horizons_months or not all(h > 0 for h in (*self.horizons_months, self.tau_months)):
            raise ValueError(f"{self.name}: horizons and tau are above 0")
        if any(later <= earlier for earlier, later in pairwise(self.horizons_months)):
            raise ValueError(f"{self.name}: horizons rise, so that the last is the primary one")
        if self.kind == "binary" and len(self.horizons_months) != 1:
            raise ValueError(f"{self.name}: a binary endpoint has one horizon")

    @property
    def primary_horizon_months(self) -> float:
        """The horizon of the leaderboard: the last one."""
        return self.horizons_months[-1]


ENDPOINTS: dict[str, Endpoint] = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint("relapse_6m", "Relapse or death within 6 months", "dfs", "binary", (6.0,), tau_months=6.0),
        Endpoint("relapse_12m", "Relapse or death within 12 months", "dfs", "binary", (12.0,), tau_months=12.0),
        Endpoint("dfs", "Disease-free survival", "dfs", "time", (6.0, 12.0), tau_months=60.0),
        Endpoint("os", "Overall survival", "os", "time", (36.0, 60.0), tau_months=96.0),
    )
}


@dataclass(frozen=True)
class Population:
    """A group of patients that is analysed as one. ``without`` are the predictors that it cannot use, by the paper's rule."""

    name: str
    label: str
    member: Callable[[pd.DataFrame], BoolArray]
    without: tuple[str, ...] = ()


def _everyone(frame: pd.DataFrame) -> BoolArray:
    return np.ones(len(frame), dtype=np.bool_)


def _primary_resected(frame: pd.DataFrame) -> BoolArray:
    if "primary_resected" not in frame:
        raise CohortError(
            "the population primary_resected needs the variable primary_resected, which this cohort does not record;"
            " ask for the population overall"
        )
    return (frame["primary_resected"] == "yes").to_numpy(dtype=np.bool_)


POPULATIONS: dict[str, Population] = {
    population.name: population
    for population in (
        # pT and pN are unknown where the primary is still in place, so the paper leaves them out of the whole cohort.
        Population("overall", "All patients", _everyone, without=("pt_stage", "pn_stage")),
        Population("primary_resected", "Primary tumour resected at baseline", _primary_resected, without=("primary_resected",)),
    )
}


def _known_population(name: str) -> Population:
    if name not in POPULATIONS:
        raise CohortError(f"unknown population {name!r}; known: {', '.join(POPULATIONS)}")
    return POPULATIONS[name]


Evidence = Literal["real", "reconstructed", "simulated"]

EVIDENCE_LABELS: dict[Evidence, str] = {
    "real": "real patients",
    "reconstructed": "reconstructed from published aggregate numbers: no patient's data, no clinical evidence",
    "simulated": "simulated: no patient's data, no clinical evidence",
}


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients under the dictionary: one row a patient, one column a variable, missing where not known.

    ``variables`` are the dictionary's, and any that the contract declares besides. Build one with
    :func:`cohort.load.load_cohort` or :func:`cohort.simulate.simulate_cohort`, which check the values.
    """

    name: str
    title: str
    evidence: Evidence
    frame: pd.DataFrame
    citation: str = ""
    variables: Mapping[str, Variable] = field(default_factory=lambda: DICTIONARY)

    def __post_init__(self) -> None:
        unknown = [c for c in self.frame.columns if c not in self.variables]
        if unknown:
            raise CohortError(f"columns outside the data dictionary: {', '.join(map(str, unknown))}")
        if not self.frame.columns.is_unique:
            raise CohortError("a variable has more than one column")
        if "patient_id" not in self.frame:
            raise CohortError(f"cohort {self.name} has no column patient_id")
        if self.frame["patient_id"].isna().any():
            raise CohortError("patient_id is missing for some patients")
        if self.frame["patient_id"].duplicated().any():
            raise CohortError("patient_id is not unique")
        if self.frame.empty:
            raise CohortError(f"cohort {self.name} has no patients")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def caption(self) -> str:
        """The title, and what kind of evidence it is: how the cohort is named wherever it shows."""
        return f"{self.title} – {EVIDENCE_LABELS[self.evidence]}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all values, 16 hexadecimal digits; the same for the same patients whatever file they came from."""
        ordered = self.frame[sorted(self.frame.columns)].sort_values("patient_id")
        text = ordered.to_csv(index=False, lineterminator="\n", float_format="%.12g")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def identity(self) -> str:
        """The digest and, where the cohort declares variables of its own, a digest of what they mean: all that bears on a fit."""
        own = [repr(v) for name, v in sorted(self.variables.items()) if name not in DICTIONARY]
        if not own:
            return self.digest
        return f"{self.digest}-{hashlib.sha256(''.join(own).encode()).hexdigest()[:8]}"

    @property
    def patient_ids(self) -> npt.NDArray[np.str_]:
        return self.frame["patient_id"].to_numpy(dtype=str)

    def outcome(self, source: Literal["dfs", "os"]) -> Outcome:
        return Outcome(
            self.frame[f"{source}_months"].to_numpy(dtype=np.float64),
            self.frame[f"{source}_event"].to_numpy(dtype=np.bool_),
        )

    def population(self, name: str) -> Cohort:
        """The cohort's patients in a population of :data:`POPULATIONS`; raises ``CohortError`` where there are none."""
        members = self.frame[_known_population(name).member(self.frame)]
        if members.empty:
            raise CohortError(f"cohort {self.name} has no patient in population {name}")
        return replace(self, frame=members.reset_index(drop=True))

    def withheld(self, population: str) -> frozenset[str]:
        """Predictors that the population must not use.

        The paper's reason for leaving pT and pN out of all patients is a primary still in place: a cohort that
        records none keeps them.
        """
        without = _known_population(population).without
        if population == "overall" and "primary_resected" not in self.frame:
            return frozenset()
        return frozenset(without)
