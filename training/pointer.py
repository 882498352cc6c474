"""Moves the pointer: an entry in the history first, then a compare-and-swap. The loser of a race is told who won."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_app.model.bundle import POINTER_KEY
from training.decision import Decision
from training.documents import State, StoredPointer, describe_candidate, fetch_pointer, write_pointer_document
from training.errors import RegistryError
from training.history import append_entry, entry_key, fetch_entry
from training.storage import write_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Change:
    """A change of the pointer that was made; `before` is None for the first."""

    before: State | None
    after: State


def move_pointer(
    client: "S3Client",
    bucket: str,
    pointer: StoredPointer | None,
    action: str,
    after: State,
    decision: Decision,
    gates: Mapping[str, Any],
) -> Change | None:
    """Swap the pointer that was found for one to `after`; return None when it says so already.

    RegistryError when somebody else moved it meanwhile.
    """
    before = pointer.state if pointer else None
    if before == after:
        return None
    sequence, entry_sha256 = append_entry(client, bucket, pointer, action, after, decision, gates)
    content = write_pointer_document(after, _name_previous(pointer, after), sequence, entry_sha256)
    if not write_object(client, bucket, POINTER_KEY, content, pointer.stored if pointer else None):
        winner = fetch_pointer(client, bucket)
        # The same content: ours, whose reply was lost. The same state: someone else did what was wanted.
        if winner is None or winner.state != after:
            raise RegistryError(f"nothing was changed: {_describe_winner(client, bucket, winner)}")
    return Change(before, after)


def describe_state(state: State | None) -> str:
    """Say in a clause what is served, and what is tried beside it."""
    if state is None:
        return "no version is current now"
    tried = f", and tried is {describe_candidate(state.candidate)}" if state.candidate is not None else ""
    return f"{state.version} is current now{tried}"


def _name_previous(pointer: StoredPointer | None, after: State) -> str | None:
    """The version that a rollback restores: the one that is replaced, or as before if it is the candidate alone."""
    if pointer is None:
        return None
    return pointer.previous if pointer.state.version == after.version else pointer.state.version


def _describe_winner(client: "S3Client", bucket: str, winner: StoredPointer | None) -> str:
    current = describe_state(winner.state if winner else None)
    try:
        if winner is None or winner.sequence == 0:
            raise RegistryError("the pointer names no entry")
        entry = fetch_entry(client, bucket, entry_key(winner.sequence))
    except RegistryError:
        return f"someone else moved the pointer meanwhile, {current}"
    return f"{entry.who} moved the pointer meanwhile, by {entry.action} at {entry.at}, {current}"
