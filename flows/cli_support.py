"""What the commands of ``crlm`` share: options, settings from YAML, a quiet start, errors told to people."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

_PRESETS = click.Choice(["smoke", "default", "full"])


def cohort_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--cohort`` and ``--data``."""
    command = click.option("--data", type=click.Path(), help="The cohort's csv, parquet or xlsx file.")(command)
    return click.option(
        "--cohort",
        default="reconstructed",
        show_default=True,
        help="A shipped contract's name, or the path of a contract (.yaml).",
    )(command)


def work_options(seed_of: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """How much work is asked for, and of what. ``seed_of``: what the seed decides."""
    options = (
        click.option(
            "--preset",
            type=click.Choice(["smoke", "default", "full"]),
            default="default",
            show_default=True,
            help="How much work.",
        ),
        click.option(
            "--config",
            "config_file",
            type=click.Path(exists=True, dir_okay=False),
            help="YAML with any setting; options win over it.",
        ),
        click.option("--population", "populations", multiple=True, help="overall, primary_resected. Repeat for several."),
        click.option("--endpoint", "endpoints", multiple=True, help="relapse_6m, relapse_12m, dfs, os. Repeat for several."),
        click.option("--feature-set", "feature_sets", multiple=True, help="baseline, pre_surgery, paper. Repeat for several."),
        click.option("--model", "models", multiple=True, help="A model of the registry. Repeat for several."),
        click.option("--seed", type=int, help=f"Seed of {seed_of}."),
        click.option("--workers", type=int, help="Worker processes; one a core if not given."),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def settings_of(config_file: str | None, preset: str, cohort_option: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The file's settings, and over them the options that were given.

    ``preset`` and the ``cohort_option`` have defaults of their own: the file's word counts for more than these.
    """
    given = {k: v for k, v in options.items() if v not in (None, ()) and (k != cohort_option or is_given(k))}
    settings = {**read_yaml(config_file), **given}
    if is_given("preset") or "preset" not in settings:
        settings["preset"] = preset
    return settings


def is_given(option: str) -> bool:
    """Whether the user named an option of the command that runs."""
    source = click.get_current_context().get_parameter_source(option)
    return source is not None and source.name != "DEFAULT"


def read_yaml(path: str | None) -> dict[str, Any]:
    """Settings of a file; none without one."""
    if path is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an impossible date, too deep a nesting
        stop(f"{path} is not readable YAML: {error}")
    if not isinstance(content, dict):
        stop(f"{path} holds no settings: write them as `name: value`")
    return content


def start_quietly() -> None:
    """Before Prefect is imported: let the bar and the results speak, and leave no server behind."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # an error is told once, by this command
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "ERROR")
    click.echo("Starting (a local Prefect server, the libraries) …", err=True)
    from flows.guard import start_guard

    start_guard()


class errors_for_people:  # noqa: N801 (reads as a function)
    """Turn the errors that a user can mend into one message and exit status 2; all others keep their traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or kind is None:
            return
        from pydantic import ValidationError

        from cohort.errors import CohortError

        if isinstance(error, CohortError):
            stop(str(error))
        if isinstance(error, RuntimeError) and str(error).startswith("Failed to reach API"):
            stop("no Prefect server answers at PREFECT_API_URL: start it (crlm serve), or unset the variable to do without")
        if isinstance(error, ValidationError):
            stop(
                "\n".join(
                    f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
                    for e in error.errors()
                )
            )


def stop(message: str) -> NoReturn:
    """Say it, and end with exit status 2."""
    click.echo(f"crlm: {message}", err=True)
    sys.exit(2)
