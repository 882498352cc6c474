"""What a person sees while the network trains: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_EPOCHS = 20


@contextmanager
def show_progress(console: Console, epochs: int) -> Iterator[Callable[[int, float], None]]:
    """Yield what to call after each epoch with its number, from 1, and its validation MAE."""
    if not console.is_terminal:
        yield lambda epoch, mae: _print_line(console, epoch, epochs, mae)
        return
    columns = (
        TextColumn("Training"),
        BarColumn(),
        TextColumn("epoch {task.completed:.0f} of at most {task.fields[limit]}"),
        TextColumn("validation MAE {task.fields[mae]:.2f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=epochs, limit=epochs, mae=float("nan"))
        yield lambda epoch, mae: progress.update(task, completed=epoch, mae=mae)
        # Early stopping is the usual end, not a failure: fill the bar.
        progress.update(task, total=progress.tasks[task].completed)


def _print_line(console: Console, epoch: int, epochs: int, mae: float) -> None:
    if epoch == 1 or epoch % LINE_EVERY_EPOCHS == 0:
        console.print(f"epoch {epoch} of at most {epochs}, validation MAE {mae:.2f}")
