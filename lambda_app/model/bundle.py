"""The bundle in S3: pointer, manifest, and files checked against their digests.

`models/current.json` names a version and the digest of its manifest; the manifest names the digest of every file.
A file with another digest is refused. So only people who can write the pointer decide which model is served.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambda_app.errors import BundleError
from lambda_app.model.bucket import ModelBucket
from lambda_app.model.joint import JointLimit, parse_joint
from lambda_app.model.json_numbers import read_count, read_number, read_numbers
from problem.table import TABLE

POINTER_KEY = "models/current.json"
MANIFEST = "manifest.json"
INTERVAL = "interval.json"
# The files of scaler and network for each runtime.
RUNTIME_FILES = {"litert": ("model.tflite", "scaler.json"), "tensorflow": ("tf_model.h5", "scaler.pkl")}

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class FileEntry:
    """The manifest's entry for a file: size in bytes and SHA-256 in lower-case hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Pointer:
    """The served version, and the digest of its manifest."""

    version: str
    manifest_sha256: str


@dataclass(frozen=True)
class SeenFeature:
    """The training range of a feature. Old manifests have no median."""

    minimum: float
    maximum: float
    median: float | None


@dataclass(frozen=True)
class Outcomes:
    """A histogram of the target in the training rows: one more edge than counts."""

    minimum: float
    maximum: float
    mean: float
    bin_edges: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True)
class Manifest:
    """The part of manifest.json that serving needs. Old manifests have no outcomes and no joint.

    `libraries` are the library versions of the training.
    """

    version: str
    features: Mapping[str, SeenFeature]
    outcomes: Outcomes | None
    files: Mapping[str, FileEntry]
    joint: JointLimit | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A manifest with the verified contents of the requested files."""

    manifest: Manifest
    files: Mapping[str, bytes]


def bundle_key(version: str, name: str) -> str:
    """The S3 key of one file of a version."""
    return f"models/{version}/{name}"


def sha256_hex(content: bytes) -> str:
    """Return the digest in the format of manifest and pointer."""
    return hashlib.sha256(content).hexdigest()


def parse_pointer(content: bytes) -> Pointer:
    """Parse current.json; raises BundleError with the fault."""
    document = _parse_object(content, POINTER_KEY)
    try:
        pointer = Pointer(document["version"], document["manifest_sha256"])
        if not _VERSION.fullmatch(pointer.version):
            raise ValueError("version is not a version name")
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{POINTER_KEY} is not a pointer: {error!r}") from error
    return pointer


def parse_manifest(content: bytes) -> Manifest:
    """Parse manifest.json; raises BundleError with the fault, also if its features are not those of this code."""
    document = _parse_object(content, MANIFEST)
    try:
        names = tuple(feature["name"] for feature in document["features"])
        features = {feature["name"]: _read_feature(feature) for feature in document["features"]}
        outcomes = _read_outcomes(document["outcomes"]) if "outcomes" in document else None
        files = {
            name: FileEntry(read_count(entry["size"]), entry["sha256"]) for name, entry in document["files"].items()
        }
        joint = parse_joint(document["joint"]) if "joint" in document else None
        manifest = Manifest(document["version"], features, outcomes, files, joint, dict(document.get("libraries", {})))
        if not _VERSION.fullmatch(manifest.version):
            raise ValueError("version is not a version name")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{MANIFEST} is not a manifest: {error!r}") from error
    if names != TABLE.names:
        raise BundleError(f"{MANIFEST} was trained on the features {names}, this service has {TABLE.names}")
    return manifest


def fetch_pointer(bucket: ModelBucket, known_etag: str | None) -> tuple[Pointer, str] | None:
    """Return the pointer and its ETag; None if the ETag is the known one. Raises BundleError."""
    found = bucket.fetch_changed(POINTER_KEY, known_etag)
    if found is None:
        return None
    content, etag = found
    return parse_pointer(content), etag


def fetch_bundle(bucket: ModelBucket, pointer: Pointer, names: Iterable[str]) -> Bundle:
    """Fetch the manifest and the named files of the pointer's version, and check each digest."""
    manifest_key = bundle_key(pointer.version, MANIFEST)
    content = bucket.fetch(manifest_key)
    _require_digest(content, pointer.manifest_sha256, manifest_key)
    manifest = parse_manifest(content)
    if manifest.version != pointer.version:
        raise BundleError(f"{manifest_key} says it is version {manifest.version}")
    files = {}
    for name in names:
        entry = manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{manifest_key} lists no {name}")
        key = bundle_key(manifest.version, name)
        files[name] = bucket.fetch(key)
        _require_digest(files[name], entry.sha256, key)
    return Bundle(manifest, files)


def fetch_current(bucket: ModelBucket, runtime_name: str, known_etag: str | None = None) -> tuple[Bundle, str] | None:
    """Return the current bundle with the runtime's files, and the pointer's ETag; None if the ETag is the known one.

    Raises BundleError.
    """
    found = fetch_pointer(bucket, known_etag)
    if found is None:
        return None
    pointer, etag = found
    return fetch_bundle(bucket, pointer, (*RUNTIME_FILES[runtime_name], INTERVAL)), etag


def _read_feature(entry: Mapping[str, Any]) -> SeenFeature:
    minimum, maximum = read_number(entry["minimum"]), read_number(entry["maximum"])
    if minimum > maximum:
        raise ValueError("a feature's range ends before it begins")
    return SeenFeature(minimum, maximum, read_number(entry["median"]) if "median" in entry else None)


def _read_outcomes(entry: Mapping[str, Any]) -> Outcomes:
    edges = read_numbers(entry["bin_edges"])
    counts = [read_count(count) for count in entry["counts"]]
    if not counts or len(edges) != len(counts) + 1 or sorted(set(edges)) != edges:
        raise ValueError("the outcomes are not a histogram: counts, and one more edge, in ascending order")
    minimum, maximum, mean = (read_number(entry[name]) for name in ("minimum", "maximum", "mean"))
    return Outcomes(minimum, maximum, mean, edges, counts)


def _require_digest(content: bytes, expected: str, key: str) -> None:
    if sha256_hex(content) != expected:
        raise BundleError(f"{key} has another SHA-256 than was published; refused")


def _parse_object(content: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is not JSON") from error
    if not isinstance(document, dict):
        raise BundleError(f"{name} is not a JSON object")
    return document
