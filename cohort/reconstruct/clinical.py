"""Who the patients are and how they were treated: everything but images and outcomes.

Counts per stratum come from Table 2, overall counts from Table 1. *Which* patient gets what is not published: scores make the
combinations clinically sensible (anti-EGFR only without a RAS mutation, adjuvant chemotherapy only after a resected primary),
noise does the rest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohort.reconstruct.assign import (
    FIRST,
    STRATUM,
    BoolArray,
    FloatArray,
    Shape,
    Split,
    hand_out_split,
    pick,
    pick_overall,
    sorted_values,
)
from cohort.reconstruct.published import N_PATIENTS, count, fact
from cohort.reconstruct.tables import MISSING, node_positive_counts, stratum_counts

Columns = dict[str, npt.NDArray[np.generic]]

N = N_PATIENTS

#: The paper names three institutions and gives no counts: these shares are an assumption.
CENTRES = {"pisa": 0.5, "padua": 0.25, "rome": 0.25}


def words(flags: BoolArray, yes: str = "yes", no: str = "no", known: BoolArray | None = None) -> npt.NDArray[np.object_]:
    """A two-level column; None where not known."""
    column = np.where(flags, yes, no).astype(object)
    if known is not None:
        column[~known] = None
    return column


def _primary(rng: np.random.Generator) -> Columns:
    """The primary tumour. Metachronous metastases follow a primary that has been resected already."""
    metachronous = pick(stratum_counts("synchronous")["metachronous"], rng.normal(size=N))
    resected = pick(stratum_counts("primary_resected")["yes"], rng.normal(size=N) + FIRST * metachronous)
    adjuvant = pick(stratum_counts("adjuvant_chemotherapy")["yes"], rng.normal(size=N), metachronous & resected)
    positive = pick(node_positive_counts(), rng.normal(size=N) + adjuvant, resected)
    t4 = pick_overall(count("pt_stage", "t4"), rng.normal(size=N) + 0.4 * positive, resected)
    right = pick(stratum_counts("primary_location")["right"], rng.normal(size=N))
    return {
        "primary_location": words(right, "right", "left_or_rectum"),
        "synchronous": words(metachronous, "metachronous", "synchronous"),
        "primary_resected": words(resected),
        "pt_stage": words(t4, "t4", "t1_3", known=resected),
        "pn_stage": words(positive, "n1_2", "n0", known=resected),
        "adjuvant_chemotherapy": words(adjuvant),
    }


def _mutations(rng: np.random.Generator, right: BoolArray) -> Columns:
    """RAS and BRAF. BRAF mutation is commoner in right-sided tumours."""
    counts = stratum_counts("ras_braf")
    unknown = pick(counts[MISSING], rng.normal(size=N))
    braf = pick(counts["braf_mutated"], rng.normal(size=N) + 2 * right, ~unknown)
    ras = pick(counts["ras_mutated"], rng.normal(size=N) + 0.3 * right, ~unknown & ~braf)
    status = np.where(braf, "braf_mutated", np.where(ras, "ras_mutated", "wild_type")).astype(object)
    status[unknown] = None
    return {"ras_braf": status}


def _mismatch_repair(rng: np.random.Generator, columns: Columns) -> Columns:
    """Deficiency is commoner in right-sided and in BRAF mutated tumours; unknown goes with an unknown mutation."""
    unknown = np.array([status is None for status in columns["ras_braf"]])
    braf = np.asarray(columns["ras_braf"] == "braf_mutated")
    right = np.asarray(columns["primary_location"] == "right")
    unknown = pick_overall(count("mmr_status", "missing"), rng.normal(size=N) + 2 * unknown, ~braf)
    deficient = pick_overall(count("mmr_status", "deficient"), rng.normal(size=N) + right + 2 * braf, ~unknown)
    return {"mmr_status": words(deficient, "deficient", "proficient", known=~unknown)}


def _person(rng: np.random.Generator) -> Columns:
    older = pick(stratum_counts("age")[">=65 years"], rng.normal(size=N))
    values = sorted_values("age", "baseline", N, Shape(30, 83, 0), Split(65, count("age", ">=65")))
    age = hand_out_split(values, older, np.ones(N, dtype=np.bool_), rng.normal(size=N))
    ecog = stratum_counts("ecog_ps")
    unknown = pick(ecog[MISSING], rng.normal(size=N))
    impaired = pick(ecog["1-2"], rng.normal(size=N) + 0.03 * age, ~unknown)
    two = pick_overall(count("ecog_ps", "2"), rng.normal(size=N), impaired)
    male = pick_overall(count("sex", "male"), rng.normal(size=N), np.ones(N, dtype=np.bool_))
    return {
        "centre": rng.choice(np.array(list(CENTRES), dtype=object), size=N, p=list(CENTRES.values())),
        "age": age.astype(np.int64),
        "sex": words(male, "male", "female"),
        "ecog_ps": np.where(two, "2", words(impaired, "1", "0", known=~unknown)),
    }


def _treatment(rng: np.random.Generator, age: FloatArray, right: BoolArray, wild_type: BoolArray) -> Columns:
    """First-line treatment. Anti-EGFR needs RAS and BRAF wild type; triplets go to the younger."""
    agents = stratum_counts("biologic_agent")
    egfr = pick(agents["anti_egfr"], rng.normal(size=N) - 0.7 * right, wild_type)
    none = pick(agents["none"], rng.normal(size=N), ~egfr)
    triplet = pick(stratum_counts("regimen")["triplet"], rng.normal(size=N) - 0.05 * age - 0.8 * egfr - 0.5 * none)
    long = pick(stratum_counts("chemotherapy_duration")[">=3.7 months"], rng.normal(size=N))
    split = Split(3.7, int(long.sum()))
    months = sorted_values("chemotherapy_duration", "baseline", N, Shape(0.6, 30.2, 2), split)
    return {
        "regimen": words(triplet, "triplet", "doublet"),
        "biologic_agent": np.where(egfr, "anti_egfr", np.where(none, "none", "anti_vegf")).astype(object),
        "chemotherapy_duration": hand_out_split(months, long, np.ones(N, dtype=np.bool_), rng.normal(size=N)),
    }


def _mri(rng: np.random.Generator) -> Columns:
    """MRI at either time. 164 had any, 91 and 132 at each time: 32 at baseline only, 59 twice, 73 before surgery only."""
    any_mri = pick(stratum_counts("mri_any")["yes"], rng.normal(size=N))
    before = pick_overall(count("mri", "yes", "pre_surgery"), rng.normal(size=N), any_mri)
    twice = count("mri", "yes") - fact("n_mri_any") + count("mri", "yes", "pre_surgery")
    baseline = (any_mri & ~before) | pick_overall(twice, rng.normal(size=N), before)
    return {"baseline_mri": words(baseline), "presurgery_mri": words(before)}


def _tumour_marker(when: str, high: BoolArray, known: BoolArray, score: FloatArray, largest: float) -> FloatArray:
    """CEA: whole numbers from 10, one decimal below. Table 1 prints no range; the ends are an assumption."""
    values = sorted_values("cea", when, int(known.sum()), Shape(0.5, largest, 1), Split(10.0, int((high & known).sum())))
    return hand_out_split(np.where(values >= 10, np.round(values), values), high, known, score)


def _cea(rng: np.random.Generator) -> Columns:
    """CEA twice. Who has no baseline value mostly has no later one; who is low at baseline is seldom high later."""
    baseline, later = stratum_counts("baseline_cea"), stratum_counts("presurgery_cea")
    known = ~pick(baseline[MISSING], rng.normal(size=N))
    high = pick(baseline[">=10"], rng.normal(size=N), known)
    known_later = ~pick(later[MISSING], rng.normal(size=N) + 1.5 * ~known)
    latent = rng.normal(size=N) + np.where(known, np.where(high, 1.2, -1.2), 0.0)
    cea = _tumour_marker("baseline", high, known, latent, largest=4200)
    high_later = pick(later[">=10"], rng.normal(size=N) * 0.7 + latent, known_later)
    cea_later = _tumour_marker("pre_surgery", high_later, known_later, latent + 0.5 * rng.normal(size=N), largest=980)
    return {"baseline_cea": cea, "presurgery_cea": cea_later}


def clinical_columns(rng: np.random.Generator) -> Columns:
    """Patients, tumours and first-line treatment, in the order of ``STRATUM``."""
    columns = _person(rng) | _primary(rng)
    right = np.asarray(columns["primary_location"] == "right")
    columns |= _mutations(rng, right)
    wild_type = np.asarray(columns["ras_braf"] == "wild_type")
    columns |= _treatment(rng, columns["age"].astype(np.float64), right, wild_type)
    return columns | _mri(rng) | _cea(rng)


def scheduled_surgery(rng: np.random.Generator, columns: Columns) -> Columns:
    """Two steps for bilobar disease, more often for many lesions."""
    burden = np.log(columns["presurgery_lesions"].astype(np.float64))
    bilobar = np.asarray(columns["baseline_lobes"] == "bilobar")
    two = pick(stratum_counts("surgery_steps")["two"], rng.normal(size=N) + burden, bilobar)
    return {"surgery_steps": words(two, "two", "one")}


def unfitted_columns(rng: np.random.Generator, columns: Columns) -> Columns:
    """What no published effect speaks of: mismatch repair, margin, ablation, chemotherapy after surgery."""
    burden = np.log(columns["presurgery_lesions"].astype(np.float64))
    everyone = np.ones(N, dtype=np.bool_)
    r1 = pick_overall(fact("n_r1"), rng.normal(size=N) + 0.5 * burden + 0.3 * (STRATUM == 0), everyone)
    ablation = pick_overall(fact("n_concurrent_ablation"), rng.normal(size=N) + burden, burden > 0)
    short = -np.log(columns["chemotherapy_duration"].astype(np.float64))
    further = pick_overall(fact("n_postoperative_chemotherapy"), rng.normal(size=N) + 0.7 * short, everyone)
    return _mismatch_repair(rng, columns) | {
        "resection_margin": words(r1, "r1", "r0"),
        "concurrent_ablation": words(ablation),
        "postoperative_chemotherapy": words(further),
    }
