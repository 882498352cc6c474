"""The history of the pointer in S3: an entry for each change, written before the pointer is swapped, never again.

An entry's number is claimed with `If-None-Match: *`. Each entry has the digest of the one before, and the pointer has
that of the entry in effect. An entry that is not followed by its swap, because its author was killed or lost a race,
was begun and not carried out; the next change takes the next number.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambda_app.model.bundle import sha256_hex
from training.decision import Decision
from training.documents import LAST_SEQUENCE, State, StoredPointer
from training.errors import RegistryError
from training.storage import fetch_object, write_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

HISTORY = "models/history/"
# So many others may take the next number first.
_TRIES = 10
_KEY = re.compile(r"models/history/([0-9]{8})\.json")


@dataclass(frozen=True)
class Entry:
    """A change of the pointer: from what an earlier entry led to, where 0 is none, to what is served then.

    `gates` has the held-out figures of the version that the change is about. `from_sha256` is the digest of the entry
    from which it leads, as the pointer had it; `previous_sha256` is that of the number before. `sha256` is its own.
    """

    sequence: int
    at: str
    who: str
    action: str
    before: State | None
    from_sequence: int
    from_sha256: str | None
    after: State
    reason: str
    gates: Mapping[str, Any]
    previous_sha256: str | None
    sha256: str


def entry_key(sequence: int) -> str:
    """The S3 key of an entry."""
    return f"{HISTORY}{sequence:08d}.json"


def append_entry(
    client: "S3Client",
    bucket: str,
    pointer: StoredPointer | None,
    action: str,
    after: State,
    decision: Decision,
    gates: Mapping[str, Any],
) -> tuple[int, str]:
    """Write down a change that is about to be made to the pointer; return the entry's number and digest."""
    from_sequence = pointer.sequence if pointer else 0
    from_sha256 = pointer.history_sha256 if pointer else None
    for _ in range(_TRIES):
        last = _find_last(client, bucket, from_sequence)
        if last >= LAST_SEQUENCE:
            raise RegistryError(f"nothing was changed: {HISTORY} has no number left after {last}")
        # The pointer's own digest and not the entry's: one that was altered meanwhile stays in evidence.
        previous_sha256 = from_sha256 if last == from_sequence else _digest_entry(client, bucket, last)
        document = {
            "sequence": last + 1,
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "who": decision.who,
            "action": action,
            "from": asdict(pointer.state) if pointer else None,
            "from_sequence": from_sequence,
            "from_sha256": from_sha256,
            "to": asdict(after),
            "reason": decision.reason,
            "gates": gates,
            "previous_sha256": previous_sha256,
        }
        # What stands in a pointer that was written by hand may be no Unicode; JSON has the same escapes.
        content = json.dumps(document, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        if write_object(client, bucket, entry_key(last + 1), content, former=None):
            return last + 1, sha256_hex(content)
        there = fetch_object(client, bucket, entry_key(last + 1))
        # Ours, if only the reply was lost.
        if there and there.content == content:
            return last + 1, sha256_hex(content)
    raise RegistryError("nothing was changed: others are changing the pointer at this moment, try again")


def list_keys(client: "S3Client", bucket: str, after: int = 0) -> list[str]:
    """The keys under the history beyond that of the entry `after`, in their order."""
    # Not the folder itself, which the console of S3 makes.
    start = entry_key(after) if after else HISTORY
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=HISTORY, StartAfter=start)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def parse_key(key: str) -> int | None:
    """The number in the key of an entry; None for another object."""
    found = _KEY.fullmatch(key)
    return int(found[1]) if found and int(found[1]) else None


def fetch_entry(client: "S3Client", bucket: str, key: str) -> Entry:
    """Read an entry; RegistryError when it is missing, or is not an entry of that number."""
    found = fetch_object(client, bucket, key)
    if found is None:
        raise RegistryError(f"{key} is missing")
    try:
        document = json.loads(found.content)
        entry = Entry(
            sequence=int(document["sequence"]),
            at=str(document["at"]),
            who=str(document["who"]),
            action=str(document["action"]),
            before=None if document["from"] is None else State(**document["from"]),
            from_sequence=int(document["from_sequence"]),
            from_sha256=document["from_sha256"],
            after=_read_after(document["to"]),
            reason=str(document["reason"]),
            gates=dict(document["gates"]),
            previous_sha256=document["previous_sha256"],
            sha256=sha256_hex(found.content),
        )
    # Overflow: an infinite number. Recursion: brackets in brackets.
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RegistryError(f"{key} is damaged: it is not an entry of the history") from error
    if entry.sequence != parse_key(key):
        raise RegistryError(f"{key} is out of order: it is the entry of number {entry.sequence}")
    return entry


def trace_carried_out(entries: Mapping[int, Entry], sequence: int) -> set[int]:
    """The numbers of the changes that were made: the one in effect, the one it led from, and so on.

    Every swap of the pointer asked for the pointer that its entry leads from, so no other change was ever in effect.
    """
    carried_out: set[int] = set()
    while sequence in entries and sequence not in carried_out:
        carried_out.add(sequence)
        sequence = entries[sequence].from_sequence
    return carried_out


def _read_after(document: Mapping[str, Any]) -> State:
    state = State(**document)
    # No change leads to a damaged candidate, but one may end its trial.
    if not isinstance(state.candidate, dict | None):
        raise TypeError("candidate is no object")
    return state


def _find_last(client: "S3Client", bucket: str, after: int) -> int:
    """The last of the numbers that follow on `after` without a gap: what stands beyond one is no entry."""
    last = after
    for key in list_keys(client, bucket, after):
        if parse_key(key) == last + 1:
            last += 1
    return last


def _digest_entry(client: "S3Client", bucket: str, sequence: int) -> str | None:
    found = fetch_object(client, bucket, entry_key(sequence))
    return sha256_hex(found.content) if found else None
