"""Reads the whole history, and proves that none of it is missing, altered or out of order."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING

from lambda_app.model.bundle import POINTER_KEY
from training.documents import StoredPointer, fetch_pointer
from training.errors import RegistryError
from training.history import HISTORY, Entry, entry_key, fetch_entry, list_keys, parse_key, trace_carried_out
from training.storage import explain_failures

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_TRIES = 5
# S3 may be a tenth of a second away, and a history is of hundreds of entries. The client has so many connections.
_AT_ONCE = 10
# So many missing entries in a row get a line each. Beyond, a foreign object may have a number of eight digits.
_WIDEST_GAP = 100


@dataclass(frozen=True)
class History:
    """The entries by number, the numbers of those that were carried out, and the one in effect (0: none)."""

    entries: dict[int, Entry]
    carried_out: set[int]
    sequence: int
    faults: list[str]


def read_history(client: "S3Client", bucket: str) -> History:
    """Every entry that can be read, and a line for each fault that was found."""
    with explain_failures(bucket):
        for _ in range(_TRIES):
            pointer = fetch_pointer(client, bucket)
            entries, damaged, faults = _fetch_entries(client, bucket)
            # One that was moved meanwhile belongs to entries that were not there yet.
            if fetch_pointer(client, bucket) == pointer:
                break
        else:
            raise RegistryError("others are changing the pointer at this moment: try again")
    sequence = pointer.sequence if pointer else 0
    carried_out = trace_carried_out(entries, sequence)
    missing = _find_missing(entries, damaged, sequence)
    faults += missing
    # Without each of its links, the way to the entry in effect is not known.
    led = carried_out if sequence and not missing and not damaged else None
    for entry in entries.values():
        faults += _check_entry(entry, entries, led)
    faults += _check_pointer(pointer, entries)
    return History(entries, carried_out, sequence, faults)


def find_restorations(client: "S3Client", bucket: str, history: History) -> list[str]:
    """A line for each time that the pointer was deleted or put back, as far back as S3 keeps versions of it.

    The entries alone don't show it where the next change was the first again, or where it was put back by one step:
    the author of the last entry may also have been killed before the swap.
    """
    with explain_failures(bucket):
        pages = list(client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=POINTER_KEY))
    deletions = [marker for page in pages for marker in page.get("DeleteMarkers", []) if marker["Key"] == POINTER_KEY]
    faults = [f"{POINTER_KEY} was deleted at {marker['LastModified'].isoformat()}" for marker in deletions]
    # Before the history, a rollback made the same pointer again. S3 keeps whole seconds.
    begin = min((entry.at[:19] for entry in history.entries.values()), default="9")
    seen: set[str] = set()
    versions = [found for page in pages for found in page.get("Versions", []) if found["Key"] == POINTER_KEY]
    # The newest comes first.
    for version in reversed(versions):
        at = version["LastModified"].astimezone(UTC).isoformat()
        if at[:19] < begin:
            continue
        # Each pointer has a number of its own, so no two have the same content.
        if version["ETag"] in seen:
            faults.append(f"{POINTER_KEY} was put back to an earlier one at {at}")
        seen.add(version["ETag"])
    return faults


def _fetch_entries(client: "S3Client", bucket: str) -> tuple[dict[int, Entry], set[int], list[str]]:
    """The entries, the numbers of those that can't be read, and the faults so far."""
    entries: dict[int, Entry] = {}
    damaged: set[int] = set()
    faults: list[str] = []
    keys = list_keys(client, bucket)
    faults += [f"{key} does not belong there: it is not an entry" for key in keys if parse_key(key) is None]
    numbers = {number: key for key in keys if (number := parse_key(key))}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for number, found in zip(
            numbers, threads.map(partial(_try_entry, client, bucket), numbers.values()), strict=True
        ):
            if isinstance(found, RegistryError):
                damaged.add(number)
                faults.append(str(found))
            else:
                entries[number] = found
    return entries, damaged, faults


def _try_entry(client: "S3Client", bucket: str, key: str) -> Entry | RegistryError:
    try:
        return fetch_entry(client, bucket, key)
    except RegistryError as error:
        return error


def _find_missing(entries: dict[int, Entry], damaged: set[int], sequence: int) -> list[str]:
    """A line for each number that is missing, and one for all of a wide gap."""
    faults, last = [], 0
    there = {*entries, *damaged}
    for number in sorted({*there, sequence} - {0}):
        absent = range(last + 1, number + (number not in there))
        if len(absent) > _WIDEST_GAP:
            faults.append(f"{entry_key(absent[0])} to {absent[-1]:08d}.json are missing")
        else:
            faults += [f"{entry_key(one)} is missing" for one in absent]
        last = number
    return faults


def _check_entry(entry: Entry, entries: dict[int, Entry], led: set[int] | None) -> list[str]:
    """The faults between an entry and those that it names."""
    faults = []
    before, origin = entries.get(entry.sequence - 1), entries.get(entry.from_sequence)
    altered = {
        named.sequence
        for named, digest in ((before, entry.previous_sha256), (origin, entry.from_sha256))
        if named and named.sha256 != digest
    }
    faults += [
        f"{entry_key(number)} was altered: number {entry.sequence} has another digest of it"
        for number in sorted(altered)
    ]
    if entry.sequence == 1 and entry.previous_sha256 is not None:
        faults.append(f"{entry_key(1)} is out of order: it says that another entry was before it")
    if entry.from_sequence >= entry.sequence:
        faults.append(f"{entry_key(entry.sequence)} is out of order: it leads from number {entry.from_sequence}")
    elif origin and origin.after != entry.before:
        faults.append(
            f"{POINTER_KEY} was changed without an entry between number {entry.from_sequence} and {entry.sequence}"
        )
    elif origin and led is not None and entry.from_sequence not in led:
        faults.append(
            f"{POINTER_KEY} was replaced: number {entry.sequence} leads from number {entry.from_sequence}, which is "
            "not among those that led to the one in effect"
        )
    return faults


def _check_pointer(pointer: StoredPointer | None, entries: dict[int, Entry]) -> list[str]:
    """The faults between the pointer and the entry that it names."""
    if pointer is None:
        # A first change that was begun and not carried out leads from nothing.
        return [f"{POINTER_KEY} is missing"] if any(entry.from_sequence for entry in entries.values()) else []
    if pointer.sequence == 0 and any(
        entry.from_sequence or entry.before != pointer.state for entry in entries.values()
    ):
        return [f"{POINTER_KEY} names no entry, although there are entries under {HISTORY}: it was replaced"]
    entry = entries.get(pointer.sequence)
    if entry is None:
        # From before the history, or told as missing or damaged.
        return []
    if entry.sha256 != pointer.history_sha256:
        return [f"{entry_key(pointer.sequence)} was altered: {POINTER_KEY} has another digest of it"]
    known = _find_previous(entry, entries)
    if entry.after != pointer.state or (known is not None and pointer.previous not in known):
        return [f"{POINTER_KEY} was changed without an entry after number {pointer.sequence}"]
    return []


def _find_previous(entry: Entry, entries: dict[int, Entry]) -> set[str | None] | None:
    """The version before the current one, by the last change of the version; None if the entries don't tell it."""
    while entry.before and entry.before.version == entry.after.version:
        # A change of the candidate alone replaces no version.
        origin = entries.get(entry.from_sequence)
        if origin is None or origin.sequence >= entry.sequence:
            # From before the history, or told as missing, damaged or out of order.
            return None
        entry = origin
    return {entry.before.version if entry.before else None}
