"""The commands that change what is served: `promote`, `rollback` and `abort`. Each says what happens now."""

from typing import Annotated

import typer

from lambda_app.model.bundle import CANARY
from training.access import Bucket, Key, Reason, Version, decide, find_key, open_registry, print_line
from training.documents import describe_candidate, describe_trial
from training.errors import RegistryError
from training.options import read_share
from training.pointer import Change
from training.promotion import Mode, abort_trial, promote_version, rollback_version, try_version

FOLLOWS = "The functions follow within MODEL_REFRESH_SECONDS (60 by default)"


def promote(
    version: Version,
    bucket: Bucket = "",
    reason: Reason = None,
    shadow: Annotated[
        bool,
        typer.Option(
            "--shadow", help="Only try it: it predicts beside the current version, and its predictions are recorded."
        ),
    ] = False,
    sample: Annotated[
        float | None,
        typer.Option(
            parser=read_share, metavar="SHARE", help="The share that a shadow predicts too.", show_default="100%"
        ),
    ] = None,
    canary: Annotated[
        float | None,
        typer.Option(
            parser=read_share,
            metavar="SHARE",
            help="Only try it: it answers in place of the current version, for this share, such as 5% or 0.05.",
            show_default=False,
        ),
    ] = None,
    signing_key: Key = "",
) -> None:
    """Serve a published version from now on, which ends a trial; or try it.

    One version is tried at a time, and another one takes its place. A case is chosen by its subject: each subject
    always meets the same model in a trial, and those of the candidate keep it when the share grows. With a signing key
    the version must be signed.
    """
    with open_registry(bucket) as client:
        if shadow and canary is not None:
            raise RegistryError("--shadow and --canary exclude each other")
        if sample is not None and not shadow:
            raise RegistryError("--sample goes with --shadow: the share of a canary stands behind --canary")
        key, decision = find_key(signing_key), decide(reason)
        if shadow or canary is not None:
            mode: Mode = "shadow" if shadow else "canary"
            change = try_version(client, bucket, version, mode, canary or sample or 1.0, decision, key)
            _announce_trial(version, change)
        else:
            _announce_version(version, promote_version(client, bucket, version, decision, key))


def rollback(bucket: Bucket = "", reason: Reason = None, signing_key: Key = "") -> None:
    """Serve the version before the current one again, and end a trial.

    Only one step is remembered: another rollback brings back the version that this one replaced. With a signing key the
    version must be signed by it.
    """
    with open_registry(bucket) as client:
        change = rollback_version(client, bucket, decide(reason), find_key(signing_key))
        if change is None or change.before is None:
            raise RegistryError("the version before the current one is the current one: promote another")
        print_line(
            f"{change.after.version} is current again, in place of {change.before.version}. "
            f"Another rollback would bring {change.before.version} back"
        )
        _announce_end(change)
        print_line(FOLLOWS)


def abort(bucket: Bucket = "", reason: Reason = None) -> None:
    """End the trial of a version. The current version stays."""
    with open_registry(bucket) as client:
        change = abort_trial(client, bucket, decide(reason))
        if change is None:
            print_line("No version is tried: nothing was changed")
            return
        _announce_end(change)
        print_line(f"{change.after.version} stays current. {FOLLOWS}")


def _announce_version(version: str, change: Change | None) -> None:
    if change is None:
        print_line(f"{version} is current already: nothing was changed")
        return
    replaced = change.before.version if change.before else version
    if replaced != version:
        print_line(f"{version} is current now, in place of {replaced}")
    else:
        print_line(f"{version} stays current" if change.before else f"{version} is current now")
    _announce_end(change)
    print_line(FOLLOWS + ("" if replaced == version else f". `rollback` brings {replaced} back"))


def _announce_trial(version: str, change: Change | None) -> None:
    if change is None or change.after.candidate is None:
        print_line(f"{version} is tried so already: nothing was changed")
        return
    tried, former = change.after.candidate, change.before.candidate if change.before else None
    does = "it answers these" if tried["mode"] == CANARY else "its predictions are recorded, not answered"
    print_line(f"{version} is tried as a {describe_trial(tried)} of the cases, beside {change.after.version}: {does}")
    if former is not None:
        print_line(f"Until now it was {describe_candidate(former)}")
    print_line(f"{FOLLOWS}. `promote {version}` makes it current, `abort` ends the trial")


def _announce_end(change: Change) -> None:
    if change.before and change.before.candidate is not None:
        print_line(f"The trial of {describe_candidate(change.before.candidate)} has ended")


def register(app: typer.Typer) -> None:
    """Add the commands to those of training."""
    app.command()(promote)
    app.command()(rollback)
    app.command()(abort)
