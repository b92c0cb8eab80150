"""Our effects beside the published ones, number by number.

A published effect is *reproduced* when the estimate and both bounds lie within 0.02 or 3 % of print and P on the same side of
0.05 and of 0.10. A row whose printed numbers contradict each other is a *misprint* (with the reason), whatever ours are.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

ABSOLUTE, RELATIVE = 0.02, 0.03
SIGNIFICANCE = (0.05, 0.10)

Verdict = Literal["reproduced", "differs", "misprint", "not computed"]

#: Dichotomies as the paper prints them -> how the ``paper`` feature set names them.
_CUT_LEVELS = {
    "age": ">=65",
    "ecog_ps": ">=1",
    "vanished_lesions": ">=1",
    "baseline_vessel_contacts": ">=1",
    "presurgery_vessel_contacts": ">=1",
    "chemotherapy_duration": ">=3.7",
}


def term_of(variable: str, form: str, level: str) -> str:
    """The encoded covariate that a row of the published tables speaks of."""
    if form == "continuous" or variable == "mri_any":
        return variable
    if variable in _CUT_LEVELS:
        return variable + _CUT_LEVELS[variable]
    return variable + level if level.startswith(">=") else f"{variable}={level}"


def compare(published: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Published univariate rows (text, as printed) with ours and a verdict.

    Adds ``ours_estimate, ours_ci_low, ours_ci_high, ours_p_value, n_used, n_events, verdict``.
    """
    rows = published[published["analysis"] == "univariate"].copy()
    rows["term"] = [term_of(*map(str, row)) for row in rows[["variable", "form", "level"]].to_numpy()]
    ours = effects.rename(columns={c: f"ours_{c}" for c in ("estimate", "ci_low", "ci_high", "p_value")})
    ours = ours.drop(columns=["population", "note"])
    merged = rows.merge(ours, on=["outcome", "term"], how="left", validate="many_to_one")
    merged["verdict"] = [_verdict(row) for _, row in merged.iterrows()]
    return merged.drop(columns="term")


def _verdict(row: pd.Series) -> Verdict:
    if pd.isna(row["ours_estimate"]):
        return "not computed"
    if row["inconsistency"]:
        return "misprint"
    near = all(_near(float(row[name]), row[f"ours_{name}"]) for name in ("estimate", "ci_low", "ci_high"))
    printed_p = float(str(row["p_value"]).lstrip("<"))
    same_side = all((printed_p < level) == (row["ours_p_value"] < level) or printed_p == level for level in SIGNIFICANCE)
    return "reproduced" if near and same_side else "differs"


def _near(printed: float, ours: float) -> bool:
    return abs(ours - printed) <= max(ABSOLUTE, RELATIVE * printed)
