"""The command line `python -m training`: a model from its training to its successor."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lambda_app.model.bundle import MANIFEST
from problem.table import TABLE
from training import DEFAULT_EPOCHS, DEFAULT_SEED, LEAST_EPOCHS, MODELS
from training.decision import Decision, find_caller, read_reason
from training.errors import RegistryError, TrainingError
from training.history_check import read_history
from training.history_table import describe_proof, print_history
from training.live.commands import register
from training.options import make_app, one_of, report_errors, whole_number
from training.progress import show_progress
from training.promotion import promote_version, rollback_version
from training.registry import find_newest_bundle, list_versions, publish_bundle, show_version, verify_version
from training.rounding import format_figure
from training.signing import SigningKey, connect_key
from training.storage import connect_storage
from training.versions import print_versions

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUILD = MODELS.parent

app = make_app(
    "Train the model, publish it to the registry, and choose the version that is served.",
    "The registry is an S3 bucket: name it with --bucket or MODEL_BUCKET. AWS_PROFILE says who you are there, "
    "and AWS_ENDPOINT_URL where it is when it is not on AWS. outcomes, monitor and recalibrate take --env or --local.",
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
Bucket = Annotated[
    str,
    typer.Option(envvar="MODEL_BUCKET", metavar="NAME", help="The S3 bucket of the registry.", show_default=False),
]
Reason = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Why the served version changes, for the history. Asked for on a terminal.",
        show_default=False,
    ),
]
Key = Annotated[
    str,
    typer.Option(
        "--signing-key",
        envvar="MODEL_SIGNING_KEY",
        metavar="ARN",
        help="The key of KMS (ECC_NIST_P256, to sign and verify) that signs versions.",
        show_default="none: versions are not signed",
    ),
]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version, as `list` shows it.")]


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
    _print(
        f"Held out, {metrics['rows']} {TABLE.cases}: RMSE {format_figure(metrics['rmse'])}, "
        f"MAE {format_figure(metrics['mae'])}, R² {metrics['r2']:.3f}; {metrics['coverage']:.1%} lie in their "
        f"interval, {format_figure(metrics['mean_width'])} wide on average",
    )
    _print(f"Trained {directory}")


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
            _print(f"Skipping {name}: it copes with {MOST_ROWS[name]:,} rows, and {fitted:,} are to be fitted to")
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
    _print(f"Wrote {output / 'evaluation.json'} and evaluation.png")


@app.command()
def publish(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIRECTORY", help="The directory that `train` wrote.", show_default=f"the newest under {MODELS}"
        ),
    ] = None,
    bucket: Bucket = "",
    force: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Publish a model that is not good enough; the reason is kept with it.",
            show_default=False,
        ),
    ] = None,
    signing_key: Key = "",
) -> None:
    """Upload a trained model as a version that never changes.

    Refused unless the model is good enough: on rows it has not seen it is no worse than ridge regression and its
    intervals hold as often as promised, and in the form that is served it answers as it was trained.
    """
    with _open_registry(bucket) as client:
        version, is_new = publish_bundle(
            client, bucket, directory or find_newest_bundle(MODELS), force, _find_key(signing_key)
        )
        _print(f"Published {version}" if is_new else f"{version} is published already: nothing was uploaded")


@app.command()
def promote(version: Version, bucket: Bucket = "", reason: Reason = None, signing_key: Key = "") -> None:
    """Serve a published version from now on.

    With a signing key it must be signed by it.
    """
    with _open_registry(bucket) as client:
        changed = promote_version(client, bucket, version, _decide(reason), _find_key(signing_key))
        _print(f"{version} is current now" if changed else f"{version} is current already: nothing was changed")


@app.command()
def rollback(bucket: Bucket = "", reason: Reason = None, signing_key: Key = "") -> None:
    """Serve the version before the current one again.

    Only one step is remembered: another rollback brings back the version that this one replaced. With a signing key the
    version must be signed by it.
    """
    with _open_registry(bucket) as client:
        version, replaced = rollback_version(client, bucket, _decide(reason), _find_key(signing_key))
        _print(f"{version} is current again, in place of {replaced}. Another rollback would bring {replaced} back")


@app.command()
def history(
    bucket: Bucket = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove that no entry is missing, altered or out of order.")
    ] = False,
) -> None:
    """Show each change of the served version: its author, time and reason, newest first.

    On a terminal it is a table. A file or a pipe gets a line of names and a line for each change, with tabs between.
    --verify prints a line for each fault, and exits with 1 if there is one.
    """
    with _open_registry(bucket) as client:
        found = read_history(client, bucket)
        if not verify:
            print_history(Console(), bucket, found)
            if found.faults:
                typer.echo("The history has faults: --verify names them", err=True)
            return
        for line in found.faults or describe_proof(found):
            _print(line)
    if found.faults:
        raise typer.Exit(1)


@app.command("verify")
def verify_command(version: Version, bucket: Bucket = "", signing_key: Key = "") -> None:
    """Prove that a published version is whole and signed by the signing key."""
    with _open_registry(bucket) as client:
        key = _find_key(signing_key)
        if key is None:
            raise RegistryError("no signing key: pass --signing-key or set MODEL_SIGNING_KEY")
        verify_version(client, bucket, version, key)
        _print(f"{version} is whole, and signed by {key.arn}")


@app.command()
def show(
    version: Annotated[
        str | None,
        typer.Argument(metavar="VERSION", help="A version, as `list` shows it.", show_default="the current one"),
    ] = None,
    bucket: Bucket = "",
) -> None:
    """Show all figures of a version, as JSON."""
    with _open_registry(bucket) as client:
        Console().print_json(json.dumps(show_version(client, bucket, version)))


@app.command("list")
def list_command(bucket: Bucket = "") -> None:
    """Show the published versions and which is current.

    On a terminal it is a table. A file or a pipe gets a line of names and a line for each version, with tabs between.
    """
    with _open_registry(bucket) as client:
        print_versions(Console(), bucket, list_versions(client, bucket))


register(app)


def _print(text: str) -> None:
    """As it is: a path is not wrapped, and its brackets are not markup."""
    print(text, flush=True)


def _decide(reason: str | None) -> Decision:
    """The author and the reason of a change, which is asked for on a terminal."""
    if reason is None and sys.stdin.isatty():
        reason = typer.prompt("Reason", err=True)
    return Decision(reason=read_reason(reason or ""), who=find_caller())


def _find_key(arn: str) -> SigningKey | None:
    return connect_key(arn) if arn else None


@contextmanager
def _open_registry(bucket: str) -> Iterator["S3Client"]:
    """Yield the client for a command that needs the bucket."""
    with report_errors(TrainingError):
        if not bucket:
            raise RegistryError("no bucket: pass --bucket or set MODEL_BUCKET")
        yield connect_storage()


if __name__ == "__main__":
    app(prog_name="python -m training")
