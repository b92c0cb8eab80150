"""The leaderboard as people see it: rows of text for Prefect's artifact and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cohort.types import ENDPOINTS, POPULATIONS
from evaluation.verdict import Verdict
from models.registry import MODELS

_SHOWN = {
    "auc": "AUC",
    "c_uno": "Uno's C",
    "brier": "Brier",
    "calibration_slope": "Slope",
    "o_e": "O/E",
}
#: What fits a terminal of 120 columns.
_PRINTED = ("auc", "brier", "calibration_slope", "o_e")


def with_interval(row: pd.Series, metric: str) -> str:
    """``0.61 (0.55, 0.67)``, or a dash."""
    value, low, high = row[metric], row[f"{metric}_ci_low"], row[f"{metric}_ci_high"]
    digits = 3 if metric == "brier" else 2
    if pd.isna(value):
        return "–"
    interval = "" if pd.isna(low) else f" ({low:.{digits}f}, {high:.{digits}f})"
    return f"{value:.{digits}f}{interval}"


def artifact_rows(board: pd.DataFrame) -> list[dict[str, str]]:
    """One row a cell for Prefect's table artifact: aggregates only."""
    return [
        {
            "population": row["population"],
            "endpoint": row["endpoint"],
            "rank": "" if pd.isna(row["rank"]) else str(row["rank"]),
            "model": MODELS[row["model"]].label,
            "feature set": row["feature_set"],
            "events / patients": "" if pd.isna(row["n"]) else f"{row['n_events']:.0f} / {row['n']:.0f}",
            **{label: with_interval(row, metric) for metric, label in _SHOWN.items()},
            "status": row["status"],
        }
        for _, row in board.iterrows()
    ]


def print_leaderboard(board: pd.DataFrame, console: Console) -> None:
    """The first population's leaderboards in full, and a line for each of the others."""
    populations = list(dict.fromkeys(board["population"]))
    for (population, endpoint), rows in board.groupby(["population", "endpoint"], sort=False):
        done = rows[rows["status"] == "completed"]
        title = question_title(str(endpoint), str(population))
        if done.empty:
            ended = ", ".join(f"{count} {status}" for status, count in rows["status"].value_counts().items())
            console.print(f"[bold]{title}[/bold]: nothing completed; {ended}: {rows['note'].iloc[0]}")
        elif population == populations[0]:
            console.print(question_table(title, done))
        else:
            console.print(f"[bold]{title}[/bold]: {summary(done)}")


def print_verdicts(verdicts: Iterable[Verdict], console: Console) -> None:
    """A line a question."""
    console.print("\n[bold]Verdict[/bold]")
    for verdict in verdicts:
        console.print(f"[bold]{verdict.question}[/bold]: {escape(verdict.headline)}")


def summary(done: pd.DataFrame) -> str:
    """How far the models get, in a sentence."""
    models = done[done["model"] != "null_model"]
    if models.empty:
        return "the null model only"
    if models["auc"].isna().all():
        return "no AUC could be estimated"
    best = models.sort_values("auc", ascending=False).iloc[0]
    above = int((models["auc_ci_low"] > 0.5).sum())
    label = MODELS[best["model"]].label
    return (
        f"highest AUC {with_interval(best, 'auc')}, {label} on {best['feature_set']};"
        f" {above} of {len(models)} intervals lie above 0.5"
    )


def question_title(endpoint: str, population: str) -> str:
    return f"{ENDPOINTS[endpoint].label} · {POPULATIONS[population].label}"


def question_table(title: str, rows: pd.DataFrame) -> Table:
    """One question's completed cells, as they fit a terminal."""
    first = rows.iloc[0]
    in_all = "" if pd.isna(first["n_events_total"]) else f" ({first['n_events_total']:.0f} in all)"
    events = f"{first['n_events']:.0f} events by {first['horizon_months']:g} months{in_all}"
    caption = f"{events} in {first['n']:.0f} patients; {summary(rows)}"
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in ("Model", "Features"):
        table.add_column(column)
    for metric in _PRINTED:
        table.add_column(_SHOWN[metric], justify="right", no_wrap=True)
    for _, row in rows.iterrows():
        table.add_row(MODELS[row["model"]].label, row["feature_set"], *(with_interval(row, metric) for metric in _PRINTED))
    return table
