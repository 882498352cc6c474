"""The registry of models in S3: versions that never change, and which of them is served.

A version exists once its manifest does, which is written last. Versions are created with `If-None-Match: *`, so two
people at once can't overwrite a file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_app.model.bundle import (
    INTERVAL,
    MANIFEST,
    bundle_key,
    sha256_hex,
)
from training.documents import StoredPointer, describe_trial, fetch_pointer, read_manifest
from training.errors import RegistryError
from training.gates import find_failures
from training.signing import SIGNATURE, SigningKey, sign_manifest, verify_signature
from training.storage import explain_failures, fetch_object, write_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class PublishedVersion:
    """A line of the registry. The figures are those of held-out rows; None where the manifest has none.

    `forced` is the reason for which it was published although it failed a gate. `trial` is the mode and share of the
    candidate, None for another version.
    """

    version: str
    created_at: str
    rmse: float | None
    r2: float | None
    coverage: float | None
    mean_width: float | None
    forced: str | None
    is_current: bool
    trial: str | None


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
    client: "S3Client", bucket: str, directory: Path, force_reason: str | None = None, key: SigningKey | None = None
) -> tuple[str, bool]:
    """Upload what of the bundle is not there yet; return its version, and False when it was published already.

    With a key its manifest is signed, also that of a version that was published without.

    What is there stays, so an interrupted publish resumes.
    RegistryError when a file is not what its manifest says, the version is there with other contents, or it fails a
    gate. With a reason a failed gate does not hinder it: the published manifest then tells both.
    """
    version, contents = _read_bundle(directory)
    contents[MANIFEST] = _pass_gates(version, contents[MANIFEST], force_reason)
    with explain_failures(bucket):
        manifest = contents.pop(MANIFEST)
        for name, content in contents.items():
            _create_object(client, bucket, version, name, content)
        if key:
            _sign_version(client, bucket, version, manifest, key)
        # The last of them, which makes it a version.
        return version, _create_object(client, bucket, version, MANIFEST, manifest)


def find_current(client: "S3Client", bucket: str) -> str | None:
    """The version that is served; None when none is, RegistryError when a file of it is not what was published."""
    with explain_failures(bucket):
        pointer = fetch_pointer(client, bucket)
        if pointer is None:
            return None
        _fetch_files(client, bucket, pointer.state.version, pointer.state.manifest_sha256)
        return pointer.state.version


def verify_version(client: "S3Client", bucket: str, version: str, key: SigningKey) -> None:
    """RegistryError unless every file of the version is what its manifest says, and the key has signed the manifest."""
    with explain_failures(bucket):
        manifest = _fetch_files(client, bucket, version)
        signature = fetch_object(client, bucket, bundle_key(version, SIGNATURE))
    verify_signature(key, version, manifest, signature.content if signature else None)


def show_version(client: "S3Client", bucket: str, version: str | None) -> dict[str, Any]:
    """The manifest of a version, or of the current one; RegistryError when there is no such version."""
    with explain_failures(bucket):
        if version is None:
            pointer = fetch_pointer(client, bucket)
            if pointer is None:
                raise RegistryError("no version is current yet: name one, or promote one")
            version = pointer.state.version
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
        pointer = fetch_pointer(client, bucket)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="models/", Delimiter="/")
        for page in pages:
            for prefix in page.get("CommonPrefixes", []):
                key = f"{prefix['Prefix']}{MANIFEST}"
                manifest = fetch_object(client, bucket, key)
                if manifest:
                    versions.append(_describe_version(key, manifest.content, pointer))
    return sorted(versions, key=lambda entry: entry.created_at, reverse=True)


def _create_object(client: "S3Client", bucket: str, version: str, name: str, content: bytes) -> bool:
    """Write a file of a version; False when it is there, RegistryError when it is there with other contents."""
    key = bundle_key(version, name)
    if write_object(client, bucket, key, content, former=None):
        return True
    there = fetch_object(client, bucket, key)
    if there is None:
        raise RegistryError(f"someone else is publishing {version} at this moment: try again")
    if there.content != content:
        raise RegistryError(f"{key} is published already with other contents, and a version never changes")
    return False


def _sign_version(client: "S3Client", bucket: str, version: str, manifest: bytes, key: SigningKey) -> None:
    """Write the signature, or verify the one that is there: no two signatures of ECDSA are alike."""
    name = bundle_key(version, SIGNATURE)
    there = fetch_object(client, bucket, name)
    if there is None and write_object(client, bucket, name, sign_manifest(key, manifest), former=None):
        return
    there = there or fetch_object(client, bucket, name)
    verify_signature(key, version, manifest, there.content if there else None)


def _read_bundle(directory: Path) -> tuple[str, dict[str, bytes]]:
    """The version and every file as verified, the manifest last: whoever finds it in S3 finds all it names."""
    try:
        manifest_content = (directory / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RegistryError(f"{directory} is not a trained model: it has no {MANIFEST}") from error
    manifest = read_manifest(manifest_content, str(directory))
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


def _fetch_files(client: "S3Client", bucket: str, version: str, manifest_sha256: str | None = None) -> bytes:
    """Return the manifest after making sure that every file is what it says; RegistryError for the first that isn't."""
    key = bundle_key(version, MANIFEST)
    content = _fetch_whole(client, bucket, key, manifest_sha256)
    manifest = read_manifest(content, key)
    if manifest.version != version:
        raise RegistryError(f"{key} says it is version {manifest.version}")
    for name, entry in manifest.files.items():
        _fetch_whole(client, bucket, bundle_key(version, name), entry.sha256)
    return content


def _fetch_whole(client: "S3Client", bucket: str, key: str, sha256: str | None) -> bytes:
    """The object; RegistryError when it is missing, or has another digest where one is given."""
    found = fetch_object(client, bucket, key)
    if found is None or sha256 not in {None, sha256_hex(found.content)}:
        raise RegistryError(f"{key} is {'damaged' if found else 'missing'}")
    return found.content


def _describe_version(key: str, content: bytes, pointer: StoredPointer | None) -> PublishedVersion:
    version = read_manifest(content, key).version
    tried = pointer.state.candidate if pointer and isinstance(pointer.state.candidate, dict) else None
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
            is_current=pointer is not None and pointer.state.version == version,
            trial=describe_trial(tried) if tried and tried.get("version") == version else None,
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise RegistryError(f"{key} is damaged: its figures under metrics.held_out are no numbers") from error
