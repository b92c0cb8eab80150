"""``crlm validate``: learn from one cohort, judge in another."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from flows.cli_support import errors_for_people, settings_of, start_quietly, work_options

if TYPE_CHECKING:
    from flows.validate import Validation

_FAILURES_SHOWN = 3


@click.command()
@click.option("--train", default="reconstructed", show_default=True, help="Cohort to learn from: a contract's name or path.")
@click.option("--train-data", type=click.Path(), help="Its csv, parquet or xlsx file.")
@click.option("--test", help="Cohort to judge in: a contract's name or path. Needed, here or in --config.")
@click.option("--test-data", type=click.Path(), help="Its csv, parquet or xlsx file.")
@work_options(seed_of="tuning, recalibration and bootstrap")
@click.option("--fresh", is_flag=True, default=None, help="Fit every model anew, even those finished before.")
def validate(config_file: str | None, preset: str, **options: Any) -> None:
    """Learn from one cohort, freeze, and judge in another: external validation, frozen and recalibrated.

    An interrupted run is continued: start it again with the same settings.
    """
    settings = settings_of(config_file, preset, "train", options)
    with errors_for_people():
        from flows.validation_config import ValidationConfig

        config = ValidationConfig.model_validate(settings)
        _report(_run_flow(config))


def _run_flow(config: Any) -> Validation:
    start_quietly()
    from flows.validate import validate as flow

    result: Validation = flow(config)
    return result


def _report(result: Validation) -> None:
    from rich.console import Console

    from flows.validation_view import print_validation

    print_validation(result.boards, result.comparisons, result.captions, Console(width=None if sys.stdout.isatty() else 128))
    for warning in result.warnings:
        click.echo(f"Warning: {warning}")
    frozen = next(iter(result.boards.values()))
    failed = frozen[frozen["status"] == "failed"]
    for _, cell in failed.head(_FAILURES_SHOWN).iterrows():
        click.echo(f"Failed: {'/'.join(cell[['population', 'endpoint', 'feature_set', 'model']])}: {cell['note']}")
    counts = frozen["status"].value_counts()
    told = ", ".join(f"{counts.get(status, 0)} {status}" for status in ("completed", "failed", "skipped"))
    click.echo(f"\nCells: {told}; {result.reused} reused from earlier runs.")
    click.echo(f"Results      {result.folder / 'validation.csv'}")
    click.echo(f"Report       {result.folder / 'validation.html'}")
    if result.failed:
        sys.exit(1)
