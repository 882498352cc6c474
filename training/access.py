"""The bucket, the key and the author of a decision, as the commands of the registry take them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from training.decision import Decision, find_caller, read_reason
from training.errors import RegistryError, TrainingError
from training.options import report_errors
from training.signing import SigningKey, connect_key
from training.storage import connect_storage

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Bucket = Annotated[
    str,
    typer.Option(envvar="MODEL_BUCKET", metavar="NAME", help="The S3 bucket of the registry.", show_default=False),
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
Reason = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Why the served version changes, for the history. Asked for on a terminal.",
        show_default=False,
    ),
]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version, as `list` shows it.")]


@contextmanager
def open_registry(bucket: str) -> Iterator["S3Client"]:
    """Yield the client for a command that needs the bucket."""
    with report_errors(TrainingError):
        if not bucket:
            raise RegistryError("no bucket: pass --bucket or set MODEL_BUCKET")
        yield connect_storage()


def find_key(arn: str) -> SigningKey | None:
    """The key, if one is named."""
    return connect_key(arn) if arn else None


def decide(reason: str | None) -> Decision:
    """Return the reason, which is asked for on a terminal, with the caller as its author."""
    if reason is None and sys.stdin.isatty():
        # Not by typer.prompt, which writes a blank into the output.
        typer.echo("Reason: ", nl=False, err=True)
        reason = sys.stdin.readline()
    return Decision(reason=read_reason(reason or ""), who=find_caller())


def print_line(text: str) -> None:
    """Print the text as it is: a path is not wrapped, and its brackets are not markup."""
    print(text, flush=True)
