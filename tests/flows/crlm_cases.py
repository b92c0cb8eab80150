"""Running ``crlm`` in a test."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from flows import cli


def crlm(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, list(map(str, arguments)))


def refused(*arguments: str | Path) -> str:
    """What is said when a command refuses with one message and exit status 2."""
    result = crlm(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result.stderr
