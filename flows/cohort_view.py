"""A cohort's description in the terminal."""

from __future__ import annotations

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from cohort.describe import PopulationDescription, describe
from cohort.types import Cohort


def print_description(cohort: Cohort, console: Console) -> None:
    """Characteristics, follow-up and events of each population; aggregates only."""
    console.print(f"[bold]{cohort.caption}[/bold]\nDigest {cohort.digest}\n")
    description = describe(cohort)
    for population in description.populations:
        console.print(f"[bold]{population.label}[/bold]: {population.n_patients} patients")
        console.print(_characteristics(population))
        console.print(_survival(population))
        console.print(_events(population))
    for reason in description.left_out:
        console.print(f"Left out: {reason}")


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right")
    return table


def _characteristics(population: PopulationDescription) -> Table:
    table = _table("Characteristic", "Median (quartiles; range) or n (%)", "Missing")
    for _, rows in population.variables.groupby("variable", sort=False):
        first = rows.iloc[0]
        label, unit = str(first["label"]), str(first["unit"])
        if unit and unit not in label.lower():
            label += f", {unit}"
        missing = f"{first['n_missing']:.0f}" if first["n_missing"] else ""
        if not first["n"]:
            table.add_row(label, "not recorded", missing)
        elif pd.notna(first["median"]):
            values = "{:g} ({:g} to {:g}; {:g} to {:g})".format(*first[["median", "q1", "q3", "low", "high"]])
            table.add_row(label, values, missing)
        else:
            table.add_row(label, "", missing)
            for _, row in rows.iterrows():
                table.add_row(f"  {row['level']}", f"{row['count']:.0f} ({row['percent']:.0f} %)", "")
    return table


def _survival(population: PopulationDescription) -> Table:
    table = _table("Months", "Median (95 % CI)", "Median follow-up", "Events")
    follow_up = population.follow_up.set_index("source")
    for _, row in population.medians.iterrows():
        median = _months(row["median"])
        interval = f" ({_months(row['ci_low'])} to {_months(row['ci_high'])})"
        table.add_row(
            str(row["label"]),
            median + interval,
            _months(follow_up.loc[row["source"], "median"]),
            f"{row['n_events']:.0f} / {row['n']:.0f}",
        )
    return table


def _events(population: PopulationDescription) -> Table:
    table = _table("Endpoint", "Horizon, months", "Events", "Event-free", "Censored before")
    for _, row in population.events.iterrows():
        counts = (f"{row[c]:.0f}" for c in ("n_events", "n_event_free", "n_censored_before"))
        table.add_row(str(row["label"]), f"{row['horizon_months']:g}", *counts)
    return table


def _months(value: float) -> str:
    return "not reached" if pd.isna(value) else f"{value:.1f}"
