"""Writes the comparison with simpler models as a table, a plot and JSON."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from problem.table import TABLE
from training.evaluate import ENSEMBLE
from training.figure import BLUE, DOTS_PER_INCH, GREY, ORANGE, TITLE_POINTS, start_figure
from training.rounding import count_decimals, format_figure


def write_report(directory: Path, figures: dict[str, Any]) -> None:
    """Write evaluation.json and evaluation.png."""
    directory.mkdir(parents=True, exist_ok=True)
    content = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (directory / "evaluation.json").write_text(content, encoding="utf-8")
    draw_comparison(figures).savefig(directory / "evaluation.png", dpi=DOTS_PER_INCH)


def print_report(console: Console, figures: dict[str, Any]) -> None:
    """Print the table, best model first, and one of the intervals."""
    decimals = _count_decimals(figures)
    table = Table("Model", title=_name_folds(figures))
    for title in ("RMSE", "MAE", "R²", "RMSE less the ensemble's (95 %)"):
        table.add_column(title, justify="right")
    for name, model in _sort_models(figures):
        difference = model.get("less_ensemble", {}).get("rmse")
        table.add_row(
            name,
            f"{model['rmse']:.{decimals}f}",
            f"{model['mae']:.{decimals}f}",
            f"{model['r2']:.3f}",
            f"{difference['mean']:+.{decimals}f} "
            f"({difference['lower']:+.{decimals}f} to {difference['upper']:+.{decimals}f})"
            if difference
            else "",
            style="bold" if name == ENSEMBLE else None,
        )
    console.print(table)
    intervals = Table("Intervals", "Coverage", "by thirds of the prediction", "Mean width", "by thirds")
    for title, prefix in (("ours", ""), ("constant width", "constant_")):
        intervals.add_row(title, *_describe_intervals(figures["intervals"], prefix))
    console.print(intervals)


def draw_comparison(figures: dict[str, Any]) -> Figure:
    """Draw the RMSE difference of each baseline from the ensemble, with its confidence interval."""
    decimals = _count_decimals(figures)
    models = [(name, model) for name, model in _sort_models(figures)[::-1] if name != ENSEMBLE]
    figure, [axes] = start_figure(8.5, 5)
    for position, (_, model) in enumerate(models):
        difference = model["less_ensemble"]["rmse"]
        is_shown = difference["lower"] > 0 or difference["upper"] < 0
        color, marker, label = (BLUE, "o", "Beyond chance") if is_shown else (ORANGE, "D", "May be chance")
        axes.plot([difference["lower"], difference["upper"]], [position, position], color=color, linewidth=2)
        axes.plot(difference["mean"], position, marker, color=color, label=label)
    handles, labels = axes.get_legend_handles_labels()
    # Each label once, even if it applies to several models.
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=2, frameon=False)
    axes.axvline(0, color=GREY, linestyle="--")
    axes.set_yticks(range(len(models)), [f"{name}  {model['rmse']:.{decimals}f}" for name, model in models])
    axes.set_xlabel(f"RMSE less the ensemble's ({TABLE.target.unit}), mean over folds and 95 % interval")
    axes.set_title(
        f"The ensemble's RMSE is {figures['models'][ENSEMBLE]['rmse']:.{decimals}f}; to the right others are worse",
        fontsize=TITLE_POINTS,
    )
    axes.grid(visible=False, axis="y")
    return figure


def _sort_models(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(figures["models"].items(), key=lambda item: item[1]["rmse"])


def _count_decimals(figures: dict[str, Any]) -> int:
    """Return the decimals of the ensemble's RMSE, for all figures in units of the target."""
    return count_decimals(figures["models"][ENSEMBLE]["rmse"])


def _name_folds(figures: dict[str, Any]) -> str:
    folds = figures["folds"]
    return f"{folds['splits']} folds, {folds['repeats']} times, {folds['rows']} predictions"


def _describe_intervals(figures: dict[str, Any], prefix: str) -> list[str]:
    width = "mean_width" if not prefix else f"{prefix}width"
    return [
        f"{figures[f'{prefix}coverage']:.1%}",
        ", ".join(f"{share:.1%}" for share in figures[f"{prefix}coverage_by_third"]),
        format_figure(figures[width]),
        ", ".join(map(format_figure, figures[f"{width}_by_third"])),
    ]
