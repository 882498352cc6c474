"""The curves of docs/scaling.md."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from training.figure import BARE_LEGEND, BLUE, DOTS_PER_INCH, GREEN, GREY, ORANGE, start_figure

COLOURS = (BLUE, ORANGE, GREEN)
MARKERS = ("o", "s", "^")


def draw_plots(result: dict[str, Any], directory: Path) -> None:
    """Commits by clients, rows by batch, and commits by pool on slower disks, in one picture."""
    figure, (commits, rows, disks) = start_figure(14, 4.4, (1, 1, 1))
    matrix = result["matrix"]
    pools = sorted({point["pool"] for point in matrix})
    batches = sorted({point["batch"] for point in matrix})
    for pool, colour, marker in zip(pools, COLOURS, MARKERS, strict=True):
        points = [point for point in matrix if point["pool"] == pool and point["batch"] == 1]
        _plot(commits, points, "clients", f"pool of {pool}", color=colour, marker=marker)
    commits.set_title("One row a commit")
    commits.set_xlabel("clients")
    most = max(point["clients"] for point in matrix)
    for pool, colour, marker in zip(pools, COLOURS, MARKERS, strict=True):
        points = [point for point in matrix if point["pool"] == pool and point["clients"] == most]
        rows.plot(
            [point["batch"] for point in points],
            [point["rows_per_second"] for point in points],
            label=f"pool of {pool}",
            color=colour,
            marker=marker,
        )
    rows.set_title(f"Batches, {most} clients")
    rows.set_xlabel("rows a commit")
    rows.set_ylabel("rows a second")
    rows.set_xscale("log")
    rows.set_xticks(batches, [str(batch) for batch in batches])
    rows.set_yscale("log")
    clients = result["slower_disk"][0]["clients"]
    own = [point for point in matrix if point["clients"] == clients and point["batch"] == 1]
    _plot(disks, own, "pool", "this disk", color=GREY, marker="x")
    delays = sorted({point["delay_ms"] for point in result["slower_disk"]})
    for delay, colour, marker in zip(delays, COLOURS, MARKERS, strict=False):
        points = [point for point in result["slower_disk"] if point["delay_ms"] == delay]
        _plot(disks, points, "pool", f"each fsync {delay:g} ms slower", color=colour, marker=marker)
    disks.set_title(f"One row a commit, {clients} clients")
    disks.set_xlabel("connections to PostgreSQL")
    for axes in (commits, disks):
        axes.set_ylabel("commits a second")
        axes.set_ylim(bottom=0)
    for axes in (commits, rows, disks):
        axes.legend(**BARE_LEGEND)
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / "scaling.png", dpi=DOTS_PER_INCH)


def _plot(axes: Axes, points: list[dict[str, Any]], name: str, label: str, **style: Any) -> None:
    axes.plot(
        [point[name] for point in points], [point["commits_per_second"] for point in points], label=label, **style
    )
