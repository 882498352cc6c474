"""What a person gets of the comparison: a table, a plot, and the figures as JSON."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from training.evaluate import ENSEMBLE
from training.figure import BLUE, DOTS_PER_INCH, GREY, ORANGE, TITLE_POINTS, start_figure


def write_report(directory: Path, figures: dict[str, Any]) -> None:
    """Write evaluation.json and evaluation.png."""
    directory.mkdir(parents=True, exist_ok=True)
    content = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (directory / "evaluation.json").write_text(content, encoding="utf-8")
    draw_comparison(figures).savefig(directory / "evaluation.png", dpi=DOTS_PER_INCH)


def print_report(console: Console, figures: dict[str, Any]) -> None:
    """Print the table, best model first, and what the intervals do."""
    table = Table("Model", title=_name_folds(figures))
    for title in ("RMSE", "MAE", "R²", "RMSE less the ensemble's (95 %)"):
        table.add_column(title, justify="right")
    for name, model in _sort_models(figures):
        difference = model.get("less_ensemble", {}).get("rmse")
        table.add_row(
            name,
            f"{model['rmse']:.2f}",
            f"{model['mae']:.2f}",
            f"{model['r2']:.3f}",
            f"{difference['mean']:+.2f} ({difference['lower']:+.2f} to {difference['upper']:+.2f})"
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
    """How far each baseline's RMSE is from the ensemble's, with its confidence interval."""
    models = [(name, model) for name, model in _sort_models(figures)[::-1] if name != ENSEMBLE]
    figure, [axes] = start_figure(8.5, 5)
    for position, (_, model) in enumerate(models):
        difference = model["less_ensemble"]["rmse"]
        is_shown = difference["lower"] > 0 or difference["upper"] < 0
        color, marker, label = (BLUE, "o", "Beyond chance") if is_shown else (ORANGE, "D", "May be chance")
        axes.plot([difference["lower"], difference["upper"]], [position, position], color=color, linewidth=2)
        axes.plot(difference["mean"], position, marker, color=color, label=label)
    handles, labels = axes.get_legend_handles_labels()
    # Each once, however many models it is true of.
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=2, frameon=False)
    axes.axvline(0, color=GREY, linestyle="--")
    axes.set_yticks(range(len(models)), [f"{name}  {model['rmse']:.2f}" for name, model in models])
    axes.set_xlabel("RMSE less the ensemble's (points of the score), mean over folds and 95 % interval")
    axes.set_title(
        f"The ensemble's RMSE is {figures['models'][ENSEMBLE]['rmse']:.2f}; to the right others are worse",
        fontsize=TITLE_POINTS,
    )
    axes.grid(visible=False, axis="y")
    return figure


def _sort_models(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(figures["models"].items(), key=lambda item: item[1]["rmse"])


def _name_folds(figures: dict[str, Any]) -> str:
    folds = figures["folds"]
    return f"{folds['splits']} folds, {folds['repeats']} times, {folds['rows']} predictions"


def _describe_intervals(figures: dict[str, Any], prefix: str) -> list[str]:
    width = "mean_width" if not prefix else f"{prefix}width"
    return [
        f"{figures[f'{prefix}coverage']:.1%}",
        ", ".join(f"{share:.1%}" for share in figures[f"{prefix}coverage_by_third"]),
        f"{figures[width]:.1f}",
        ", ".join(f"{third:.1f}" for third in figures[f"{width}_by_third"]),
    ]
