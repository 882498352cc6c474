"""The conditions for a version to be served or tried: it is whole and readable, and signed where a key is named."""

import json
from typing import TYPE_CHECKING, Any

from lambda_app.model.bundle import INTERVAL, MANIFEST, bundle_key
from training.documents import read_manifest
from training.errors import RegistryError
from training.signing import SIGNATURE, SigningKey, verify_signature
from training.storage import fetch_object, measure_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def require_eligible(client: "S3Client", bucket: str, version: str, key: SigningKey | None) -> bytes:
    """Return the manifest after making sure that every file it names is there in its size, and of the signature."""
    manifest_key = bundle_key(version, MANIFEST)
    found = fetch_object(client, bucket, manifest_key)
    if found is None:
        raise RegistryError(f"there is no version {version!r} in bucket {bucket}: `list` shows those that there are")
    manifest = read_manifest(found.content, manifest_key)
    if manifest.version != version:
        raise RegistryError(f"{manifest_key} says it is version {manifest.version}; nothing was changed")
    if INTERVAL not in manifest.files:
        raise RegistryError(f"version {version} has no {INTERVAL}, which the service needs; nothing was changed")
    for name, entry in manifest.files.items():
        size = measure_object(client, bucket, bundle_key(version, name))
        if size != entry.size:
            state = "is missing" if size is None else f"has {size} bytes instead of {entry.size}"
            raise RegistryError(f"version {version} is not whole: {name} {state}; nothing was changed")
    if key:
        signature = fetch_object(client, bucket, bundle_key(version, SIGNATURE))
        verify_signature(key, version, found.content, signature.content if signature else None)
    return found.content


def read_gates(manifest: bytes) -> dict[str, Any]:
    """The held-out figures of a version that the history keeps, and the reason of a gate that was passed by."""
    try:
        document = dict(json.loads(manifest))
    except (TypeError, ValueError):
        # Of a candidate that is given up because it is damaged.
        document = {}
    metrics, forced = document.get("metrics"), document.get("forced")
    held_out = metrics.get("held_out") if isinstance(metrics, dict) else None
    figures = held_out if isinstance(held_out, dict) else {}
    return {
        **{name: figures.get(name) for name in ("rmse", "r2", "coverage", "mean_width")},
        "forced": forced.get("reason") if isinstance(forced, dict) else None,
    }
