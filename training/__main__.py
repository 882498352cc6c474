"""The command line `python -m training`: a model from its training to its successor."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lambda_app.model.bundle import MANIFEST
from problem.table import TABLE
from training import DEFAULT_EPOCHS, DEFAULT_SEED, LEAST_EPOCHS, MODELS, decision_commands, registry_commands
from training.access import print_line
from training.errors import TrainingError
from training.live import commands as live_commands
from training.options import make_app, one_of, report_errors, whole_number
from training.progress import show_progress
from training.rounding import format_figure

BUILD = MODELS.parent

app = make_app(
    "Train the model, publish it to the registry, and choose the version that is served.",
    "The registry is an S3 bucket: name it with --bucket or MODEL_BUCKET. AWS_PROFILE says who you are there, "
    "and AWS_ENDPOINT_URL where it is when it is not on AWS. outcomes, monitor, compare and recalibrate take --env or "
    "--local.",
)

Seed = Annotated[
    int,
    typer.Option(
        parser=whole_number(0, 2**32 - 1), metavar="NUMBER", help="The same seed gives the same model on this machine."
    ),
]
ScheduleOption = Annotated[
    str,
    typer.Option(
        parser=one_of("cosine", "plateau"),
        metavar="cosine|plateau",
        help=f"How the learning rate falls: along a cosine, or by half each time that left-out {TABLE.cases} are "
        "predicted no better, until that no longer helps.",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        parser=whole_number(1, 100_000),
        metavar="NUMBER",
        help=f"How often to go through the {TABLE.cases}: so often with cosine, at most so often with plateau.",
        show_default=f"{DEFAULT_EPOCHS}, down to {LEAST_EPOCHS} where the rows are many",
    ),
]


@app.command()
def train(
    output: Annotated[
        Path, typer.Option(metavar="DIRECTORY", help="Where the model's directory is made.", file_okay=False)
    ] = MODELS,
    seed: Seed = DEFAULT_SEED,
    schedule: ScheduleOption = "cosine",
    epochs: Epochs = None,
) -> None:
    """Train a model and write it to disk with its figures."""
    console = Console()
    with console.status("Loading TensorFlow"):
        # Here, because it takes seconds and the other commands do without.
        from training.fit import Schedule  # noqa: PLC0415
        from training.train import train_model  # noqa: PLC0415
    with report_errors(TrainingError):
        directory = train_model(output, seed, epochs, Schedule(schedule), console)
        metrics = json.loads((directory / MANIFEST).read_bytes())["metrics"]["held_out"]
    print_line(
        f"Held out, {metrics['rows']} {TABLE.cases}: RMSE {format_figure(metrics['rmse'])}, "
        f"MAE {format_figure(metrics['mae'])}, R² {metrics['r2']:.3f}; {metrics['coverage']:.1%} lie in their "
        f"interval, {format_figure(metrics['mean_width'])} wide on average",
    )
    print_line(f"Trained {directory}")


@app.command()
def evaluate(
    output: Annotated[
        Path, typer.Option(metavar="DIRECTORY", help="Where the figures and the plot go.", file_okay=False)
    ] = BUILD,
    seed: Seed = DEFAULT_SEED,
    schedule: ScheduleOption = "cosine",
    epochs: Epochs = None,
) -> None:
    """Compare the model with simpler ones (some minutes)."""
    console = Console()
    with console.status("Loading TensorFlow"):
        from training.baselines import BASELINES, MOST_ROWS, choose_baselines  # noqa: PLC0415
        from training.data import load_rows  # noqa: PLC0415
        from training.evaluate import compare_models, describe_comparison, draw_folds  # noqa: PLC0415
        from training.fit import Schedule, choose_epochs  # noqa: PLC0415
        from training.report import print_report, write_report  # noqa: PLC0415
    with report_errors(TrainingError):
        output.mkdir(parents=True, exist_ok=True)
        rows = load_rows()
        folds = draw_folds(rows)
        fitted = max(len(training) for training, _ in folds)
        baselines = choose_baselines(fitted)
        for name in sorted(BASELINES.keys() - baselines.keys()):
            print_line(f"Skipping {name}: it copes with {MOST_ROWS[name]:,} rows, and {fitted:,} are to be fitted to")
        comparison = compare_models(
            rows,
            folds,
            baselines,
            seed=seed,
            epochs=epochs or choose_epochs(len(rows)),
            schedule=Schedule(schedule),
            show_progress=partial(show_progress, console),
        )
        figures = describe_comparison(comparison)
        write_report(output, figures)
    print_report(console, figures)
    print_line(f"Wrote {output / 'evaluation.json'} and evaluation.png")


registry_commands.register(app)
decision_commands.register(app)
live_commands.register(app)


if __name__ == "__main__":
    app(prog_name="python -m training")
