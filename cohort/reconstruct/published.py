"""The published numbers, read from ``published/*.csv``.

Source: Moretto et al., ESMO Open 2024, doi 10.1016/j.esmoop.2024.102991, CC BY 4.0. Numbers are kept as printed, so that
the printed precision is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from cohort.intervals import Z_95

FOLDER = Path(__file__).parent / "published"

N_PATIENTS = 268

#: Events by each horizon. The text gives 96 by 6 months. It gives 149 relapses by 12 months, but the odds ratios of Table 2 fit
#: only 161 events: relapse or death.
EVENTS = {"relapse_6m": 96, "relapse_12m": 161}


@dataclass(frozen=True)
class Printed:
    """A number as printed; ``agrees`` asks whether another number would have been printed so."""

    text: str

    @property
    def value(self) -> float:
        return float(self.text)

    @property
    def decimals(self) -> int:
        return len(self.text.partition(".")[2])

    def agrees(self, number: float) -> bool:
        """Rounded half up or half to even: the paper does not say, so both edges are accepted."""
        return abs(number - self.value) <= 0.5 * 10.0**-self.decimals + 1e-9


@dataclass(frozen=True)
class Effect:
    """One odds ratio of Table 2, univariate, of a level against the reference level."""

    variable: str
    outcome: str
    level: str
    reference: str
    n_level: int
    n_reference: int
    estimate: Printed
    ci_low: Printed
    ci_high: Printed
    p_value: Printed

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.outcome, self.variable, self.level)


@cache
def table1() -> pd.DataFrame:
    """Table 1 as text, one row a variable and statistic."""
    return pd.read_csv(FOLDER / "table1.csv", dtype=str, keep_default_na=False)


@cache
def effects() -> pd.DataFrame:
    """Tables 2 and 3 as text, one row an estimate."""
    return pd.read_csv(FOLDER / "effects.csv", dtype=str, keep_default_na=False)


@cache
def facts_as_printed() -> pd.DataFrame:
    """The numbers of the text as text, one row a number."""
    return pd.read_csv(FOLDER / "facts.csv", dtype=str, keep_default_na=False)


@cache
def facts() -> dict[str, float]:
    """The numbers of the text that are plain numbers, by name."""
    rows = facts_as_printed()
    return {str(r.fact): float(str(r.value)) for r in rows.itertuples() if r.value}


def interval(name: str) -> tuple[float, float, float]:
    """A number of the text with its 95 % interval."""
    rows = facts_as_printed().set_index("fact")
    value, low, high = (float(str(rows.loc[name, column])) for column in ("value", "ci_low", "ci_high"))
    return value, low, high


def fact(name: str) -> int:
    """A count of the text."""
    return round(facts()[name])


def printed(variable: str, statistic: str, when: str = "baseline") -> Printed | None:
    """One cell of Table 1, or None where nothing is printed; ``when`` is ``baseline`` or ``pre_surgery``."""
    rows = table1()
    cell = rows.loc[(rows["variable"] == variable) & (rows["statistic"] == statistic), when]
    return Printed(str(cell.iloc[0])) if len(cell) and cell.iloc[0] else None


def count(variable: str, level: str, when: str = "baseline") -> int:
    """A count of Table 1; 0 where the level is not listed."""
    cell = printed(variable, f"count:{level}" if level not in ("missing", "not_applicable") else level, when)
    return 0 if cell is None else int(cell.value)


@cache
def categorical_odds_ratios() -> tuple[Effect, ...]:
    """Table 2's univariate odds ratios of categories, in the order of the table."""
    rows = effects()
    wanted = rows[rows["outcome"].isin(EVENTS) & (rows["analysis"] == "univariate") & (rows["form"] == "categorical")]
    return tuple(
        Effect(
            str(r.variable),
            str(r.outcome),
            str(r.level),
            str(r.reference),
            int(str(r.n_level)),
            int(str(r.n_reference)),
            Printed(str(r.estimate)),
            Printed(str(r.ci_low)),
            Printed(str(r.ci_high)),
            Printed(str(r.p_value)),
        )
        for r in wanted.itertuples()
    )


@cache
def supplementary_effects() -> dict[tuple[str, str, str], tuple[Printed, Printed, Printed]]:
    """(outcome, variable, level) -> ratio and bounds that the text gives of Supplementary Tables S1 and S2, multivariable."""
    rows = facts_as_printed().set_index("fact")
    names = {
        "or_pn_positive_6m_multivariable": ("relapse_6m", "pn_stage", "n1_2"),
        "hr_pn_positive_dfs_multivariable": ("dfs", "pn_stage", "n1_2"),
        "hr_braf_dfs_multivariable": ("dfs", "ras_braf", "braf_mutated"),
        "hr_braf_os_multivariable": ("os", "ras_braf", "braf_mutated"),
        "hr_ecog_os_multivariable": ("os", "ecog_ps", "1-2"),
    }
    cells = {key: rows.loc[name, ["value", "ci_low", "ci_high"]] for name, key in names.items()}
    return {key: (Printed(str(a)), Printed(str(b)), Printed(str(c))) for key, (a, b, c) in cells.items()}


def is_at_level(frame: pd.DataFrame, variable: str, level: str) -> pd.Series:
    """Which patients of ``frame`` are at a level as Tables 1 to 3 name it (``>=65 years``, ``1-2``, ``yes``); missing: False."""
    if variable == "mri_any":
        imaged = (frame["baseline_mri"] == "yes") | (frame["presurgery_mri"] == "yes")
        return imaged if level == "yes" else ~imaged
    values = frame[variable]
    if level[:1] in "<>":
        threshold = float(level.lstrip("<>=").split()[0])
        return (values >= threshold) if level.startswith(">=") else (values < threshold)
    if level in ("yes", "no") and pd.api.types.is_numeric_dtype(values):
        return (values >= 1) if level == "yes" else (values == 0)
    if variable == "ecog_ps" and level == "1-2":
        return values.isin(["1", "2"])
    return values == level


def odds_ratio(events_level: int, n_level: int, events_reference: int, n_reference: int) -> tuple[float, float, float]:
    """Odds ratio and Wald 95% interval of a 2x2 table, as univariate logistic regression gives them."""
    a, b = events_level, n_level - events_level
    c, d = events_reference, n_reference - events_reference
    log_ratio = math.log(a * d / (b * c))
    half_width = Z_95 * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return math.exp(log_ratio), math.exp(log_ratio - half_width), math.exp(log_ratio + half_width)
