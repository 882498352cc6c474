"""Moves the pointer to the version that is served: by compare-and-swap, after an entry in the history."""

import json
from typing import TYPE_CHECKING, Any

from lambda_app.model.bundle import INTERVAL, MANIFEST, POINTER_KEY, bundle_key, sha256_hex
from training.decision import Decision
from training.documents import State, StoredPointer, fetch_pointer, read_manifest, write_pointer_document
from training.errors import RegistryError
from training.history import append_entry, entry_key, fetch_entry
from training.signing import SIGNATURE, SigningKey, verify_signature
from training.storage import explain_failures, fetch_object, measure_object, write_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def promote_version(
    client: "S3Client", bucket: str, version: str, decision: Decision, key: SigningKey | None = None
) -> bool:
    """Make `version` the one that is served; return False when it is already.

    RegistryError when it is not published whole, when it is not signed by the key, if one is given, or when someone
    else moved the pointer meanwhile.
    """
    with explain_failures(bucket):
        return _move_pointer(client, bucket, "promote", version, fetch_pointer(client, bucket), decision, key)


def rollback_version(
    client: "S3Client", bucket: str, decision: Decision, key: SigningKey | None = None
) -> tuple[str, str]:
    """Make the version that was served before the current one the one that is served; return it, and what it replaced.

    RegistryError when there is none, or as for a promotion. Rolling back twice leads back to where it began.
    """
    with explain_failures(bucket):
        pointer = fetch_pointer(client, bucket)
        if pointer is None:
            raise RegistryError("no version is current yet: promote one")
        if pointer.previous is None:
            raise RegistryError("the current version is the first one: there is none before it to go back to")
        _move_pointer(client, bucket, "rollback", pointer.previous, pointer, decision, key)
    return pointer.previous, pointer.state.version


def _move_pointer(
    client: "S3Client",
    bucket: str,
    action: str,
    version: str,
    pointer: StoredPointer | None,
    decision: Decision,
    key: SigningKey | None,
) -> bool:
    """Swap the pointer that was found for one to `version`; False when it names that version already."""
    manifest = _require_whole(client, bucket, version)
    if key:
        signature = fetch_object(client, bucket, bundle_key(version, SIGNATURE))
        verify_signature(key, version, manifest, signature.content if signature else None)
    after = State(version, sha256_hex(manifest))
    if pointer and pointer.state == after:
        return False
    gates = _read_gates(json.loads(manifest))
    sequence, entry_sha256 = append_entry(client, bucket, pointer, action, after, decision, gates)
    previous = pointer.state.version if pointer else None
    content = write_pointer_document(after, previous, sequence, entry_sha256)
    if not write_object(client, bucket, POINTER_KEY, content, pointer.stored if pointer else None):
        winner = fetch_pointer(client, bucket)
        # The same content: ours, whose reply was lost. The same state: someone else did what was wanted.
        if winner is None or winner.state != after:
            raise RegistryError(f"{version} was not promoted: {_describe_winner(client, bucket, winner)}")
    return True


def _describe_winner(client: "S3Client", bucket: str, winner: StoredPointer | None) -> str:
    current = f"{winner.state.version if winner else 'no version'} is current now"
    try:
        if winner is None or winner.sequence == 0:
            raise RegistryError("the pointer names no entry")
        entry = fetch_entry(client, bucket, entry_key(winner.sequence))
    except RegistryError:
        return f"someone else moved the pointer meanwhile, {current}"
    return f"{entry.who} moved the pointer meanwhile, at {entry.at}, {current}"


def _require_whole(client: "S3Client", bucket: str, version: str) -> bytes:
    """Return the manifest after making sure that every file it names is there in its size."""
    key = bundle_key(version, MANIFEST)
    found = fetch_object(client, bucket, key)
    if found is None:
        raise RegistryError(f"there is no version {version!r} in bucket {bucket}: `list` shows those that there are")
    manifest = read_manifest(found.content, key)
    if manifest.version != version:
        raise RegistryError(f"{key} says it is version {manifest.version}; nothing was promoted")
    if INTERVAL not in manifest.files:
        raise RegistryError(f"version {version} has no {INTERVAL}, which the service needs; nothing was promoted")
    for name, entry in manifest.files.items():
        size = measure_object(client, bucket, bundle_key(version, name))
        if size != entry.size:
            state = "is missing" if size is None else f"has {size} bytes instead of {entry.size}"
            raise RegistryError(f"version {version} is not whole: {name} {state}; nothing was promoted")
    return found.content


def _read_gates(manifest: dict[str, Any]) -> dict[str, Any]:
    """The held-out figures of a version that the history keeps, and the reason of a gate that was passed by."""
    metrics, forced = manifest.get("metrics"), manifest.get("forced")
    held_out = metrics.get("held_out") if isinstance(metrics, dict) else None
    figures = held_out if isinstance(held_out, dict) else {}
    return {
        **{name: figures.get(name) for name in ("rmse", "r2", "coverage", "mean_width")},
        "forced": forced.get("reason") if isinstance(forced, dict) else None,
    }
