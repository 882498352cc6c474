"""The command line: `python -m training train|evaluate|publish|promote|rollback|list|show`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_app.model.bundle import MANIFEST
from training import DEFAULT_EPOCHS, DEFAULT_SEED
from training.errors import RegistryError, TrainingError
from training.progress import show_progress
from training.registry import (
    PublishedVersion,
    find_newest_bundle,
    list_versions,
    promote_version,
    publish_bundle,
    rollback_version,
    show_version,
)
from training.storage import connect_storage

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUILD = Path("build")
MODELS = BUILD / "models"

app = typer.Typer(
    help="Train the model, publish it to the registry, and choose the version that is served.",
    epilog="The registry is the bucket of --bucket or MODEL_BUCKET, reached as boto3 does: by AWS_PROFILE, or "
    "AWS_ENDPOINT_URL where it is not AWS's.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Seed = Annotated[int, typer.Option(help="The same seed gives the same model.", min=0, max=2**32 - 1)]
ScheduleOption = Annotated[
    Literal["cosine", "plateau"],
    typer.Option(
        help="How the learning rate falls: by a cosine, or by half when the left-out patients gain no more, "
        "with early stopping."
    ),
]
Epochs = Annotated[int, typer.Option(help="All of them by the cosine, at most so many by the plateau.", min=1)]
Bucket = Annotated[str, typer.Option(envvar="MODEL_BUCKET", help="The S3 bucket of the registry.", show_default=False)]


@app.command()
def train(
    output: Annotated[Path, typer.Option(help="Where the model's directory is made.", file_okay=False)] = MODELS,
    seed: Seed = DEFAULT_SEED,
    schedule: ScheduleOption = "cosine",
    epochs: Epochs = DEFAULT_EPOCHS,
) -> None:
    """Train a model, measure it on patients it has not seen, and write it to disk."""
    console = Console()
    with console.status("Loading TensorFlow"):
        # Here, because it takes seconds and the other commands do without.
        from training.fit import Schedule  # noqa: PLC0415
        from training.train import train_model  # noqa: PLC0415
    with _report_errors():
        directory = train_model(output, seed, epochs, Schedule(schedule), console)
        metrics = json.loads((directory / MANIFEST).read_bytes())["metrics"]["held_out"]
    _print(
        console,
        f"Held out, {metrics['rows']} patients: RMSE {metrics['rmse']:.2f}, MAE {metrics['mae']:.2f}, "
        f"R² {metrics['r2']:.3f}; {metrics['coverage']:.1%} lie in their interval, {metrics['mean_width']:.1f} wide "
        "on average",
    )
    _print(console, f"Trained {directory}")


@app.command()
def evaluate(
    output: Annotated[Path, typer.Option(help="Where the figures and the plot go.", file_okay=False)] = BUILD,
    seed: Seed = DEFAULT_SEED,
    schedule: ScheduleOption = "cosine",
    epochs: Epochs = DEFAULT_EPOCHS,
) -> None:
    """Compare the model with simpler ones on the same folds; takes some minutes."""
    console = Console()
    with console.status("Loading TensorFlow"):
        from training.baselines import BASELINES  # noqa: PLC0415
        from training.data import load_rows  # noqa: PLC0415
        from training.evaluate import compare_models, describe_comparison, draw_folds  # noqa: PLC0415
        from training.fit import Schedule  # noqa: PLC0415
        from training.report import print_report, write_report  # noqa: PLC0415
    with _report_errors():
        output.mkdir(parents=True, exist_ok=True)
        rows = load_rows()
        comparison = compare_models(
            rows,
            draw_folds(rows),
            BASELINES,
            seed=seed,
            epochs=epochs,
            schedule=Schedule(schedule),
            show_progress=partial(show_progress, console),
        )
        figures = describe_comparison(comparison)
        write_report(output, figures)
    print_report(console, figures)
    _print(console, f"Wrote {output / 'evaluation.json'} and evaluation.png")


@app.command()
def publish(
    directory: Annotated[
        Path | None,
        typer.Argument(help="What `train` wrote.", show_default=f"the newest under {MODELS}"),
    ] = None,
    bucket: Bucket = "",
    force: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Publish although a gate fails; the manifest keeps the reason.", show_default=False
        ),
    ] = None,
) -> None:
    """Upload a trained model as a version that never changes.

    It must be good enough for that: both forms alike, no worse than ridge regression, intervals as wide as promised.
    """
    with _open_registry(bucket) as client:
        version = publish_bundle(client, bucket, directory or find_newest_bundle(MODELS), force)
    _print(Console(), f"Published {version}")


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="As `list` shows it.")],
    bucket: Bucket = "",
) -> None:
    """Make a published version the one that is served."""
    with _open_registry(bucket) as client:
        changed = promote_version(client, bucket, version)
    _print(Console(), f"{version} is current now" if changed else f"{version} is current already")


@app.command()
def rollback(bucket: Bucket = "") -> None:
    """Make the version before the current one current again."""
    with _open_registry(bucket) as client:
        version = rollback_version(client, bucket)
    _print(Console(), f"{version} is current again")


@app.command()
def show(
    version: Annotated[str | None, typer.Argument(help="As `list` shows it.", show_default="the current one")] = None,
    bucket: Bucket = "",
) -> None:
    """Show the manifest of a version."""
    with _open_registry(bucket) as client:
        document = show_version(client, bucket, version)
    Console().print_json(json.dumps(document))


@app.command("list")
def list_command(bucket: Bucket = "") -> None:
    """Show the published versions; the current one is marked."""
    with _open_registry(bucket) as client:
        versions = list_versions(client, bucket)
    console = Console()
    if not console.is_terminal:
        for entry in versions:
            mark = "current" if entry.is_current else "-"
            print(entry.version, entry.created_at, *_format_figures(entry), entry.forced or "-", mark, sep="\t")
        return
    table = Table(title=f"Models in {bucket}")
    # Whole on a narrow terminal too: it is there to be copied, and begins with the time.
    table.add_column("Version", no_wrap=True)
    for title in ("RMSE", "R²", "Coverage", "Width"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Note")
    for entry in versions:
        marks = ["current"] if entry.is_current else []
        marks += [f"forced: {entry.forced}"] if entry.forced else []
        style = "bold green" if entry.is_current else None
        table.add_row(entry.version, *_format_figures(entry), Text(", ".join(marks)), style=style)
    console.print(table)


def _format_figures(entry: PublishedVersion) -> list[str]:
    figures = ((entry.rmse, ".2f"), (entry.r2, ".3f"), (entry.coverage, ".1%"), (entry.mean_width, ".1f"))
    return ["-" if figure is None else f"{figure:{form}}" for figure, form in figures]


def _print(console: Console, text: str) -> None:
    """As it is: a path is not wrapped, and its brackets are not markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _open_registry(bucket: str) -> Iterator["S3Client"]:
    """Yield the client for a command that needs the bucket."""
    with _report_errors():
        if not bucket:
            raise RegistryError("no bucket: pass --bucket or set MODEL_BUCKET")
        yield connect_storage()


@contextmanager
def _report_errors() -> Iterator[None]:
    """What a person can mend is one line on stderr and exit code 1; a fault of ours is a traceback."""
    try:
        yield
    except (TrainingError, OSError) as error:
        # Some of boto3's texts have several lines.
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app(prog_name="python -m training")
