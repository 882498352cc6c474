"""Shortcuts of the tests of the command line."""

import re
from collections.abc import Callable

from typer.testing import Result

WHY = ("--reason", "a test")
Run = Callable[..., Result]


def assert_refused(result: Result, reason: str) -> None:
    """It is told in one line on stderr, with exit code 1."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    assert reason in result.stderr


def read_table(shown: str) -> list[dict[str, str]]:
    """Read tab-separated values with a line of names."""
    names, *lines = [line.split("\t") for line in shown.splitlines()]
    return [dict(zip(names, values, strict=True)) for values in lines]


def strip_colours(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)
