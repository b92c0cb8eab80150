"""Do the published numbers agree with each other? Computed from the printed tables alone.

Each check is a function that yields findings. Three grades:

- ``contradiction``: no data whatever give the row (or not beside the rest of the paper);
- ``digits``: no data give every printed digit, but some come within the tolerance of a reproduction;
- ``doubt``: possible, or a matter of how a digit was rounded, but a slip is likelier.

Print is taken as rounded, so a number stands for an interval of half a unit of its last digit to either side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from cohort.intervals import Z_95
from cohort.reconstruct.published import EVENTS, N_PATIENTS
from evaluation.tolerance import half_unit, near

AUDIT_COLUMNS = ["table", "outcome", "analysis", "variable", "form", "level", "check", "severity", "finding"]
ROW_KEY = ["outcome", "analysis", "variable", "form", "level"]


#: A covariate needs this much more events than the other rows of its table imply before its interval is called impossible.
_EVENTS_MARGIN = 1.15

#: The median row's count of events is good to a few percent.
_RELAPSES_MARGIN = 1.05

#: By how much the information may change between no effect and the estimate before scores are called contradictory.
_CURVATURE = 2.0


@dataclass(frozen=True)
class Finding:
    """``row`` is a row of the published effects, None where a whole table or the text is meant."""

    severity: str
    text: str
    row: pd.Series | None = None
    table: str = ""


@dataclass(frozen=True)
class Published:
    """The published tables as text."""

    effects: pd.DataFrame
    table1: pd.DataFrame
    facts: pd.DataFrame


def audit(effects: pd.DataFrame, table1: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """All findings, columns :data:`AUDIT_COLUMNS`. The arguments hold the published numbers as text."""
    published = Published(effects, table1, facts)
    rows = []
    for name, check in CHECKS.items():
        for finding in check(published):
            key = {c: "" if finding.row is None else str(finding.row[c]) for c in ("table", *ROW_KEY)}
            rows.append({**key, "check": name, "severity": finding.severity, "finding": finding.text})
            if finding.row is None:
                rows[-1]["table"] = finding.table
    return pd.DataFrame(rows, columns=AUDIT_COLUMNS)


def findings_of(found: pd.DataFrame, severity: str) -> dict[tuple[str, ...], str]:
    """Row key -> reasons, of the effects with a finding of one severity."""
    rows = found[(found["severity"] == severity) & (found["outcome"] != "")]
    grouped = rows.groupby(ROW_KEY, sort=False)["finding"]
    return {tuple(map(str, key)): "; ".join(texts) for key, texts in grouped}


# ---- a row by itself


def _ranges(row: pd.Series) -> tuple[tuple[float, float], ...]:
    """What estimate and bounds may have been before rounding. A bare "1" beside two decimals is read with two."""
    texts = [str(row[name]) for name in ("estimate", "ci_low", "ci_high")]
    half = min(half_unit(text) for text in texts)
    return tuple((max(float(text) - half, 1e-6), float(text) + half) for text in texts)


def interval_centre(published: Published) -> Iterator[Finding]:
    """A Wald interval is symmetric on the log scale: the estimate is the geometric mean of its bounds."""
    for _, row in published.effects.iterrows():
        estimate, low, high = _ranges(row)
        least, most = math.sqrt(low[0] * high[0]), math.sqrt(low[1] * high[1])
        if most < estimate[0] or least > estimate[1]:
            text = f"{row['ci_low']}-{row['ci_high']} is centred on {least:.3f} to {most:.3f}, not on {row['estimate']}"
            gap = max(estimate[0] - most, least - estimate[1])
            yield Finding("digits" if gap < half_unit(str(row["estimate"])) else "contradiction", text, row)


def p_range(row: pd.Series) -> tuple[float, float]:
    """Smallest and largest two-sided P that the printed estimate and interval leave possible."""
    estimate, low, high = _ranges(row)
    narrow = max((math.log(high[0]) - math.log(low[1])) / (2 * Z_95), 1e-9)
    wide = (math.log(high[1]) - math.log(low[0])) / (2 * Z_95)
    ends = [math.log(value) for value in estimate]
    closest = 0.0 if ends[0] <= 0 <= ends[1] else min(map(abs, ends))
    return 2 * float(norm.sf(max(map(abs, ends)) / narrow)), 2 * float(norm.sf(closest / wide))


def p_from_interval(published: Published) -> Iterator[Finding]:
    """P follows from the estimate and its interval."""
    for _, row in published.effects.iterrows():
        text = str(row["p_value"])
        printed = float(text.lstrip("<"))
        least, most = p_range(row)
        low, high = (0.0, printed) if text.startswith("<") else (printed - half_unit(text), printed + half_unit(text))
        if high < least or low > most:
            cut_off = max(least - high, low - most) < 2 * half_unit(text) and not text.startswith("<")
            finding = f"P {text} does not follow from the interval, which implies {least:.3g} to {most:.3g}"
            yield Finding("doubt" if cut_off else "contradiction", finding, row)


# ---- the tables behind the odds ratios


@dataclass(frozen=True, eq=False)
class Tables:
    """All 2x2 tables of a row: events at the level and the reference, odds ratio with bounds (k, 3)."""

    events: np.ndarray
    ratios: np.ndarray

    @classmethod
    def of(cls, n_level: int, n_reference: int) -> Tables:
        a, c = (g.ravel() for g in np.meshgrid(np.arange(1, n_level), np.arange(1, n_reference), indexing="ij"))
        b, d = n_level - a, n_reference - c
        log_ratio = np.log(a * d / (b * c))
        error = np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        return cls(
            np.stack([a, c], axis=1), np.exp(np.stack([log_ratio, log_ratio - Z_95 * error, log_ratio + Z_95 * error], axis=1))
        )

    def exact(self, row: pd.Series) -> np.ndarray:
        """(k,) tables that round to all three printed numbers."""
        ranges = np.array(_ranges(row))
        inside = (self.ratios >= ranges[:, 0] - 1e-9) & (self.ratios <= ranges[:, 1] + 1e-9)
        return np.asarray(inside.all(axis=1))


def _odds_ratio_rows(effects: pd.DataFrame) -> pd.DataFrame:
    """Univariate odds ratios of two groups."""
    chosen = effects["outcome"].isin(EVENTS) & (effects["analysis"] == "univariate") & (effects["form"] == "categorical")
    return effects[chosen]


def whole_numbers(published: Published) -> Iterator[Finding]:
    """An odds ratio with its interval comes from whole numbers of patients: all tables with the right events are tried."""
    for _, row in _odds_ratio_rows(published.effects).iterrows():
        n_level, n_reference = int(row["n_level"]), int(row["n_reference"])
        tables = Tables.of(n_level, n_reference)
        unseen = EVENTS[str(row["outcome"])] - tables.events.sum(axis=1)  # events of patients in neither group
        possible = (unseen >= 0) & (unseen <= N_PATIENTS - n_level - n_reference)
        if (possible & tables.exact(row)).any():
            continue
        ratios = tables.ratios[possible]
        printed = np.array([float(row[name]) for name in ("estimate", "ci_low", "ci_high")])
        close = near(printed, ratios).all(axis=1)
        if close.any():
            best = ratios[close][np.abs(ratios[close] - printed).sum(axis=1).argmin()]
            shown = f"{best[0]:.3f} ({best[1]:.3f}-{best[2]:.3f})"
            yield Finding(
                "digits", f"no table of {n_level} and {n_reference} patients rounds to print; the nearest gives {shown}", row
            )
        else:
            text = f"no table of {n_level} and {n_reference} patients gives the row, not even within 0.02 or 3 %"
            yield Finding("contradiction", text, row)


def implied_events(published: Published) -> dict[str, int]:
    """Events by each horizon, as the most rows of Table 2 imply (rows in which nobody is missing)."""
    found: dict[str, int] = {}
    for outcome, rows in _odds_ratio_rows(published.effects).groupby("outcome"):
        votes = np.zeros(N_PATIENTS + 1, dtype=int)
        for _, row in rows.iterrows():
            n_level, n_reference = int(row["n_level"]), int(row["n_reference"])
            if n_level + n_reference == N_PATIENTS:
                tables = Tables.of(n_level, n_reference)
                votes[np.unique(tables.events[tables.exact(row)].sum(axis=1))] += 1
        found[str(outcome)] = int(votes.argmax())
    return found


def events_by_horizon(published: Published) -> Iterator[Finding]:
    """The text's numbers of early events against those that the odds ratios of Table 2 imply.

    Relapses by 12 months may be fewer than relapses and deaths; then the deaths without relapse must fit the events of DFS that
    the intervals of Table 3 imply.
    """
    stated = published.facts.set_index("fact")["value"]
    implied = implied_events(published)
    for outcome, fact in (("relapse_6m", "n_early_6m"), ("relapse_12m", "n_relapse_12m")):
        if outcome not in implied or fact not in stated or int(float(stated[fact])) == implied[outcome]:
            continue
        text = f"{fact}: the text gives {stated[fact]}, the odds ratios of Table 2 come from {implied[outcome]} events"
        deaths = implied[outcome] - int(float(stated[fact]))
        likely = _events_of("dfs", published.effects)
        if fact == "n_relapse_12m" and deaths > 0 and "n_relapse" in stated and likely is not None:
            total = int(float(stated["n_relapse"])) + deaths
            text += (
                f"; {deaths} deaths without relapse beside {stated['n_relapse']} relapses in all would make {total} events of "
            )
            text += f"DFS, the intervals of Table 3 imply about {likely:.0f}"
            if total <= _RELAPSES_MARGIN * likely:
                yield Finding("doubt", text, table="text")
                continue
        yield Finding("contradiction", text, table="text")


# ---- the events behind the hazard ratios


def least_events(row: pd.Series) -> float:
    """Fewest events that allow the interval: the variance of a 0/1 covariate is at most 1/4, so d >= 4 / error squared."""
    _, low, high = _ranges(row)
    widest = (math.log(high[1]) - math.log(low[0])) / (2 * Z_95)
    return 4 / widest**2


def _typical_events(rows: pd.DataFrame) -> float:
    """Events as the median row implies, from the share of its groups."""
    found = []
    for _, row in rows.iterrows():
        error = max((math.log(float(row["ci_high"])) - math.log(float(row["ci_low"]))) / (2 * Z_95), 1e-6)
        share = int(row["n_level"]) / (int(row["n_level"]) + int(row["n_reference"]))
        found.append(N_PATIENTS / (int(row["n_level"]) + int(row["n_reference"])) / (share * (1 - share) * error**2))
    return float(np.median(found))


def _two_groups(outcome: str, effects: pd.DataFrame) -> pd.DataFrame:
    """Univariate hazard ratios of two groups."""
    chosen = (effects["outcome"] == outcome) & (effects["analysis"] == "univariate") & (effects["form"] == "categorical")
    return effects[chosen]


def _events_of(outcome: str, effects: pd.DataFrame) -> float | None:
    """Events that the intervals of the rows in which nobody is missing imply, None where there is no such row."""
    rows = _two_groups(outcome, effects)
    whole = rows[rows["n_level"].astype(int) + rows["n_reference"].astype(int) == N_PATIENTS]
    return None if whole.empty else _typical_events(whole)


def events_of_intervals(published: Published) -> Iterator[Finding]:
    """No interval of a two-level covariate is narrower than its events allow."""
    for outcome in ("dfs", "os"):
        typical = _events_of(outcome, published.effects)
        if typical is None:
            continue
        for _, row in _two_groups(outcome, published.effects).iterrows():
            needed = least_events(row)
            if needed > _EVENTS_MARGIN * typical:
                text = f"the interval needs at least {needed:.0f} events, the other rows of {outcome} imply about {typical:.0f}"
                yield Finding("contradiction", text, row)


def score_range(row: pd.Series) -> tuple[float, float]:
    """About what the score of a covariate is at no effect, estimate / error squared, at least and at most."""
    estimate, low, high = _ranges(row)
    narrow = max((math.log(high[0]) - math.log(low[1])) / (2 * Z_95), 1e-9)
    wide = (math.log(high[1]) - math.log(low[0])) / (2 * Z_95)
    found = [math.log(value) / error**2 for value in estimate for error in (narrow, wide)]
    return min(found), max(found)


def _apart(below: float, above: float) -> bool:
    """Whether ``above`` is larger than ``below`` by more than a changed information explains."""
    return above > max(below * _CURVATURE, below / _CURVATURE)


def scores_add_up(published: Published) -> Iterator[Finding]:
    """Lesions at baseline are those before surgery and those that vanished: so their scores add up at no effect.

    The information changes on the way from no effect to the estimate, hence the factor.
    """
    effects = published.effects
    rows = effects[(effects["analysis"] == "univariate") & (effects["form"] == "continuous")]
    for outcome, group in rows.groupby("outcome", sort=False):
        found = {str(row["variable"]): row for _, row in group.iterrows()}
        if not {"baseline_lesions", "presurgery_lesions", "vanished_lesions"} <= set(found):
            continue
        whole, *parts = (score_range(found[f"{name}_lesions"]) for name in ("baseline", "presurgery", "vanished"))
        least, most = (sum(part[end] for part in parts) for end in (0, 1))
        if _apart(most, whole[0]) or _apart(whole[1], least):
            text = (
                f"lesions before surgery and vanished lesions have scores that add up to {least:.0f} to {most:.0f}, "
                f"those at baseline {whole[0]:.0f} to {whole[1]:.0f} ({outcome})"
            )
            yield Finding("doubt", text, found["presurgery_lesions"])


def repeated_rows(published: Published) -> Iterator[Finding]:
    """The same numbers for two outcomes: one of them was copied."""
    numbers = ["estimate", "ci_low", "ci_high", "p_value"]
    for _, group in published.effects.groupby(["analysis", "variable", "form", "level", *numbers], sort=False):
        if len(group) > 1:
            first, second = group.iloc[0], group.iloc[1]
            yield Finding("doubt", f"repeats the row of {first['outcome']}, digit by digit", second)


# ---- Table 1


def _table1_cells(table1: pd.DataFrame) -> Iterator[tuple[str, str, dict[str, str]]]:
    for variable, rows in table1.groupby("variable", sort=False):
        for when in ("baseline", "pre_surgery"):
            cells = {str(r["statistic"]): str(r[when]) for _, r in rows.iterrows() if r[when]}
            if cells:
                yield str(variable), when, cells


def counts_add_up(published: Published) -> Iterator[Finding]:
    """Levels and missing values make all patients."""
    for variable, when, cells in _table1_cells(published.table1):
        counts = [int(v) for k, v in cells.items() if k.startswith("count:") or k in ("missing", "not_applicable")]
        if counts and sum(counts) != N_PATIENTS:
            yield Finding(
                "contradiction", f"{variable} ({when}): the counts make {sum(counts)}, not {N_PATIENTS}", table="Table 1"
            )


def median_and_counts(published: Published) -> Iterator[Finding]:
    """A quartile lies on the side of a cut that the counts say."""
    for variable, when, cells in _table1_cells(published.table1):
        cuts = [k.removeprefix("count:>=") for k in cells if k.startswith("count:>=")]
        for cut in cuts:
            above, below = int(cells[f"count:>={cut}"]), int(cells.get(f"count:<{cut}", 0))
            for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
                if name not in cells:
                    continue
                position = (above + below - 1) * share
                low, high = float(cells[name]) - half_unit(cells[name]), float(cells[name]) + half_unit(cells[name])
                # Between the two order statistics that the quantile lies between.
                all_below, all_above = math.ceil(position) < below, math.floor(position) >= below
                if (all_below and low >= float(cut)) or (all_above and high < float(cut)):
                    text = f"{variable} ({when}): {name} {cells[name]}, but {below} of {above + below} are below {cut}"
                    yield Finding("contradiction", text, table="Table 1")


def counts_across_tables(published: Published) -> Iterator[Finding]:
    """Group sizes of Tables 2 and 3 are those of Table 1."""
    cells = {(v, w): c for v, w, c in _table1_cells(published.table1)}
    seen: set[tuple[str, str]] = set()
    for _, row in published.effects[published.effects["form"] == "categorical"].iterrows():
        name, level = str(row["variable"]), str(row["level"])
        when = "pre_surgery" if name.startswith("presurgery_") else "baseline"
        short = name.removeprefix("baseline_").removeprefix("presurgery_")
        printed = cells.get((short, when), {}).get(f"count:{level.removesuffix(' years')}")
        if printed and printed != str(row["n_level"]) and (name, level) not in seen:
            seen.add((name, level))
            text = f"{name} {level}: {row['n_level']} patients here, {printed} in Table 1"
            yield Finding("contradiction", text, table=f"Table 1, {row['table']}")


CHECKS: dict[str, Callable[[Published], Iterator[Finding]]] = {
    check.__name__: check
    for check in (
        interval_centre, p_from_interval, whole_numbers, events_by_horizon, events_of_intervals, scores_add_up, repeated_rows,
        counts_add_up, median_and_counts, counts_across_tables,
    )
}  # fmt: skip
