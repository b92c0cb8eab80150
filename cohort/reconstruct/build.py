"""All columns together: one row a patient, in random order, under the names of the dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cohort.dictionary import DICTIONARY
from cohort.reconstruct.assign import STRATUM
from cohort.reconstruct.clinical import clinical_columns, scheduled_surgery, unfitted_columns
from cohort.reconstruct.covariates import records_of, write_records
from cohort.reconstruct.fit import Fitted, Progress, fit_best, outcomes_of
from cohort.reconstruct.imaging import imaging_columns
from cohort.reconstruct.outcomes import outcome_columns
from cohort.reconstruct.problem import Outcomes
from cohort.reconstruct.published import N_PATIENTS

#: The seed of the cohort that ships with the project.
SEED = 2024

#: Annealings that start from the same draft; the best is kept. As many as the cores that the project counts on.
CHAINS = 2


def draft(seed: int) -> pd.DataFrame:
    """268 patients with the outcomes of the text, Table 1's margins and Table 2's 2x2 tables; who has which predictors is drawn.

    Predictors and outcomes are drawn apart and meet only in the three strata of the outcome, in the order of ``STRATUM``.
    """
    clinical, imaging, surgery, outcome = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
    columns = clinical_columns(clinical)
    columns |= imaging_columns(imaging, columns)
    columns |= scheduled_surgery(surgery, columns)
    return pd.DataFrame(columns | outcome_columns(outcome))


def _outcomes(frame: pd.DataFrame) -> Outcomes:
    times = [frame[f"{source}_months"].to_numpy(dtype=np.float64) for source in ("dfs", "os")]
    events = [frame[f"{source}_event"].to_numpy(dtype=np.bool_) for source in ("dfs", "os")]
    return outcomes_of(STRATUM, times[0], events[0], times[1], events[1])


def reconstruct(
    seed: int = SEED, effort: float = 1.0, chains: int = CHAINS, progress: Progress | None = None
) -> tuple[pd.DataFrame, Fitted]:
    """268 patients that agree with the published tables, and how well; the same arguments give the same patients.

    ``effort`` scales the number of steps, ``chains`` is how many annealings compete. With 1 and 2 it takes some minutes on two
    cores. ``progress`` is told a line now and then.
    """
    frame = draft(seed)
    later, order = (np.random.default_rng(s) for s in np.random.SeedSequence((seed, 1)).spawn(2))
    fitted = fit_best(records_of(frame), _outcomes(frame), seed, chains, effort, progress)
    frame = write_records(fitted.records, frame)
    frame = frame.assign(**unfitted_columns(later, {str(name): frame[name].to_numpy() for name in frame}))
    # Shuffled, so that neither the row nor the id tells the outcome.
    frame = frame.iloc[order.permutation(N_PATIENTS)].reset_index(drop=True)
    frame["patient_id"] = [f"R{number:03d}" for number in range(1, N_PATIENTS + 1)]
    return frame[list(DICTIONARY)], fitted


def write_cohort(frame: pd.DataFrame, path: Path) -> None:
    """Write ``frame`` as csv, byte for byte the same on every system."""
    path.write_bytes(frame.to_csv(index=False, lineterminator="\n").encode("utf-8"))
