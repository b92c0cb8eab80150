"""Our numbers beside the published ones, number by number, and what they add up to.

An effect is *reproduced* when the estimate and both bounds lie within 0.02 or 3 % of print and P on the same side of 0.05 and of
0.10; it is *exact* when estimate and bounds round to every printed digit. A row that the audit of print, or its own
``inconsistency``, shows to contradict itself or the others is a *misprint* (with the reason), whatever ours are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.intervals import Z_95
from evaluation.effects import MULTIVARIABLE, row_name, selected_terms
from evaluation.published_audit import ROW_KEY, findings_of
from evaluation.tolerance import ABSOLUTE, RELATIVE, exact, half_unit, near

SIGNIFICANCE = (0.05, 0.10)
REPRODUCED, DIFFERS, MISPRINT, NOT_COMPUTED = "reproduced", "differs", "misprint", "not computed"

#: A number of ours that the paper does not give: it stands in the tables, and the bar does not ask for it.
NOT_IN_PRINT = "not in print"

#: What the text says of the second stage: the independent predictors of each population and outcome.
PUBLISHED_SELECTION: dict[tuple[str, str], frozenset[str]] = {
    ("overall", "relapse_6m"): frozenset({"primary_resected"}),
    ("overall", "relapse_12m"): frozenset(),
    ("overall", "dfs"): frozenset({"primary_resected"}),
    ("overall", "os"): frozenset({"ecog_ps", "chemotherapy_duration"}),
    ("primary_resected", "relapse_6m"): frozenset({"pn_stage"}),
    ("primary_resected", "relapse_12m"): frozenset(),
    ("primary_resected", "dfs"): frozenset({"pn_stage", "ras_braf"}),
    ("primary_resected", "os"): frozenset({"ras_braf", "ecog_ps"}),
}


def same_side(printed: str, p_value: float) -> bool:
    """Whether P lies on the printed side of 0.05 and 0.10. A P printed as the level itself may have come from either side."""
    value = float(printed.lstrip("<"))
    if math.isnan(p_value):
        return False
    return all(value == level or (value < level) == (p_value < level) for level in SIGNIFICANCE)


def compare_effects(published: pd.DataFrame, effects: pd.DataFrame, audit: pd.DataFrame) -> pd.DataFrame:
    """Published rows (text) with ours of the population overall.

    Adds ``ours_estimate, ours_ci_low, ours_ci_high, ours_p_value, n_used, n_events``, ``exact``, ``attainable`` (the audit
    does not prove that no data give every digit) and ``verdict``.
    """
    ours = effects[effects["population"] == "overall"].rename(
        columns={c: f"ours_{c}" for c in ("estimate", "ci_low", "ci_high", "p_value")}
    )
    wanted = [*ROW_KEY, "ours_estimate", "ours_ci_low", "ours_ci_high", "ours_p_value", "n_used", "n_events", "note"]
    merged = published.merge(ours[wanted], on=ROW_KEY, how="left", validate="one_to_one")
    contradicted, digits = findings_of(audit, "contradiction"), findings_of(audit, "digits")
    merged["exact"] = [_exact_row(row) for _, row in merged.iterrows()]
    keys = [tuple(map(str, key)) for key in merged[ROW_KEY].to_numpy()]
    merged["attainable"] = [key not in digits and key not in contradicted for key in keys]
    merged["verdict"] = [_verdict(row, contradicted.get(key, "")) for key, (_, row) in zip(keys, merged.iterrows(), strict=True)]
    return merged.drop(columns="note")


def _exact_row(row: pd.Series) -> bool:
    names = ("estimate", "ci_low", "ci_high")
    half = min(half_unit(str(row[name])) for name in names)  # a bare "1" beside two decimals is read with two
    return all(exact(str(row[name]), float(row[f"ours_{name}"]), half) for name in names)


def _verdict(row: pd.Series, contradiction: str) -> str:
    reason = contradiction or str(row.get("inconsistency", ""))
    if reason:
        return f"{MISPRINT} ({reason})"
    if pd.isna(row["ours_estimate"]):
        note = "did not enter the second stage" if row["analysis"] == "multivariable" else "the cohort does not record it"
        return f"{NOT_COMPUTED} ({row['note'] or note})" if isinstance(row["note"], str) else f"{NOT_COMPUTED} ({note})"
    close = near(
        [float(row[n]) for n in ("estimate", "ci_low", "ci_high")], [row[f"ours_{n}"] for n in ("estimate", "ci_low", "ci_high")]
    )
    return REPRODUCED if close.all() and same_side(str(row["p_value"]), float(row["ours_p_value"])) else DIFFERS


def compare_table1(published: pd.DataFrame, ours: pd.DataFrame, audit: pd.DataFrame) -> pd.DataFrame:
    """Published Table 1 (text) with ``ours_baseline, ours_pre_surgery, ours_p_value`` and ``verdict``.

    Counts and quantiles must be those printed, digit by digit; P on the same side of 0.05 and 0.10 and, where printed as "<x",
    below x. Rows of ours alone follow those of their variable, with nothing in the published columns.
    """
    placed = _beside_printed_tests(published, ours)
    renamed = placed.rename(columns={c: f"ours_{c}" for c in ("baseline", "pre_surgery", "p_value")}).drop(columns="test")
    merged = _with_ours_alone(published, renamed, ["variable", "statistic"])
    variables = list(dict.fromkeys(merged["variable"]))
    merged = merged.sort_values("variable", key=lambda names: names.map(variables.index), kind="stable", ignore_index=True)
    findings = _table1_findings(audit)
    merged["verdict"] = [row["verdict"] or _table1_verdict(row, findings) for _, row in merged.iterrows()]
    return merged


def _beside_printed_tests(published: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Ours with the P of a paired test in the row where print has that test: which level comes first is a matter of layout."""
    p_values, tests = list(ours["p_value"]), list(ours["test"])
    rows = {key: row for row, key in enumerate(zip(ours["variable"], ours["statistic"], strict=True))}
    carried = {(key[0], tests[row]): row for key, row in rows.items() if tests[row]}
    for variable, statistic, test in published[["variable", "statistic", "test"]].itertuples(index=False, name=None):
        there, here = carried.get((variable, test)), rows.get((variable, statistic))
        if there is not None and here is not None and there != here:
            p_values[here], tests[here] = p_values[there], tests[there]
            p_values[there], tests[there] = float("nan"), ""
    return ours.assign(p_value=p_values, test=tests)


def _with_ours_alone(published: pd.DataFrame, ours: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Every published row with ours, then the rows of ours alone; ``verdict`` is settled for those and empty for the others."""
    merged = published.merge(ours, on=key, how="left", validate="one_to_one").assign(verdict="")
    sides = ours.merge(published[key], on=key, how="left", indicator=True)
    alone = sides[sides.pop("_merge") == "left_only"]
    blank = {name: "" for name in published.columns if name not in key}
    return pd.concat([merged, alone.assign(**blank, verdict=NOT_IN_PRINT)[merged.columns]], ignore_index=True)


@dataclass(frozen=True)
class _Table1Finding:
    """What the audit says of a variable at a time: of its counts, or of one statistic."""

    variable: str
    when: str
    statistic: str  # "count" or a quantile
    text: str

    @classmethod
    def read(cls, text: str) -> _Table1Finding:
        """From the audit's sentence: "cea (baseline): median 17, but ..." or "presurgery_lobes unilobar: 131 patients ..."."""
        head, _, rest = text.partition(": ")
        name, _, place = head.partition(" ")
        if place in ("(baseline)", "(pre_surgery)"):
            statistic = "count" if rest.startswith("the counts") else rest.partition(" ")[0]
            return cls(name, place.strip("()"), statistic, text)
        when = "pre_surgery" if name.startswith("presurgery_") else "baseline"
        return cls(name.removeprefix("presurgery_").removeprefix("baseline_"), when, "count", text)

    def is_about(self, variable: str, when: str, statistic: str) -> bool:
        return (self.variable, self.when, self.statistic) == (variable, when, statistic.partition(":")[0])


def _table1_findings(audit: pd.DataFrame) -> list[_Table1Finding]:
    rows = audit[audit["table"].str.startswith("Table 1") & (audit["severity"] == "contradiction")]
    return [_Table1Finding.read(str(text)) for text in rows["finding"]]


def _table1_verdict(row: pd.Series, findings: list[_Table1Finding]) -> str:
    cells = [(when, str(row[when]), row[f"ours_{when}"]) for when in ("baseline", "pre_surgery") if row[when]]
    wrong = []
    for when, text, value in cells:
        if pd.isna(value):
            return f"{NOT_COMPUTED} (the cohort does not record it)"
        if not exact(text, float(value)):
            wrong.append(when)
    p_text, p_value = str(row["p_value"]), row["ours_p_value"]
    p_fits = not p_text or (same_side(p_text, p_value) and (p_text[0] != "<" or p_value < float(p_text[1:])))
    if not wrong and p_fits:
        return REPRODUCED
    if not p_fits:
        return DIFFERS  # a finding excuses the cell that it is about, not the test
    for when in wrong:
        for finding in findings:
            if finding.is_about(str(row["variable"]), when, str(row["statistic"])):
                return f"{MISPRINT} ({finding.text})"
    return DIFFERS


def compare_facts(published: pd.DataFrame, ours: pd.DataFrame, audit: pd.DataFrame) -> pd.DataFrame:
    """The text's numbers (as text) with ``ours_value, ours_ci_low, ours_ci_high, ours_p_value`` and ``verdict``.

    A count must be equal; other values and bounds are as exact as printed, or within 0.02 or 3 %; a percentage may be cut off. Of
    a P value alone the printed digits or, as with effects, the sides of 0.05 and 0.10 count. Numbers of ours alone come last.
    """
    renamed = ours.rename(columns={c: f"ours_{c}" for c in ("value", "ci_low", "ci_high", "p_value")})
    merged = _with_ours_alone(published, renamed.drop(columns=["description", "population"]), ["fact"])
    alone = merged["verdict"] == NOT_IN_PRINT
    for name in ("description", "population"):
        merged.loc[alone, name] = merged.loc[alone, "fact"].map(ours.set_index("fact")[name])
    texts = audit.loc[(audit["severity"] == "contradiction") & (audit["table"] == "text"), "finding"]
    reasons = {str(text).partition(":")[0]: str(text) for text in texts}
    merged["verdict"] = [row["verdict"] or _fact_verdict(row, reasons.get(row["fact"], "")) for _, row in merged.iterrows()]
    return merged.drop(columns="note")


def _fact_verdict(row: pd.Series, contradiction: str) -> str:
    if contradiction:
        return f"{MISPRINT} ({contradiction})"
    fits = []
    for name in ("value", "ci_low", "ci_high"):
        text, value = str(row[name]), float(row[f"ours_{name}"])
        if not text:
            continue
        if math.isnan(value):
            return f"{NOT_COMPUTED} ({_reason(row['note'])})"
        fits.append(_same_fact(str(row["fact"]), text, value))
    p_text = str(row["p_value"])
    if p_text:
        p_value = float(row["ours_p_value"])
        if math.isnan(p_value):
            return f"{NOT_COMPUTED} ({_reason(row['note'])})"
        fits.append(p_value < float(p_text[1:]) if p_text[0] == "<" else same_side(p_text, p_value))
    return REPRODUCED if all(fits) else DIFFERS


def _reason(note: object) -> str:
    return note if isinstance(note, str) and note else "no value"


def _same_fact(name: str, text: str, value: float) -> bool:
    if name.startswith("n_"):
        return value == float(text)
    if name.startswith("pct_"):
        return exact(text, value) or math.floor(value) == float(text)
    if name.endswith("_at_least"):
        return float(text) <= value < float(text) + 1  # "longer than 27 months"
    return exact(text, value) or bool(near(float(text), value))


def verdict_word(verdict: str) -> str:
    """The verdict without its reason."""
    return verdict.partition(" (")[0]


def against_the_bar(compared: pd.DataFrame) -> pd.DataFrame:
    """The rows that count against us: all that print gives soundly and we do not reproduce, computed or not."""
    return compared[~compared["verdict"].map(verdict_word).isin([REPRODUCED, MISPRINT, NOT_IN_PRINT])]


def selection_table(effects: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """The independent predictors of the second stage beside the paper's.

    For all patients the paper also prints which terms entered: ``terms`` says how ours differ, and they must not for ``agree``.
    Populations that the effects do not hold have no rows.
    """
    ours = selected_terms(effects).set_index(["population", "outcome"])
    rows = []
    for (population, outcome), wanted in PUBLISHED_SELECTION.items():
        if (population, outcome) not in ours.index:
            continue  # the cohort cannot form this population
        got = {t for t in str(ours.loc[(population, outcome), "independent"]).split(", ") if t}
        terms = _terms_differ(effects, published, outcome) if population == "overall" else ""
        rows.append(
            {
                "population": population,
                "outcome": outcome,
                "published": ", ".join(sorted(wanted)) or "none",
                "ours": ", ".join(sorted(got)) or "none",
                "terms": terms,
                "agree": got == wanted and not terms,
            }
        )
    return pd.DataFrame(rows, columns=["population", "outcome", "published", "ours", "terms", "agree"])


def _terms_differ(effects: pd.DataFrame, published: pd.DataFrame, outcome: str) -> str:
    """Which terms of the second stage in all patients only one side has; empty where they are the same."""
    mine = effects[
        (effects["population"] == "overall") & (effects["outcome"] == outcome) & (effects["analysis"] == MULTIVARIABLE)
    ]
    print_ = published[(published["outcome"] == outcome) & (published["analysis"] == MULTIVARIABLE)]
    here, there = (set(map(row_name, table["variable"], table["level"])) for table in (mine, print_))
    parts = [
        f"{word} {', '.join(sorted(names))}"
        for word, names in (("only here:", here - there), ("only in print:", there - here))
        if names
    ]
    return "; ".join(parts)


def loosely_asked(effects: pd.DataFrame) -> int:
    """How many reproduced effects have a tolerance wider than half their standard error: 0.02 is much for a ratio per mm."""
    reproduced = effects[effects["verdict"] == REPRODUCED]
    estimate, low, high = (reproduced[f"ours_{name}"].astype(float) for name in ("estimate", "ci_low", "ci_high"))
    error = (np.log(high) - np.log(low)) / (2 * Z_95)
    allowed = np.maximum(ABSOLUTE, RELATIVE * estimate) / estimate
    return int((allowed > error / 2).sum())


def summary(effects: pd.DataFrame, table1: pd.DataFrame, facts: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """The bar: one row a criterion with ``got`` of ``of``, the ``share`` in percent, the ``target`` and whether it is ``met``.

    Misprints, and numbers that print lacks, count nowhere.
    Exactness is asked of the rows of which no proof says that no data give every digit.
    """
    sound = effects[effects["verdict"].map(verdict_word) != MISPRINT]
    exact_of = sound[sound["attainable"]]
    cells = table1[~table1["verdict"].map(verdict_word).isin([MISPRINT, NOT_IN_PRINT])]
    counts = cells["statistic"].str.startswith("count:") | cells["statistic"].isin(["missing", "not_applicable"])
    told = facts[~facts["verdict"].map(verdict_word).isin([MISPRINT, NOT_IN_PRINT])]
    rows = [
        ("effects reproduced", int((sound["verdict"] == REPRODUCED).sum()), len(sound), 95.0),
        ("effects exact to every digit", int(exact_of["exact"].sum()), len(exact_of), 70.0),
        ("Table 1: counts exact", int((cells[counts]["verdict"] == REPRODUCED).sum()), int(counts.sum()), 100.0),
        (
            "Table 1: medians, quartiles, ranges exact",
            int((cells[~counts]["verdict"] == REPRODUCED).sum()),
            int((~counts).sum()),
            100.0,
        ),
        ("numbers of the text", int((told["verdict"] == REPRODUCED).sum()), len(told), 90.0),
        ("final predictors of the two-stage procedure", int(selection["agree"].sum()), len(selection), 100.0),
    ]
    table = pd.DataFrame(rows, columns=["criterion", "got", "of", "target"])
    table["share"] = 100 * table["got"] / table["of"].where(table["of"] > 0)
    table["met"] = table["share"] >= table["target"]
    return table[["criterion", "got", "of", "share", "target", "met"]]
