"""The patients as whole numbers, and the covariates that the paper's regressions see of them.

A *record* is one patient's column of whole numbers (``Field``); the covariates (``COVARIATES``) follow from it by the paper's
cut-points. The optimiser changes records and reads covariates; ``records_of`` and ``write_records`` translate to and from the
columns of the dictionary.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from cohort.reconstruct.regressions import FloatArray, IntArray, compiled

UNKNOWN = -1


class Field(IntEnum):
    """Rows of the matrix of records. CEA is in tenths of ng/ml, chemotherapy in hundredths of a month, the rest as it is."""

    AGE = 0
    ECOG = 1
    LEFT = 2
    SYNCHRONOUS = 3
    RESECTED = 4
    ADJUVANT = 5
    T4 = 6
    NODE_POSITIVE = 7
    RAS_BRAF = 8
    BASELINE_MRI = 9
    LATER_MRI = 10
    TRIPLET = 11
    AGENT = 12
    CHEMOTHERAPY = 13
    RESPONSE = 14
    ONE_STEP = 15
    BASELINE_CEA = 16
    LATER_CEA = 17
    BASELINE_UNILOBAR = 18
    LATER_UNILOBAR = 19
    BASELINE_SEGMENTS = 20
    LATER_SEGMENTS = 21
    BASELINE_LESIONS = 22
    LATER_LESIONS = 23
    BASELINE_DIAMETER = 24
    LATER_DIAMETER = 25
    BASELINE_CONTACTS = 26
    LATER_CONTACTS = 27


N_FIELDS = len(Field)

#: Field -> (variable of the dictionary, factor from its unit to the record's). Numbers.
NUMBERS: dict[Field, tuple[str, int]] = {
    Field.AGE: ("age", 1),
    Field.CHEMOTHERAPY: ("chemotherapy_duration", 100),
    Field.BASELINE_CEA: ("baseline_cea", 10),
    Field.LATER_CEA: ("presurgery_cea", 10),
    Field.BASELINE_SEGMENTS: ("baseline_segments", 1),
    Field.LATER_SEGMENTS: ("presurgery_segments", 1),
    Field.BASELINE_LESIONS: ("baseline_lesions", 1),
    Field.LATER_LESIONS: ("presurgery_lesions", 1),
    Field.BASELINE_DIAMETER: ("baseline_max_diameter", 1),
    Field.LATER_DIAMETER: ("presurgery_max_diameter", 1),
    Field.BASELINE_CONTACTS: ("baseline_vessel_contacts", 1),
    Field.LATER_CONTACTS: ("presurgery_vessel_contacts", 1),
}

#: Field -> (variable, levels in the order of the record's 0, 1, 2). Categories.
CATEGORIES: dict[Field, tuple[str, tuple[str, ...]]] = {
    Field.ECOG: ("ecog_ps", ("0", "1", "2")),
    Field.LEFT: ("primary_location", ("right", "left_or_rectum")),
    Field.SYNCHRONOUS: ("synchronous", ("metachronous", "synchronous")),
    Field.RESECTED: ("primary_resected", ("no", "yes")),
    Field.ADJUVANT: ("adjuvant_chemotherapy", ("no", "yes")),
    Field.T4: ("pt_stage", ("t1_3", "t4")),
    Field.NODE_POSITIVE: ("pn_stage", ("n0", "n1_2")),
    Field.RAS_BRAF: ("ras_braf", ("wild_type", "ras_mutated", "braf_mutated")),
    Field.BASELINE_MRI: ("baseline_mri", ("no", "yes")),
    Field.LATER_MRI: ("presurgery_mri", ("no", "yes")),
    Field.TRIPLET: ("regimen", ("doublet", "triplet")),
    Field.AGENT: ("biologic_agent", ("none", "anti_egfr", "anti_vegf")),
    Field.RESPONSE: ("objective_response", ("no", "yes")),
    Field.ONE_STEP: ("surgery_steps", ("two", "one")),
    Field.BASELINE_UNILOBAR: ("baseline_lobes", ("bilobar", "unilobar")),
    Field.LATER_UNILOBAR: ("presurgery_lobes", ("bilobar", "unilobar")),
}

#: The paper's covariates, in the order in which ``encode`` writes them: (variable, level) as the published tables name them; an
#: empty level is the continuous form.
COVARIATES: tuple[tuple[str, str], ...] = (
    ("age", ">=65 years"),
    ("ecog_ps", "1-2"),
    ("primary_resected", "yes"),
    ("synchronous", "synchronous"),
    ("primary_location", "left_or_rectum"),
    ("adjuvant_chemotherapy", "yes"),
    ("pt_stage", "t4"),
    ("pn_stage", "n1_2"),
    ("baseline_cea", ""),
    ("baseline_cea", ">=10"),
    ("presurgery_cea", ""),
    ("presurgery_cea", ">=10"),
    ("baseline_lobes", "unilobar"),
    ("presurgery_lobes", "unilobar"),
    ("baseline_segments", ""),
    ("baseline_segments", ">=4"),
    ("presurgery_segments", ""),
    ("presurgery_segments", ">=4"),
    ("baseline_lesions", ""),
    ("baseline_lesions", ">=4"),
    ("presurgery_lesions", ""),
    ("presurgery_lesions", ">=4"),
    ("vanished_lesions", ""),
    ("vanished_lesions", "yes"),
    ("baseline_max_diameter", ""),
    ("presurgery_max_diameter", ""),
    ("baseline_vessel_contacts", ""),
    ("baseline_vessel_contacts", "yes"),
    ("presurgery_vessel_contacts", ""),
    ("presurgery_vessel_contacts", "yes"),
    ("mri_any", "yes"),
    ("ras_braf", "ras_mutated"),
    ("ras_braf", "braf_mutated"),
    ("objective_response", "yes"),
    ("regimen", "triplet"),
    ("biologic_agent", "anti_egfr"),
    ("biologic_agent", "anti_vegf"),
    ("chemotherapy_duration", ">=3.7 months"),
    ("surgery_steps", "one"),
)

COLUMN: dict[tuple[str, str], int] = {name: place for place, name in enumerate(COVARIATES)}
N_COVARIATES = len(COVARIATES)
IS_CATEGORICAL = np.array([level != "" for _, level in COVARIATES])

# numba reads plain integers as constants.
_AGE, _ECOG, _LEFT, _SYNC, _RES, _ADJ, _T4, _N1 = (int(f) for f in list(Field)[:8])
_RAS, _MRI1, _MRI2, _TRI, _AGENT, _CHEMO, _RESP, _STEP = (int(f) for f in list(Field)[8:16])
_CEA1, _CEA2, _UNI1, _UNI2, _SEG1, _SEG2, _LES1, _LES2, _DIA1, _DIA2, _CON1, _CON2 = (int(f) for f in list(Field)[16:])


@compiled
def _flag(holds: bool) -> float:
    return 1.0 if holds else 0.0


@compiled
def encode(record: IntArray, out: FloatArray) -> None:
    """Write the covariates of one ``record`` (fields,) into ``out`` (covariates,); NaN where not known."""
    out[0] = _flag(record[_AGE] >= 65)
    out[1] = _flag(record[_ECOG] >= 1) if record[_ECOG] >= 0 else np.nan
    out[2] = float(record[_RES])
    out[3] = float(record[_SYNC])
    out[4] = float(record[_LEFT])
    out[5] = float(record[_ADJ])
    out[6] = float(record[_T4]) if record[_T4] >= 0 else np.nan
    out[7] = float(record[_N1]) if record[_N1] >= 0 else np.nan
    for place, cea in ((8, record[_CEA1]), (10, record[_CEA2])):
        out[place] = cea / 10.0 if cea >= 0 else np.nan
        out[place + 1] = _flag(cea >= 100) if cea >= 0 else np.nan
    out[12] = float(record[_UNI1])
    out[13] = float(record[_UNI2])
    for place, number in ((14, record[_SEG1]), (16, record[_SEG2]), (18, record[_LES1]), (20, record[_LES2])):
        out[place] = float(number)
        out[place + 1] = _flag(number >= 4)
    vanished = record[_LES1] - record[_LES2]
    out[22] = float(vanished)
    out[23] = _flag(vanished >= 1)
    out[24] = float(record[_DIA1])
    out[25] = float(record[_DIA2])
    for place, contacts in ((26, record[_CON1]), (28, record[_CON2])):
        out[place] = float(contacts)
        out[place + 1] = _flag(contacts >= 1)
    out[30] = _flag(record[_MRI1] == 1 or record[_MRI2] == 1)
    known = record[_RAS] >= 0
    out[31] = _flag(record[_RAS] == 1) if known else np.nan
    out[32] = _flag(record[_RAS] == 2) if known else np.nan
    out[33] = float(record[_RESP])
    out[34] = float(record[_TRI])
    out[35] = _flag(record[_AGENT] == 1)
    out[36] = _flag(record[_AGENT] == 2)
    out[37] = _flag(record[_CHEMO] >= 370)
    out[38] = float(record[_STEP])


@compiled
def _percent_more(value: int, limit: int, percent: int) -> bool:
    return 100 * value > percent * limit


@compiled
def broken_rules(record: IntArray) -> int:
    """How many rules of clinic and logic one record breaks: what no clinician would believe."""
    later_look = record[_MRI2] == 1 and record[_MRI1] == 0  # an MRI before surgery only shows what tomography had not
    spread = record[_UNI1] == 1 and record[_UNI2] == 0
    broken = 0
    # A metachronous metastasis follows a primary that was resected; adjuvant chemotherapy follows that operation.
    broken += record[_SYNC] == 0 and record[_RES] == 0
    broken += record[_ADJ] == 1 and (record[_SYNC] == 1 or record[_RES] == 0)
    broken += (record[_T4] >= 0) != (record[_RES] == 1)
    broken += (record[_N1] >= 0) != (record[_RES] == 1)
    broken += record[_AGENT] == 1 and record[_RAS] != 0  # anti-EGFR needs a known wild type
    for uni, seg, les in ((_UNI1, _SEG1, _LES1), (_UNI2, _SEG2, _LES2)):
        broken += record[les] < 1
        broken += record[les] == 1 and record[uni] == 0
        broken += record[uni] == 1 and record[seg] > 4  # a lobe has four segments
        broken += record[uni] == 0 and record[seg] < 2
        broken += record[seg] < 1 or record[seg] > 8
        broken += record[seg] > record[les] + record[_DIA1] // 40  # only large lesions involve more segments than one
    broken += spread and not later_look
    broken += record[_SEG2] > record[_SEG1] + (1 if spread else 0)
    broken += record[_LES2] > record[_LES1]
    broken += record[_DIA2] > record[_DIA1] or record[_DIA2] < 1
    broken += record[_CON1] > record[_LES1]
    broken += record[_CON2] > record[_LES2]
    broken += record[_CON2] > record[_CON1] + (1 if later_look else 0)
    # A response by RECIST shrinks the diameters by 30 % or more in sum, so the largest one by about as much.
    broken += record[_RESP] == 1 and _percent_more(record[_DIA2], record[_DIA1], 80)
    broken += record[_RESP] == 0 and not _percent_more(record[_DIA2], record[_DIA1], 55)
    broken += record[_STEP] == 0 and record[_UNI1] == 1  # two steps are for two lobes
    # Nobody progressed, so that CEA does not rise much.
    broken += record[_CEA1] >= 0 and record[_CEA2] > 50 + 3 * record[_CEA1] // 2
    return int(broken)


@compiled
def add_gains(record: IntArray, sign: int, gains: IntArray) -> None:
    """Add to ``gains`` (3,) what one patient gained between baseline and surgery, times ``sign``.

    That is a first contact with a vessel, a second lobe, and a CEA of 10 ng/ml or more.
    """
    gains[0] += sign * int(record[_CON1] == 0 and record[_CON2] > 0)
    gains[1] += sign * int(record[_UNI1] == 1 and record[_UNI2] == 0)
    gains[2] += sign * int(0 <= record[_CEA1] < 100 <= record[_CEA2])


def records_of(frame: pd.DataFrame) -> IntArray:
    """(fields, patients) whole numbers of the dictionary's columns; ``UNKNOWN`` where missing."""
    records = np.full((N_FIELDS, len(frame)), UNKNOWN, dtype=np.int64)
    for field, (name, factor) in NUMBERS.items():
        values = frame[name].to_numpy(dtype=np.float64) * factor
        known = ~np.isnan(values)
        records[field, known] = np.round(values[known]).astype(np.int64)
    for field, (name, levels) in CATEGORIES.items():
        for code, level in enumerate(levels):
            records[field, (frame[name] == level).to_numpy(dtype=np.bool_)] = code
    return records


def write_records(records: IntArray, frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with the columns that ``records`` hold, vanished lesions included."""
    columns: dict[str, Any] = {}
    for field, (name, factor) in NUMBERS.items():
        values = records[field]
        if factor == 1 and (values >= 0).all():
            columns[name] = values.copy()
        else:
            columns[name] = np.where(values >= 0, values / factor, np.nan)
    for field, (name, levels) in CATEGORIES.items():
        columns[name] = [levels[code] if code >= 0 else None for code in records[field]]
    columns["vanished_lesions"] = records[Field.BASELINE_LESIONS] - records[Field.LATER_LESIONS]
    return frame.assign(**columns)
