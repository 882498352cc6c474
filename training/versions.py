"""Prints the published versions: a table on a terminal, tab-separated values in a pipe."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.registry import PublishedVersion
from training.rounding import format_figure

COLUMNS = ("version", "created_at", "rmse", "r2", "coverage", "mean_width", "forced", "status")


def print_versions(console: Console, bucket: str, versions: Sequence[PublishedVersion]) -> None:
    """Print a table, lines on a narrow terminal, or tab-separated values without a terminal."""
    if not console.is_terminal:
        _print_values(versions)
        return
    if not versions:
        console.print(Text(f"No version is published in {bucket}"))
        return
    table = _build_table(bucket, versions)
    if table.__rich_measure__(console, console.options.update(max_width=10_000)).minimum <= console.width:
        console.print(table)
        return
    for entry in versions:
        console.print(Text(f"{entry.version} {_describe_state(entry)}", style=_choose_style(entry)), soft_wrap=True)
        rmse, r2, coverage, width = _format_figures(entry)
        console.print(Text(f"  RMSE {rmse}, R² {r2}\n  coverage {coverage}, width {width}"))


def _print_values(versions: Sequence[PublishedVersion]) -> None:
    print(*COLUMNS, sep="\t")
    for entry in versions:
        values = _format_figures(entry, missing="", share=".3f")
        forced = " ".join((entry.forced or "").split())
        print(entry.version, entry.created_at, *values, forced, _describe_place(entry), sep="\t")


def _build_table(bucket: str, versions: Sequence[PublishedVersion]) -> Table:
    table = Table(title=Text(f"Models in {bucket}"))
    # Never truncated, because people copy it, and it begins with the time.
    table.add_column("Version", no_wrap=True)
    for title in ("RMSE", "R²", "Coverage", "Width"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Note")
    for entry in versions:
        table.add_row(entry.version, *_format_figures(entry), Text(_describe_state(entry)), style=_choose_style(entry))
    return table


def _describe_state(entry: PublishedVersion) -> str:
    forced = f"forced: {entry.forced}" if entry.forced else ""
    return ", ".join(filter(None, (_describe_place(entry), forced)))


def _describe_place(entry: PublishedVersion) -> str:
    """Say that it is current, or how it is tried."""
    return "current" if entry.is_current else entry.trial or ""


def _choose_style(entry: PublishedVersion) -> str:
    return "bold green" if entry.is_current else "bold yellow" if entry.trial else ""


def _format_figures(entry: PublishedVersion, missing: str = "-", share: str = ".1%") -> list[str]:
    figures: tuple[tuple[float | None, Callable[[float], str]], ...] = (
        (entry.rmse, format_figure),
        (entry.r2, "{:.3f}".format),
        (entry.coverage, f"{{:{share}}}".format),
        (entry.mean_width, format_figure),
    )
    return [missing if figure is None else form(figure) for figure, form in figures]
