"""All columns together: one row a patient, in random order, under the names of the dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cohort.dictionary import DICTIONARY
from cohort.errors import CohortError
from cohort.reconstruct.clinical import clinical_columns, scheduled_surgery, unfitted_columns
from cohort.reconstruct.course import course_of, write_course
from cohort.reconstruct.covariates import records_of, write_records
from cohort.reconstruct.fit import CYCLES, CYCLES_AGAIN, Fitted, Progress, fit_best
from cohort.reconstruct.imaging import imaging_columns
from cohort.reconstruct.outcomes import OUTCOME_STEPS, outcome_columns
from cohort.reconstruct.published import N_PATIENTS
from cohort.reconstruct.tables import STRATUM_SIZES

#: The seed where none is given.
SEED = 2024

#: Annealings that start from the same draft; the best is kept. As many as the cores that the project counts on.
CHAINS = 2


def draft(seed: int, outcome_steps: int = OUTCOME_STEPS) -> pd.DataFrame:
    """268 patients with the outcomes of the text, Table 1's margins and Table 2's 2x2 tables; who has which predictors is drawn.

    Predictors and outcomes are drawn apart and meet only in the three strata of the outcome, in the order of ``STRATUM``.
    """
    clinical, imaging, surgery, outcome = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
    columns = clinical_columns(clinical)
    columns |= imaging_columns(imaging, columns)
    columns |= scheduled_surgery(surgery, columns)
    return pd.DataFrame(columns | outcome_columns(outcome, outcome_steps))


def reconstruct(
    seed: int = SEED, effort: float = 1.0, chains: int = CHAINS, progress: Progress | None = None,
    outcome_steps: int = OUTCOME_STEPS,
) -> tuple[pd.DataFrame, Fitted]:  # fmt: skip
    """268 patients that agree with the published tables, and how well; the same arguments give the same patients.

    ``effort`` scales the number of steps that fit the predictors; ``outcome_steps`` fit the outcomes before that. ``chains`` is
    how many annealings compete. By default it takes some minutes on two cores. ``progress`` is told a line now and then.
    """
    frame = draft(seed, outcome_steps)
    later, order = (np.random.default_rng(s) for s in np.random.SeedSequence((seed, 1)).spawn(2))
    fitted = fit_best(records_of(frame), course_of(frame), CYCLES, seed, chains, effort, progress)
    frame = write_course(fitted.course, write_records(fitted.records, frame))
    frame = frame.assign(**unfitted_columns(later, {str(name): frame[name].to_numpy() for name in frame}))
    # Shuffled, so that neither the row nor the id tells the outcome.
    frame = frame.iloc[order.permutation(N_PATIENTS)].reset_index(drop=True)
    frame["patient_id"] = [f"R{number:03d}" for number in range(1, N_PATIENTS + 1)]
    return frame[list(DICTIONARY)], fitted


def refine(
    start: pd.DataFrame, seed: int, effort: float = 1.0, chains: int = CHAINS, progress: Progress | None = None
) -> tuple[pd.DataFrame, Fitted]:
    """A cohort that ``reconstruct`` made, warmed a little and cooled again; ids, curves and what is not fitted stay.

    Annealing ends in one of many hollows; from the best of several cohorts this finds a deeper one nearby.
    Raises ``CohortError`` where ``start`` has other events than the paper, so that no such cohort can come of it.
    """
    frame = start.reset_index(drop=True)
    course = course_of(frame)
    sizes = tuple(int(n) for n in np.bincount(course.stratum, minlength=3))
    if sizes != tuple(STRATUM_SIZES):
        found, printed = (", ".join(map(str, counts)) for counts in (sizes, STRATUM_SIZES))
        raise CohortError(
            f"patients with an event by 6 months, by 12, later or never: {found}; the paper has {printed}."
            " Start from a cohort that `crlm cohort reconstruct` wrote."
        )
    fitted = fit_best(records_of(frame), course, CYCLES_AGAIN, seed, chains, effort, progress)
    return write_course(fitted.course, write_records(fitted.records, frame))[list(DICTIONARY)], fitted


def write_cohort(frame: pd.DataFrame, path: Path) -> None:
    """Write ``frame`` as csv, byte for byte the same on every system."""
    path.write_bytes(frame.to_csv(index=False, lineterminator="\n").encode("utf-8"))
