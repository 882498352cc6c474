"""The registry of models in S3: versions that never change, and the pointer to the one that is served.

A version exists once its manifest does, which is written last. Versions are created with `If-None-Match: *` and the
pointer is swapped with `If-Match`, so two people at once can neither overwrite a file nor lose a promotion unseen.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_app.errors import BundleError
from lambda_app.model.bundle import (
    INTERVAL,
    MANIFEST,
    POINTER_KEY,
    Manifest,
    Pointer,
    bundle_key,
    parse_manifest,
    parse_pointer,
    sha256_hex,
)
from training.errors import RegistryError
from training.gates import find_failures
from training.storage import StoredObject, explain_failures, fetch_object, measure_object, write_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class PublishedVersion:
    """A line of the registry. The figures are those of held-out rows; None where the manifest has none.

    `forced` is the reason for which it was published although it failed a gate.
    """

    version: str
    created_at: str
    rmse: float | None
    r2: float | None
    coverage: float | None
    mean_width: float | None
    forced: str | None
    is_current: bool


def list_bundles(output: Path) -> list[Path]:
    """The bundles under `output` that this code serves, youngest first."""
    # A version starts with its time, and an export that is under way has a name that starts with a dot. Models from
    # before there were intervals may still lie there.
    bundles = (path.parent for path in output.glob(f"[!.]*/{MANIFEST}") if path.with_name(INTERVAL).exists())
    return sorted(bundles, reverse=True)


def find_newest_bundle(output: Path) -> Path:
    """The youngest bundle under `output` that this code serves; RegistryError when there is none."""
    bundles = list_bundles(output)
    if not bundles:
        raise RegistryError(f"no trained model under {output}: run `python -m training train` first")
    return bundles[0]


def require_publishable(directory: Path) -> None:
    """RegistryError when the bundle is not what its manifest says, or fails a gate."""
    version, contents = _read_bundle(directory)
    _pass_gates(version, contents[MANIFEST], force_reason=None)


def publish_bundle(
    client: "S3Client", bucket: str, directory: Path, force_reason: str | None = None
) -> tuple[str, bool]:
    """Upload what of the bundle is not there yet; return its version, and False when it was published already.

    What is there stays, so an interrupted publish resumes.
    RegistryError when a file is not what its manifest says, the version is there with other contents, or it fails a
    gate. With a reason a failed gate does not hinder it: the published manifest then tells both.
    """
    version, contents = _read_bundle(directory)
    contents[MANIFEST] = _pass_gates(version, contents[MANIFEST], force_reason)
    is_new = False
    with explain_failures(bucket):
        for name, content in contents.items():
            key = bundle_key(version, name)
            # The last of them is the manifest, which makes it a version.
            is_new = write_object(client, bucket, key, content, former=None)
            if is_new:
                continue
            there = fetch_object(client, bucket, key)
            if there is None:
                raise RegistryError(f"someone else is publishing {version} at this moment: try again")
            if there.content != content:
                raise RegistryError(f"{key} is published already with other contents, and a version never changes")
    return version, is_new


def promote_version(client: "S3Client", bucket: str, version: str) -> bool:
    """Make `version` the one that is served; return False when it is already.

    RegistryError when it is not published whole, or when someone else moved the pointer meanwhile.
    """
    with explain_failures(bucket):
        return _move_pointer(client, bucket, version, fetch_object(client, bucket, POINTER_KEY))


def rollback_version(client: "S3Client", bucket: str) -> tuple[str, str]:
    """Make the version that was served before the current one the one that is served; return it, and what it replaced.

    RegistryError when there is none, or as for a promotion. Rolling back twice leads back to where it began.
    """
    with explain_failures(bucket):
        found = fetch_object(client, bucket, POINTER_KEY)
        pointer = _read_pointer(found)
        if found is None or pointer is None:
            raise RegistryError("no version is current yet: promote one")
        previous = json.loads(found.content).get("previous")
        if previous is None:
            raise RegistryError("the current version is the first one: there is none before it to go back to")
        _move_pointer(client, bucket, str(previous), found)
    return str(previous), pointer.version


def find_current(client: "S3Client", bucket: str) -> str | None:
    """The version that is served; None when none is, RegistryError when a file of it is not what was published."""
    with explain_failures(bucket):
        pointer = _read_pointer(fetch_object(client, bucket, POINTER_KEY))
        if pointer is None:
            return None
        key = bundle_key(pointer.version, MANIFEST)
        manifest = _read_manifest(_fetch_whole(client, bucket, key, pointer.manifest_sha256), key)
        for name, entry in manifest.files.items():
            _fetch_whole(client, bucket, bundle_key(pointer.version, name), entry.sha256)
        return pointer.version


def show_version(client: "S3Client", bucket: str, version: str | None) -> dict[str, Any]:
    """The manifest of a version, or of the current one; RegistryError when there is no such version."""
    with explain_failures(bucket):
        if version is None:
            pointer = _read_pointer(fetch_object(client, bucket, POINTER_KEY))
            if pointer is None:
                raise RegistryError("no version is current yet: name one, or promote one")
            version = pointer.version
        found = fetch_object(client, bucket, bundle_key(version, MANIFEST))
        if found is None:
            raise RegistryError(
                f"there is no version {version!r} in bucket {bucket}: `list` shows those that there are"
            )
    document: dict[str, Any] = json.loads(found.content)
    return document


def list_versions(client: "S3Client", bucket: str) -> list[PublishedVersion]:
    """Every version that is published whole, newest first."""
    versions = []
    with explain_failures(bucket):
        pointer = _read_pointer(fetch_object(client, bucket, POINTER_KEY))
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="models/", Delimiter="/")
        for page in pages:
            for prefix in page.get("CommonPrefixes", []):
                key = f"{prefix['Prefix']}{MANIFEST}"
                manifest = fetch_object(client, bucket, key)
                if manifest:
                    versions.append(_describe_version(key, manifest.content, pointer))
    return sorted(versions, key=lambda entry: entry.created_at, reverse=True)


def _move_pointer(client: "S3Client", bucket: str, version: str, found: StoredObject | None) -> bool:
    """Swap the pointer that was found for one to `version`; False when it names that version already."""
    manifest_sha256 = _require_whole(client, bucket, version)
    former = _read_pointer(found)
    if former == Pointer(version, manifest_sha256):
        return False
    previous = former.version if former else None
    document = {"version": version, "manifest_sha256": manifest_sha256, "previous": previous}
    content = json.dumps(document, indent=2).encode() + b"\n"
    if not write_object(client, bucket, POINTER_KEY, content, found):
        winner = fetch_object(client, bucket, POINTER_KEY)
        if winner is None or winner.content != content:
            current = _read_pointer(winner)
            raise RegistryError(
                f"{version} was not promoted: someone else moved the pointer meanwhile, "
                f"{current.version if current else 'no version'} is current now"
            )
    return True


def _read_bundle(directory: Path) -> tuple[str, dict[str, bytes]]:
    """The version and every file as verified, the manifest last: whoever finds it in S3 finds all it names."""
    try:
        manifest_content = (directory / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RegistryError(f"{directory} is not a trained model: it has no {MANIFEST}") from error
    manifest = _read_manifest(manifest_content, str(directory))
    contents = {}
    for name, entry in manifest.files.items():
        if Path(name).name != name:
            raise RegistryError(f"{directory} is damaged: {MANIFEST} names {name}, which lies elsewhere")
        try:
            contents[name] = (directory / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise RegistryError(f"{directory} is damaged: {name} is missing; nothing was published") from error
        if len(contents[name]) != entry.size or sha256_hex(contents[name]) != entry.sha256:
            raise RegistryError(
                f"{directory} is damaged: {name} differs from what {MANIFEST} says; nothing was published"
            )
    contents[MANIFEST] = manifest_content
    return manifest.version, contents


def _pass_gates(version: str, manifest_content: bytes, force_reason: str | None) -> bytes:
    """The manifest to be published: as it is, or with the reason why a failed gate was passed by."""
    document = json.loads(manifest_content)
    failures = find_failures(document)
    if not failures:
        return manifest_content
    if force_reason is None or not force_reason.strip():
        raise RegistryError(
            f"{version} was not published: {'; '.join(failures)}. --force with a reason publishes it all the same"
        )
    forced = {**document, "forced": {"reason": force_reason.strip(), "failures": failures}}
    return json.dumps(forced, indent=2, ensure_ascii=False).encode() + b"\n"


def _require_whole(client: "S3Client", bucket: str, version: str) -> str:
    """Return the manifest's SHA-256 after making sure that every file it names is there in its size."""
    key = bundle_key(version, MANIFEST)
    found = fetch_object(client, bucket, key)
    if found is None:
        raise RegistryError(f"there is no version {version!r} in bucket {bucket}: `list` shows those that there are")
    manifest = _read_manifest(found.content, key)
    if manifest.version != version:
        raise RegistryError(f"{key} says it is version {manifest.version}; nothing was promoted")
    if INTERVAL not in manifest.files:
        raise RegistryError(f"version {version} has no {INTERVAL}, which the service needs; nothing was promoted")
    for name, entry in manifest.files.items():
        size = measure_object(client, bucket, bundle_key(version, name))
        if size != entry.size:
            state = "is missing" if size is None else f"has {size} bytes instead of {entry.size}"
            raise RegistryError(f"version {version} is not whole: {name} {state}; nothing was promoted")
    return sha256_hex(found.content)


def _fetch_whole(client: "S3Client", bucket: str, key: str, sha256: str) -> bytes:
    found = fetch_object(client, bucket, key)
    if found is None or sha256_hex(found.content) != sha256:
        raise RegistryError(f"{key} is {'damaged' if found else 'missing'}")
    return found.content


def _describe_version(key: str, content: bytes, pointer: Pointer | None) -> PublishedVersion:
    version = _read_manifest(content, key).version
    document: dict[str, Any] = json.loads(content)
    try:
        held_out = document.get("metrics", {}).get("held_out", {})
        figures = {
            name: float(held_out[name]) if name in held_out else None
            for name in ("rmse", "r2", "coverage", "mean_width")
        }
        return PublishedVersion(
            version,
            str(document.get("created_at", "")),
            **figures,
            forced=document.get("forced", {}).get("reason"),
            is_current=pointer is not None and pointer.version == version,
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise RegistryError(f"{key} is damaged: its figures under metrics.held_out are no numbers") from error


def _read_manifest(content: bytes, source: str) -> Manifest:
    try:
        return parse_manifest(content)
    except BundleError as error:
        raise RegistryError(f"{source} is damaged: {_describe_damage(error, MANIFEST)}") from error


def _read_pointer(found: StoredObject | None) -> Pointer | None:
    try:
        return parse_pointer(found.content) if found else None
    except BundleError as error:
        raise RegistryError(f"the registry is damaged: {_describe_damage(error, POINTER_KEY)}") from error


def _describe_damage(error: BundleError, name: str) -> str:
    """The fault of a document, in plain words where the service's log has Python's own."""
    if error.__cause__ is None or isinstance(error.__cause__, json.JSONDecodeError):
        return str(error)
    if isinstance(error.__cause__, KeyError):
        return f"{name} lacks {error.__cause__.args[0]}"
    return f"{name} has a value of the wrong kind"
