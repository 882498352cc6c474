"""Shows the progress of long work: a bar on a terminal, occasional lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 4


@contextmanager
def show_progress(console: Console, title: str, step: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call after each of `total` steps with its number, from 1; `step` is the name of a step."""
    # A terminal without cursor movement would show the bar only at the end.
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda number: _print_line(console, f"{title}: {step}", number, total)
        return
    columns = (
        TextColumn(f"{title}: {step}"),
        MofNCompleteColumn(" of "),
        BarColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total)
        yield lambda number: progress.update(task, completed=number)
        # Training may stop early without a failure: fill the bar.
        progress.update(task, total=progress.tasks[task].completed)


def _print_line(console: Console, title: str, number: int, total: int) -> None:
    if number % max(1, total // LINES) == 0:
        console.print(f"{title} {number} of {total}", highlight=False)
