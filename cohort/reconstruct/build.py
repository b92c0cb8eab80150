"""All columns together: one row a patient, in random order, under the names of the dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cohort.dictionary import DICTIONARY
from cohort.reconstruct.clinical import clinical_columns, surgery_columns
from cohort.reconstruct.imaging import imaging_columns
from cohort.reconstruct.outcomes import outcome_columns
from cohort.reconstruct.published import N_PATIENTS

#: The seed of the cohort that ships with the project.
SEED = 2024


def reconstruct(seed: int = SEED) -> pd.DataFrame:
    """268 patients that agree with the published tables; the same seed gives the same patients.

    Predictors and outcomes are drawn apart and meet only in the three strata of the outcome. Permuting outcomes within a
    stratum therefore keeps Tables 1 and 2 as they are, and leaves the hazard ratios of Table 3 free to be fitted.
    """
    clinical, imaging, surgery, outcome, order = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5))
    columns = clinical_columns(clinical)
    columns |= imaging_columns(imaging, columns)
    columns |= surgery_columns(surgery, columns)
    columns |= outcome_columns(outcome)
    # Shuffled, so that neither the row nor the id tells the outcome.
    frame = pd.DataFrame(columns).iloc[order.permutation(N_PATIENTS)].reset_index(drop=True)
    frame["patient_id"] = [f"R{number:03d}" for number in range(1, N_PATIENTS + 1)]
    return frame[list(DICTIONARY)]


def write_cohort(frame: pd.DataFrame, path: Path) -> None:
    """Write ``frame`` as csv, byte for byte the same on every system."""
    path.write_bytes(frame.to_csv(index=False, lineterminator="\n").encode("utf-8"))
