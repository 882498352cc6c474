"""The pointer and the manifests of the registry, with their faults in plain words."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lambda_app.errors import BundleError
from lambda_app.model.bundle import MANIFEST, POINTER_KEY, Candidate, Manifest, parse_manifest, parse_pointer
from training.errors import RegistryError
from training.rounding import format_share
from training.storage import StoredObject, fetch_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# The key of an entry has eight digits.
LAST_SEQUENCE = 99_999_999


@dataclass(frozen=True)
class State:
    """The served version with the digest of its manifest, and the candidate as the pointer has it, if any.

    A candidate that was written by hand may be of any kind: whoever ends its trial writes it down as it was.
    """

    version: str
    manifest_sha256: str
    candidate: Any = None


@dataclass(frozen=True)
class StoredPointer:
    """The pointer as it was found. Before the history there were no numbers: `sequence` is 0 then.

    `history_sha256` is the digest of the entry of this number. `candidate` is the one of `state` as the functions read
    it, None for one that they can't try.
    """

    state: State
    candidate: Candidate | None
    previous: str | None
    sequence: int
    history_sha256: str | None
    stored: StoredObject


def fetch_pointer(client: "S3Client", bucket: str) -> StoredPointer | None:
    """The pointer; None where no version is current yet. RegistryError when it is damaged."""
    found = fetch_object(client, bucket, POINTER_KEY)
    if found is None:
        return None
    try:
        pointer = parse_pointer(found.content)
    except BundleError as error:
        raise RegistryError(f"the registry is damaged: {_describe_damage(error, POINTER_KEY)}") from error
    document = json.loads(found.content)
    previous, candidate = document.get("previous"), document.get("candidate")
    sequence, digest = document.get("sequence", 0), document.get("history_sha256")
    if type(sequence) is not int or not 0 <= sequence <= LAST_SEQUENCE or not isinstance(digest, str | None):
        raise RegistryError(f"the registry is damaged: {POINTER_KEY} names no entry of the history")
    if not isinstance(previous, str | None):
        raise RegistryError(f"the registry is damaged: {POINTER_KEY} has a value of the wrong kind")
    state = State(pointer.version, pointer.manifest_sha256, candidate)
    return StoredPointer(state, pointer.candidate, previous, sequence, digest, found)


def write_pointer_document(state: State, previous: str | None, sequence: int, history_sha256: str) -> bytes:
    """The content of current.json for an entry of the history."""
    served = asdict(state)
    candidate = served.pop("candidate")
    document = {**served, "previous": previous, "candidate": candidate}
    document |= {"sequence": sequence, "history_sha256": history_sha256}
    return json.dumps(document, indent=2).encode() + b"\n"


def describe_candidate(candidate: object) -> str:
    """The version, mode and share of a candidate; one that was written by hand may lack them."""
    told = f"{candidate.get('version')} as a {describe_trial(candidate)}" if isinstance(candidate, Mapping) else ""
    return told if told and told.isprintable() else "a candidate that can't be read"


def describe_trial(candidate: Mapping[str, Any]) -> str:
    """The mode and share of a candidate."""
    return f"{candidate.get('mode')} for {format_share(candidate.get('share'))}"


def read_manifest(content: bytes, source: str) -> Manifest:
    """Parse a manifest; RegistryError that names its source when it is damaged."""
    try:
        return parse_manifest(content)
    except BundleError as error:
        raise RegistryError(f"{source} is damaged: {_describe_damage(error, MANIFEST)}") from error


def _describe_damage(error: BundleError, name: str) -> str:
    """The fault of a document, in plain words where the service's log has Python's own."""
    if error.__cause__ is None or isinstance(error.__cause__, json.JSONDecodeError):
        return str(error)
    if isinstance(error.__cause__, KeyError):
        return f"{name} lacks {error.__cause__.args[0]}"
    return f"{name} has a value of the wrong kind"
