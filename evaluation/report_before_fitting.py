"""The report's words on what was looked at before fitting: missing values, duplicates, single predictors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from evaluation.data_audit import DataAudit, Duplicates
from evaluation.figures import feature_set_label, level_label, p_text, population_label, variable_label
from evaluation.leak_audit import FIELD_BEST_AUC
from evaluation.missingness import SMALLEST_CELL, Missingness
from features.encode import LEVEL, factor_of

#: Single predictors shown; all are in the csv.
_MOST_SINGLE = 15


@dataclass(frozen=True, eq=False)
class BeforeFitting:
    """What was looked at before fitting; empty, its part of the report is left out."""

    missingness: tuple[Missingness, ...] = ()
    audit: DataAudit = field(default_factory=DataAudit)

    def __bool__(self) -> bool:
        return bool(self.missingness)


@dataclass(frozen=True)
class TextTable:
    """``heads`` and ``rows`` as they are printed; the first column is a name, the others numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class BeforeFittingView:
    missing: tuple[tuple[str, tuple[TextTable, ...]], ...]
    """a sentence a population, and its tables"""
    duplicates: tuple[str, ...]
    known_at: str
    single: tuple[TextTable, ...]


def before_fitting_view(found: BeforeFitting) -> BeforeFittingView:
    return BeforeFittingView(
        missing=tuple((_sentence(m), tuple(_tables(m))) for m in found.missingness),
        duplicates=tuple(map(_duplicates, found.audit.duplicates)),
        known_at=_known_at(found.audit.known_at),
        single=tuple(_single(found.audit.single)),
    )


def _sentence(m: Missingness) -> str:
    if m.predictors.empty:
        return f"{m.label}: no value of {m.n_predictors} predictors is missing in {m.n_patients} patients."
    order = {
        True: " Gaps are monotone (nested), so that predictors can be imputed one after another.",
        False: " Gaps are not monotone: no order of the predictors nests them.",
        None: "",
    }[m.monotone]
    related = m.predictors[m.predictors["log_rank_p_holm"] < 0.05]
    tested = int(m.predictors["log_rank_p"].notna().sum())
    relation = (
        f" Missingness goes with disease-free survival in {', '.join(related['label'])} (log-rank test, Holm's P below 0.05)."
        if len(related)
        else f" In none of {tested} tested does missingness go with disease-free survival (log-rank test, Holm's P); this is no"
        " proof that values are missing at random."
        if tested
        else ""
    )
    return (
        f"{m.label}: {m.n_complete} of {m.n_patients} patients ({100 * m.n_complete / m.n_patients:.0f}%) have all"
        f" {m.n_predictors} predictors; {len(m.predictors)} predictors have gaps.{order}{relation}"
    )


def _tables(m: Missingness) -> Iterator[TextTable]:
    if m.predictors.empty:
        return
    heads = ("Predictor", "Missing", "O/E where known", "O/E where missing", "Log-rank P", "Holm's P")
    yield TextTable(
        f"Missing predictors – {m.label.lower()}", heads, tuple(_predictor(row) for _, row in m.predictors.iterrows())
    )
    rows = [(str(r["missing"]) or "none: complete", f"{r['n']}", f"{r['percent']:.0f}%") for _, r in m.patterns.iterrows()]
    if m.n_other_patterns:
        few = m.n_other_patients < SMALLEST_CELL
        count = f"fewer than {SMALLEST_CELL}" if few else str(m.n_other_patients)
        share = "" if few else f"{100 * m.n_other_patients / m.n_patients:.0f}%"
        rows.append((f"{m.n_other_patterns} other patterns, rarer or of fewer than {SMALLEST_CELL} patients", count, share))
    yield TextTable(f"What is missing together – {m.label.lower()}", ("Missing", "Patients", "Share"), tuple(rows))


def _predictor(row: pd.Series) -> tuple[str, ...]:
    share = f"{row['n_missing']} of {row['n']} ({row['percent']:.0f}%)"
    if row["note"]:
        return str(row["label"]), share, "–", "–", str(row["note"]), "–"
    ratios = (f"{row['events_known']:.2f}", f"{row['events_missing']:.2f}")
    return str(row["label"]), share, *ratios, p_text(row["log_rank_p"]), p_text(row["log_rank_p_holm"])


def _duplicates(d: Duplicates) -> str:
    where = population_label(d.population)
    if not d.n_predictors:
        return f"{where}: duplicates could not be looked for, there is no predictor."
    if not d.n_groups:
        return f"{where}: no two of {d.n_patients} patients agree in all {d.n_predictors} predictors."
    same, apart = int(d.table["same_outcome"].sum()), int((d.table["repeats_apart"] > 0).sum())
    return (
        f"{where}: {len(d.table)} patients in {d.n_groups} groups agree in all {d.n_predictors} predictors under different ids,"
        f" {same} of them in times and events too; {apart} of them stood on both sides of a split. Were predictors independent,"
        f" {d.expected_pairs:.2g} pairs would agree by chance. The ids are in duplicates.csv."
    )


def _known_at(checked: tuple[tuple[str, int], ...]) -> str:
    if not checked:
        return ""
    told = ", ".join(f"{feature_set_label(name).lower()}: {count}" for name, count in checked)
    return f"No predictor is known later than its feature set allows ({told}); a later one would have stopped the run."


def _single(single: pd.DataFrame) -> Iterator[TextTable]:
    for (population, horizon), rows in single.groupby(["population", "horizon_months"], sort=False):
        known = rows[rows["auc"].notna()].drop_duplicates("predictor")
        best = (
            known.assign(away=(known["auc"] - 0.5).abs()).sort_values("away", ascending=False, kind="stable").head(_MOST_SINGLE)
        )
        title = f"Single predictors, furthest from 0.5 first, {horizon:g} months – {population_label(str(population)).lower()}"
        heads = ("Predictor", "Known in", "AUC alone", "95% interval", f"Beyond {FIELD_BEST_AUC:g}")
        yield TextTable(f"{title} ({len(best)} of {len(rows)})", heads, tuple(_single_row(row) for _, row in best.iterrows()))


def _single_row(row: pd.Series) -> tuple[str, ...]:
    interval = f"{row['ci_low']:.2f} to {row['ci_high']:.2f}" if pd.notna(row["ci_low"]) else str(row["note"])
    suspect = "yes" if abs(row["auc"] - 0.5) > FIELD_BEST_AUC - 0.5 else "no"
    column = str(row["predictor"])
    name = factor_of(column)
    level = column.removeprefix(name).removeprefix(LEVEL)
    label = f"{variable_label(name)} ({level_label(level)})" if level else variable_label(name)
    return label, str(row["n"]), f"{row['auc']:.2f}", interval, suspect
