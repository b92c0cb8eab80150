"""``crlm cohort``: check, describe or reconstruct a cohort's file."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli_support import cohort_options, errors_for_people, stop


@click.group()
def cohort() -> None:
    """Check or describe a cohort's file."""


@cohort.command("check")
@cohort_options
def cohort_check(cohort: str, data: str | None) -> None:
    """Check a file against its contract; every broken rule is listed, nothing is run."""
    with errors_for_people():
        from cohort.load import load_cohort

        loaded = load_cohort(cohort, data)
        size = f"{len(loaded)} patients, {len(loaded.frame.columns)} variables"
        click.echo(f"{loaded.title}: {size}, no rule broken. Digest {loaded.digest}.")


@cohort.command("describe")
@cohort_options
def cohort_describe(cohort: str, data: str | None) -> None:
    """Patients' characteristics, follow-up, events by horizon, missing values."""
    with errors_for_people():
        from rich.console import Console

        from cohort.load import load_cohort
        from flows.cohort_view import print_description

        print_description(load_cohort(cohort, data), Console())


@cohort.command("reconstruct")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=2024,
    show_default=True,
    help="Another seed gives another, equally plausible cohort.",
)
@click.option("--effort", type=click.FloatRange(0.001, 100), default=1.0, show_default=True, help="Scales the optimiser's steps.")
@click.option(
    "--chains", type=click.IntRange(1, 64), default=2, show_default=True, help="Annealings that compete, a process each."
)
@click.option(
    "--start", type=click.Path(dir_okay=False), help="A csv file that this command wrote, to be warmed and cooled again."
)
@click.option("--out", type=click.Path(dir_okay=False), required=True, help="The csv file to write.")
def cohort_reconstruct(seed: int, effort: float, chains: int, start: str | None, out: str) -> None:
    """Build a cohort from the paper's published numbers: no patient's data, no clinical evidence.

    Simulated annealing, under 10 minutes on two cores; the same options give the same file.
    """
    with errors_for_people():
        from cohort.load import load_cohort
        from cohort.reconstruct import reconstruct, refine
        from flows.folders import write_atomically

        if not Path(out).resolve().parent.is_dir():
            stop(f"--out {out}: there is no folder {Path(out).resolve().parent.name}")
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn(), TextColumn("{task.description}"))
        before = None if start is None else load_cohort("reconstructed", start).frame
        with Progress(*columns) as bar:
            task = bar.add_task("the outcomes, then the predictors …" if before is None else "the predictors …", total=1.0)

            def told(done: float, text: str) -> None:
                bar.update(task, completed=done, description=text)

            if before is None:
                frame, fitted = reconstruct(seed, effort, chains, told)
            else:
                frame, fitted = refine(before, seed, effort, chains, told)
        write_atomically(Path(out), frame.to_csv(index=False, lineterminator="\n"))
        click.echo(str(fitted))
        click.echo(f"{out}: reconstructed from published aggregate numbers, no patient's data, no clinical evidence.")
