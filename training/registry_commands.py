"""The commands that publish, show and verify: `publish`, `history`, `verify`, `show` and `list`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training import MODELS
from training.access import Bucket, Key, Version, find_key, open_registry, print_line
from training.errors import RegistryError
from training.history_check import find_restorations, read_history
from training.history_table import describe_proof, print_history
from training.registry import find_newest_bundle, list_versions, publish_bundle, show_version, verify_version
from training.versions import print_versions


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
    with open_registry(bucket) as client:
        version, is_new = publish_bundle(
            client, bucket, directory or find_newest_bundle(MODELS), force, find_key(signing_key)
        )
        print_line(f"Published {version}" if is_new else f"{version} is published already: nothing was uploaded")


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
    with open_registry(bucket) as client:
        found = read_history(client, bucket)
        if not verify:
            print_history(Console(), bucket, found)
            if found.faults:
                typer.echo("The history has faults: --verify names them", err=True)
            return
        faults = [*found.faults, *find_restorations(client, bucket, found)]
        for line in faults or describe_proof(found):
            print_line(line)
    if faults:
        raise typer.Exit(1)


def verify_command(version: Version, bucket: Bucket = "", signing_key: Key = "") -> None:
    """Prove that a published version is whole and signed by the signing key."""
    with open_registry(bucket) as client:
        key = find_key(signing_key)
        if key is None:
            raise RegistryError("no signing key: pass --signing-key or set MODEL_SIGNING_KEY")
        verify_version(client, bucket, version, key)
        print_line(f"{version} is whole, and signed by {key.arn}")


def show(
    version: Annotated[
        str | None,
        typer.Argument(metavar="VERSION", help="A version, as `list` shows it.", show_default="the current one"),
    ] = None,
    bucket: Bucket = "",
) -> None:
    """Show all figures of a version, as JSON."""
    with open_registry(bucket) as client:
        Console().print_json(json.dumps(show_version(client, bucket, version)))


def list_command(bucket: Bucket = "") -> None:
    """Show the published versions and which is current.

    On a terminal it is a table. A file or a pipe gets a line of names and a line for each version, with tabs between.
    """
    with open_registry(bucket) as client:
        print_versions(Console(), bucket, list_versions(client, bucket))


def register(app: typer.Typer) -> None:
    """Add the commands to those of training."""
    app.command()(publish)
    app.command()(history)
    app.command("verify")(verify_command)
    app.command()(show)
    app.command("list")(list_command)
