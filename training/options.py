"""The form of every command line: its help, how it reads values, and its errors in plain words."""

import errno
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import typer

from training.errors import describe_os_error


def make_app(help_text: str | None = None, epilog: str | None = None) -> typer.Typer:
    """An application of Typer: with a help text for one of many commands, without for a single command.

    The help of a command is its docstring.
    """
    return typer.Typer(
        help=help_text,
        epilog=epilog,
        no_args_is_help=help_text is not None,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Rich's boxes break an error into lines, and waste a narrow terminal.
        rich_markup_mode=None,
    )


def whole_number(least: int, most: int) -> Callable[[object], int]:
    """A parser for an option of typer."""

    def parse(value: object) -> int:
        # The default comes by as well, as an int.
        text = str(value)
        if not re.fullmatch(r"-?[0-9]{1,20}", text) or not least <= int(text) <= most:
            raise typer.BadParameter(f"{text!r} is not a whole number from {least:,} to {most:,}")
        return int(text)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser for an option of typer."""

    def parse(text: str) -> str:
        if text not in choices:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return parse


def read_share(value: object) -> float:
    """A parser for an option of typer: a share above 0 and at most 1, as a percentage or a number below 1.

    A bare 1 is refused, as it may be meant as 1 %.
    """
    text = str(value)
    found = re.fullmatch(r"([0-9]{0,20}\.?[0-9]{1,20})( ?%)?", text)
    share = float(Decimal(found[1]) / (100 if found[2] else 1)) if found else math.nan
    if not 0 < share <= 1 or (found and not found[2] and share == 1):
        raise typer.BadParameter(f"{text!r} is not a share above 0 and at most 100%, such as 5% or 0.05")
    return share


@contextmanager
def report_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Report errors of these kinds, or the system's, in one line on stderr with exit code 1.

    A fault of ours is a traceback.
    """
    expected: tuple[type[Exception], ...] = (*kinds, OSError)
    try:
        yield
        # Here, so that a full disk shows where it is told, and not when Python ends.
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, `head` for instance, has seen enough: typer ends quietly.
        raise
    except expected as error:
        text = describe_os_error(error) if isinstance(error, OSError) else str(error)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            # It was the output that is full. Python would try it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        typer.echo(f"Error: {' '.join(text.split())}", err=True)
        raise typer.Exit(1) from error
