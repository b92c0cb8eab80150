"""The reproduction as a terminal shows it."""

from __future__ import annotations

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from cohort.types import ENDPOINTS, POPULATIONS
from evaluation.figures import effect_label, endpoint_label, in_words, p_text
from evaluation.reproduction import against_the_bar
from evaluation.reproduction_report import interval_text, names_in_words, terms_in_words

_DIFFERING_SHOWN = 12


def print_bar(summary: pd.DataFrame, console: Console) -> None:
    """Target and what was reached, a line a criterion."""
    table = Table(title="How much of the paper is reproduced", box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("Criterion")
    for name in ("Reached", "Share", "Target"):
        table.add_column(name, justify="right")
    table.add_column("")
    for _, row in summary.iterrows():
        met = "[green]met[/green]" if row["met"] else "[red]not met[/red]"
        share = f"{row['share']:.1f} %" if row["of"] else "–"
        table.add_row(row["criterion"], f"{row['got']} of {row['of']}", share, f"{row['target']:.0f} %", met)
    console.print(table)


def print_differing(effects: pd.DataFrame, console: Console) -> None:
    """The effects that count against the bar, with their verdict, the first of them in full."""
    rows = against_the_bar(effects)
    if rows.empty:
        return
    title = f"Effects not reproduced: {len(rows)}"
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for name in ("Outcome", "Analysis", "Covariate", "Published", "Here", "Verdict"):
        table.add_column(name)
    for _, row in rows.head(_DIFFERING_SHOWN).iterrows():
        printed = f"{row['estimate']} ({row['ci_low']}–{row['ci_high']}) P {row['p_value']}"
        interval = interval_text(row, "ours_")
        ours = f"{interval} P {p_text(row['ours_p_value'])}" if interval else "–"
        effect = effect_label(str(row["variable"]), str(row["level"]))
        table.add_row(endpoint_label(row["outcome"]), row["analysis"], effect, printed, ours, in_words(str(row["verdict"])))
    console.print(table)
    if len(rows) > _DIFFERING_SHOWN:
        console.print(f"… and {len(rows) - _DIFFERING_SHOWN} more, in effects.csv")


def print_selection(selection: pd.DataFrame, console: Console, *, with_print: bool) -> None:
    """What the two-stage procedure finds."""
    table = Table(title="Independent predictors (second stage)", box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for name in ("Population", "Outcome", "Found", *(("In the paper", "") if with_print else ())):
        table.add_column(name)
    for _, row in selection.iterrows():
        cells = [POPULATIONS[row["population"]].label, ENDPOINTS[row["outcome"]].label, names_in_words(row["ours"])]
        if with_print:
            agrees = "[green]agrees[/green]" if row["agree"] else f"[red]differs[/red] {terms_in_words(row['terms'])}".strip()
            cells += [names_in_words(row["published"]), agrees]
        table.add_row(*cells)
    console.print(table)
