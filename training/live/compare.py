"""Asks the monitor how the candidate compares with the current version; prints the answer, or writes it with a plot."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stacks.functions import Function
from training.live.trial import (
    HEAD,
    Trial,
    describe_coverage,
    describe_guarantee,
    describe_predictions,
    describe_trial,
    describe_verdict,
    list_differences,
    list_figures,
)

STYLES = {"better": "bold green", "worse": "bold red"}
DOCUMENT, PLOT = "comparison.json", "comparison.png"


def fetch_comparison(monitor: Function) -> dict[str, Any]:
    """Let the monitor compare. Raises ReachError without a candidate."""
    return monitor({"task": "compare"})


def print_comparison(console: Console, trial: Trial) -> None:
    """Print the verdict, and the figures that it is about."""
    console.print(describe_trial(trial), highlight=False)
    console.print()
    console.print(Text(describe_verdict(trial), style=STYLES.get(trial["verdict"], "bold")))
    console.print(describe_coverage(trial), highlight=False)
    if figures := list_figures(trial):
        table = Table()
        for place, title in enumerate(HEAD):
            table.add_column(title, justify="right" if place else "left", no_wrap=place > 0)
        for row in figures:
            table.add_row(*row)
        console.print(table)
    if differences := list_differences(trial):
        table = Table(title="Candidate minus current prediction", title_justify="left")
        for title in differences[0]:
            table.add_column(title, justify="right", no_wrap=True)
        table.add_row(*differences[1])
        console.print(table)
    for told in (*describe_predictions(trial), describe_guarantee(trial)):
        console.print(told, highlight=False)


def write_comparison(directory: Path, trial: Mapping[str, Any]) -> list[Path]:
    """Write the comparison as JSON, and its plot if there are outcomes to draw."""
    # Here, because matplotlib takes a second.
    from training.figure import DOTS_PER_INCH  # noqa: PLC0415
    from training.live.trial_drawing import draw_trial  # noqa: PLC0415

    directory.mkdir(parents=True, exist_ok=True)
    document, plot = directory / DOCUMENT, directory / PLOT
    document.write_text(json.dumps(trial, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    figure = draw_trial(trial)
    if figure is None:
        # One of an earlier comparison would be taken for this one's.
        plot.unlink(missing_ok=True)
        return [document]
    figure.savefig(plot, dpi=DOTS_PER_INCH)
    return [document, plot]
