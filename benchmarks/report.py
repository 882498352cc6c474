"""Reports the measurements: tables, a plot, and the figures as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.measure import COMPARED
from benchmarks.summary import list_goals
from benchmarks.variant import HELLO_WORLD, SERVICE, SERVICE_SHADOW, SERVICE_TENSORFLOW, USUAL_WAY
from training.figure import (
    BLUE,
    DOTS_PER_INCH,
    GREY,
    LABEL_POINTS,
    NOTE_POINTS,
    ORANGE,
    PALE_BLUE,
    TITLE_POINTS,
    start_figure,
)

COLORS = {
    HELLO_WORLD.name: GREY,
    SERVICE.name: BLUE,
    SERVICE_SHADOW.name: BLUE,
    SERVICE_TENSORFLOW.name: PALE_BLUE,
    USUAL_WAY.name: ORANGE,
}
PANELS = {"cold_ms": "Cold start (ms)", "warm_p50_ms": "Warm call, median (ms)", "rss_mb": "Memory (MB)"}


def write_report(directory: Path, figures: dict[str, Any]) -> None:
    """Write bench.json and bench.png."""
    content = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (directory / "bench.json").write_text(content, encoding="utf-8")
    draw_variants(figures).savefig(directory / "bench.png", dpi=DOTS_PER_INCH)


def print_report(console: Console, figures: dict[str, Any]) -> None:
    """Print the functions, the batches, and what was to be reached."""
    counts = figures["counts"]
    console.print(_build_variants_table(figures))
    console.print(
        f"Medians of {_describe_starts(counts)} and {counts['warm']:,} warm calls each, in turns.\n"
        "CPU: of a cold start; memory: the most ever held; size: of its packages;\n"
        "predict: for one case, without anything around it.",
        highlight=False,
    )
    if has_uncached(figures):
        note = f"Empty: {counts['uncached']} cold starts with an empty page cache, as on a new machine."
    else:
        note = "Cold starts with an empty page cache are left out: only root can empty it."
    console.print(note, highlight=False)
    for name, own in figures["variants"].items():
        console.print(f"A start of {name} reads {own['files_read']:,} files, {own['read_mb']:.0f} MB", highlight=False)
    ratio = figures["ratios"]["cold_shadow_to_service"]
    console.print(f"A start with a shadow takes {ratio:.2f} times as long as one without", highlight=False)
    for name, batch_ms in figures["batch_ms"].items():
        times = ", ".join(f"{elapsed_ms:.1f} ms for {int(size):,}" for size, elapsed_ms in batch_ms.items())
        console.print(f"Cases in one request to {name}: {times}", highlight=False)
    goals = Table("", "Goal of service")
    for title in ("is", "shall be"):
        goals.add_column(title, justify="right")
    for goal in list_goals(figures):
        mark = "[green]✓" if goal.is_reached else "[red]✗"
        limit = f"{'≥' if goal.at_least else '≤'} {goal.limit:g} {goal.unit}"
        goals.add_row(mark, goal.name, f"{goal.value:.3g} {goal.unit}", limit)
    console.print(goals)


def draw_variants(figures: dict[str, Any]) -> Figure:
    """A panel for each figure, with a bar for each function."""
    names = list(figures["variants"])[::-1]
    figure, panels = start_figure(11, 3.4, (1,) * len(PANELS), share_y=True)
    for axes, (key, title) in zip(panels, PANELS.items(), strict=True):
        values = [figures["variants"][name][key] for name in names]
        bars = axes.barh(names, values, color=[COLORS[name] for name in names], height=0.65)
        axes.bar_label(bars, [_format(value) for value in values], padding=4, fontsize=LABEL_POINTS)
        axes.margins(x=0.2)
        axes.tick_params(left=False, labelsize=LABEL_POINTS)
        axes.grid(visible=False, axis="y")
        axes.set_title(title)
    for position, name in enumerate(names):
        spread = figures["spread"][name]["cold_ms"]
        panels[0].plot([spread["q1"], spread["q3"]], [position - 0.25] * 2, color="black", linewidth=1.2)
    counts = figures["counts"]
    figure.suptitle("What a function costs on Lambda's runtime", fontsize=TITLE_POINTS)
    figure.supxlabel(
        f"{_describe_starts(counts)}, line: quartiles, and {counts['warm']:,} warm calls each, in turns, through"
        f" AWS's Runtime Interface Emulator; {figures['machine']['processor']}, {figures['machine']['cores']} cores",
        fontsize=NOTE_POINTS,
        color=GREY,
    )
    return figure


def _describe_starts(counts: Mapping[str, int]) -> str:
    names = " and ".join(variant.name for variant in COMPARED)
    return f"{counts['cold']} cold starts ({counts['cold'] + counts['compared']} of {names})"


def _build_variants_table(figures: dict[str, Any]) -> Table:
    # Narrow enough for a terminal of 80 columns.
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("Function", no_wrap=True)
    uncached = has_uncached(figures)
    titles = ["Cold\nms", "quartiles", "Warm\nms", "p99\nms", "CPU\ns", "Memory\nMB", "Size\nMB", "Predict\nms"]
    if uncached:
        titles.insert(2, "empty\nms")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for name, own in figures["variants"].items():
        spread = figures["spread"][name]["cold_ms"]
        inference_ms = figures["inference_ms"].get(name)
        table.add_row(
            name,
            f"{own['cold_ms']:.0f}",
            f"{spread['q1']:.0f}-{spread['q3']:.0f}",
            *([f"{own['uncached_ms']:.0f}"] if uncached else []),
            f"{own['warm_p50_ms']:.2f}",
            f"{own['warm_p99_ms']:.2f}",
            f"{own['cpu_s']:.2f}",
            f"{own['rss_mb']:.0f}",
            f"{own['packages_mb']:.0f}",
            "" if inference_ms is None else _format(inference_ms),
            style="bold" if name == SERVICE.name else None,
        )
    return table


def has_uncached(figures: dict[str, Any]) -> bool:
    return all("uncached_ms" in own for own in figures["variants"].values())


def _format(value: float) -> str:
    """Two digits at least, and no decimals that scatter."""
    return f"{value:,.0f}" if value >= 20 else f"{value:.2g}"
