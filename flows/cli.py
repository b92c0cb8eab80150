"""``crlm``: the command line. Heavy imports wait until a command needs them, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

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


def _cohort_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--data", type=click.Path(), help="The cohort's csv, parquet or xlsx file.")(command)
    return click.option(
        "--cohort",
        default="reconstructed",
        show_default=True,
        help="A shipped contract's name, or the path of a contract (.yaml).",
    )(command)


@main.command()
@click.option(
    "--preset", type=click.Choice(["smoke", "default", "full"]), default="default", show_default=True, help="How much work."
)
@_cohort_options
@click.option(
    "--config", "config_file", type=click.Path(exists=True, dir_okay=False), help="YAML with any setting; options win over it."
)
@click.option("--population", "populations", multiple=True, help="overall, primary_resected. Repeat for several.")
@click.option("--endpoint", "endpoints", multiple=True, help="relapse_6m, relapse_12m, dfs, os. Repeat for several.")
@click.option("--feature-set", "feature_sets", multiple=True, help="baseline, pre_surgery, paper. Repeat for several.")
@click.option("--model", "models", multiple=True, help="A model of the registry. Repeat for several.")
@click.option("--missing", help="Missing predictors: single (default), multiple or complete_case.")
@click.option("--seed", type=int, help="Seed of splits, tuning and bootstrap.")
@click.option("--workers", type=int, help="Worker processes; one a core if not given.")
@click.option("--fresh", is_flag=True, default=None, help="Fit every cell anew, even those finished before.")
def benchmark(config_file: str | None, preset: str, **options: Any) -> None:
    """Run the benchmark and print its leaderboard.

    An interrupted run is continued: start it again with the same settings.
    """
    given = {k: v for k, v in options.items() if v not in (None, ()) and (k != "cohort" or _is_given("cohort"))}
    settings = {**_read_yaml(config_file), **given}
    if _is_given("preset") or "preset" not in settings:
        settings["preset"] = preset
    with _errors_for_people():
        from flows.config import BenchmarkConfig

        config = BenchmarkConfig.model_validate(settings)
        _report(_run_flow(config))


@main.command()
@_cohort_options
def reproduce(cohort: str, data: str | None) -> None:
    """Repeat the paper's whole analysis and, on the cohort that it describes, compare every number with print."""
    with _errors_for_people():
        _start_quietly()
        from flows.reproduce import reproduce as flow

        _report_reproduction(flow(cohort, data))


@main.group()
def cohort() -> None:
    """Check or describe a cohort's file."""


@cohort.command("check")
@_cohort_options
def cohort_check(cohort: str, data: str | None) -> None:
    """Check a file against its contract; every broken rule is listed, nothing is run."""
    with _errors_for_people():
        from cohort.load import load_cohort

        loaded = load_cohort(cohort, data)
        size = f"{len(loaded)} patients, {len(loaded.frame.columns)} variables"
        click.echo(f"{loaded.title}: {size}, no rule broken. Digest {loaded.digest}.")


@cohort.command("describe")
@_cohort_options
def cohort_describe(cohort: str, data: str | None) -> None:
    """Patients' characteristics, follow-up, events by horizon, missing values."""
    with _errors_for_people():
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
    with _errors_for_people():
        from cohort.load import load_cohort
        from cohort.reconstruct import reconstruct, refine
        from flows.folders import write_atomically

        if not Path(out).resolve().parent.is_dir():
            _stop(f"--out {out}: there is no folder {Path(out).resolve().parent.name}")
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


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: the UIs have no password.")
@click.option("--prefect-port", type=click.IntRange(1, 65535), default=4200, show_default=True)
@click.option("--mlflow-port", type=click.IntRange(1, 65535), default=5000, show_default=True)
def serve(host: str, prefect_port: int, mlflow_port: int) -> None:
    """Start Prefect's server and worker and MLflow's UI, and deploy all flows. Ctrl-C stops everything."""
    with _errors_for_people():
        from flows.service import Service

        sys.exit(Service(host, prefect_port, mlflow_port).run())


def _is_given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is not None and source.name != "DEFAULT"


def _read_yaml(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an impossible date, too deep a nesting
        _stop(f"{path} is not readable YAML: {error}")
    if not isinstance(content, dict):
        _stop(f"{path} holds no settings: write them as `name: value`")
    return content


def _start_quietly() -> None:
    """Before Prefect is imported: let the bar and the results speak, and leave no server behind."""
    import os

    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # an error is told once, by this command
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "ERROR")
    click.echo("Starting (a local Prefect server, the libraries) …", err=True)
    from flows.guard import start_guard

    start_guard()


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


class _errors_for_people:  # noqa: N801 (reads as a function)
    """Turn the errors that a user can mend into one message and exit status 2; all others keep their traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or kind is None:
            return
        from pydantic import ValidationError

        from cohort.errors import CohortError

        if isinstance(error, CohortError):
            _stop(str(error))
        if isinstance(error, RuntimeError) and str(error).startswith("Failed to reach API"):
            _stop("no Prefect server answers at PREFECT_API_URL: start it (crlm serve), or unset the variable to do without")
        if isinstance(error, ValidationError):
            _stop(
                "\n".join(
                    f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
                    for e in error.errors()
                )
            )


def _stop(message: str) -> NoReturn:
    click.echo(f"crlm: {message}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
