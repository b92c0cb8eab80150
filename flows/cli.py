"""``crlm``: the command line. Heavy imports wait until a command needs them, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli_cohort import cohort
from flows.cli_support import cohort_options, errors_for_people, settings_of, work_options
from flows.cli_support import start_quietly as _start_quietly
from flows.cli_validate import validate
from flows.environment import prepare_environment

if TYPE_CHECKING:
    from flows.benchmark import BenchmarkResult
    from flows.reproduce import Reproduction

_FAILURES_SHOWN = 3
_REASONS_SHOWN = 12
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=_CONTEXT)
@click.version_option(package_name="crlm-benchmark")
def main() -> None:
    """Can early relapse after resection of colorectal liver metastases be predicted? A fair, repeatable test.

    Results go to runs/ and mlruns/ of the current directory (or of CRLM_WORKSPACE).
    """
    prepare_environment()


@main.command()
@cohort_options
@work_options(seed_of="splits, tuning and bootstrap")
@click.option("--missing", help="Missing predictors: single (default), multiple or complete_case.")
@click.option("--splits", type=click.Path(), help="A splits.csv of an earlier run, to be replayed.")
@click.option("--fresh", is_flag=True, default=None, help="Fit every cell anew, even those finished before.")
def benchmark(config_file: str | None, preset: str, **options: Any) -> None:
    """Run the benchmark and print its leaderboard.

    An interrupted run is continued: start it again with the same settings.
    """
    settings = settings_of(config_file, preset, "cohort", options)
    with errors_for_people():
        from flows.config import BenchmarkConfig

        config = BenchmarkConfig.model_validate(settings)
        _report(_run_flow(config))


@main.command()
@cohort_options
def reproduce(cohort: str, data: str | None) -> None:
    """Repeat the paper's whole analysis and, on the cohort that it describes, compare every number with print."""
    with errors_for_people():
        _start_quietly()
        from flows.reproduce import reproduce as flow

        _report_reproduction(flow(cohort, data))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: the UIs have no password.")
@click.option("--prefect-port", type=click.IntRange(1, 65535), default=4200, show_default=True)
@click.option("--mlflow-port", type=click.IntRange(1, 65535), default=5000, show_default=True)
def serve(host: str, prefect_port: int, mlflow_port: int) -> None:
    """Start Prefect's server and worker and MLflow's UI, and deploy all flows. Ctrl-C stops everything."""
    with errors_for_people():
        from flows.service import Service

        sys.exit(Service(host, prefect_port, mlflow_port).run())


def _run_flow(config: Any) -> BenchmarkResult:
    _start_quietly()
    from flows.benchmark import benchmark as flow

    result: BenchmarkResult = flow(config)
    return result


def _report_reproduction(result: Reproduction) -> None:
    from rich.console import Console

    from flows.reproduction_view import print_bar, print_differing, print_selection

    console = Console(width=None if sys.stdout.isatty() else 128)
    print_selection(result.analysis.selection, console, with_print=result.comparison is not None)
    if result.comparison is not None:
        print_differing(result.comparison.effects, console)
        print_bar(result.comparison.summary, console)
    for reason in result.analysis.left_out[:_REASONS_SHOWN]:
        click.echo(f"Left out     {reason}")
    if len(result.analysis.left_out) > _REASONS_SHOWN:
        click.echo(f"             … and {len(result.analysis.left_out) - _REASONS_SHOWN} more, in the report")
    effects = "all_effects.csv" if result.comparison is None else "effects.csv"
    click.echo(f"Effects      {result.folder / effects}")
    click.echo(f"Report       {result.folder / 'reproduction.html'}")


def _report(result: BenchmarkResult) -> None:
    from rich.console import Console

    from flows.environment import tracking_uri
    from flows.leaderboard_view import print_leaderboard, print_verdicts

    console = Console(width=None if sys.stdout.isatty() else 128)
    print_leaderboard(result.leaderboard, console)
    print_verdicts(result.verdicts, console)
    for warning in result.warnings:
        click.echo(f"\nWarning: {warning}")
    failed = result.leaderboard[result.leaderboard["status"] == "failed"]
    for _, cell in failed.head(_FAILURES_SHOWN).iterrows():
        click.echo(f"\nFailed: {'/'.join(cell[['population', 'endpoint', 'feature_set', 'model']])}: {cell['note']}")
    if len(failed) > _FAILURES_SHOWN:
        click.echo(f"… and {len(failed) - _FAILURES_SHOWN} more, in the leaderboard")
    counts = f"{result.completed} cells completed, {result.failed} failed, {result.skipped} skipped"
    click.echo(f"\n{counts}; {result.reused} reused from earlier runs.")
    click.echo(f"Leaderboard  {result.folder / 'leaderboard.csv'}")
    click.echo(f"Report       {result.folder / 'report.html'}")
    uri = tracking_uri()
    command = f"MLFLOW_DISABLE_TELEMETRY=true {Path(sys.executable).parent / 'mlflow'} ui --backend-store-uri '{uri}'"
    click.echo(f"MLflow UI    {uri if uri.startswith('http') else command}")
    if result.failed:
        sys.exit(1)


main.add_command(cohort)
main.add_command(validate)


if __name__ == "__main__":
    main()
