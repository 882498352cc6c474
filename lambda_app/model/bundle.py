"""The bundle in S3: pointer, manifest, and files checked against their digests.

`models/current.json` names a version and the digest of its manifest, and perhaps a candidate with its own; the manifest
names the digest of every file. A file with another digest is refused. So only people who can write the pointer decide
which model is served.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lambda_app.errors import BundleError, ServiceError
from lambda_app.model.bucket import ModelBucket
from lambda_app.model.joint import JointLimit, parse_joint
from lambda_app.model.json_numbers import read_count, read_number, read_numbers
from problem.table import TABLE

POINTER_KEY = "models/current.json"
MANIFEST = "manifest.json"
INTERVAL = "interval.json"
# The files of scaler and network for each runtime.
RUNTIME_FILES = {"litert": ("model.tflite", "scaler.json"), "tensorflow": ("tf_model.h5", "scaler.pkl")}

# What a candidate may be tried for: its answers beside those of the current version, or in their place.
SHADOW, CANARY = "shadow", "canary"

# A request waits for the candidate's files. With the pointer and the last file, each within AwsClient's deadline, that
# is 6 s at most, of the ten for an answer.
CANDIDATE_SECONDS = 2.0

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SALT = re.compile(r"[0-9a-f]{16}")

# A version and the digest of its manifest.
Reference = tuple[str, str]


@dataclass(frozen=True)
class FileEntry:
    """The manifest's entry for a file: size in bytes and SHA-256 in lower-case hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Candidate:
    """A version that is tried beside the current one, for a `share` of the cases, chosen by `salt`."""

    version: str
    manifest_sha256: str
    mode: Literal["shadow", "canary"]
    share: float
    salt: str

    @property
    def reference(self) -> Reference:
        return self.version, self.manifest_sha256


@dataclass(frozen=True)
class Pointer:
    """The current version, the digest of its manifest, and the candidate, if one is tried.

    `candidate_fault` says why the candidate in the file cannot be tried; the current version is served all the same.
    """

    version: str
    manifest_sha256: str
    candidate: Candidate | None = None
    candidate_fault: str | None = None

    @property
    def reference(self) -> Reference:
        return self.version, self.manifest_sha256


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


@dataclass(frozen=True)
class Fetched:
    """A pointer with its ETag, and the bundles of the versions that it names, without those that are kept.

    `candidate_fault` says why the candidate's is missing, if it is.
    """

    pointer: Pointer
    etag: str
    bundles: Mapping[Reference, Bundle]
    candidate_fault: str | None


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
        pointer = Pointer(document["version"], document["manifest_sha256"], *_read_candidate(document))
        if not (_VERSION.fullmatch(pointer.version) and isinstance(pointer.manifest_sha256, str)):
            raise ValueError("version is not a version name, or manifest_sha256 not a digest")
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


def fetch_bundle(
    bucket: ModelBucket, version: Pointer | Candidate, names: Iterable[str], seconds: float = math.inf
) -> Bundle:
    """Fetch the manifest and the named files of a version, and check each digest.

    No file is asked for after `seconds`.
    """
    started_at = time.monotonic()
    manifest_key = bundle_key(version.version, MANIFEST)
    content = bucket.fetch(manifest_key)
    _require_digest(content, version.manifest_sha256, manifest_key)
    manifest = parse_manifest(content)
    if manifest.version != version.version:
        raise BundleError(f"{manifest_key} says it is version {manifest.version}")
    files = {}
    for name in names:
        entry = manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{manifest_key} lists no {name}")
        if time.monotonic() - started_at > seconds:
            raise BundleError(f"S3 did not send all files of {manifest.version} within {seconds:g} s")
        key = bundle_key(manifest.version, name)
        files[name] = bucket.fetch(key)
        _require_digest(files[name], entry.sha256, key)
    return Bundle(manifest, files)


def fetch_served(
    bucket: ModelBucket, version: Pointer | Candidate, runtime_name: str, seconds: float = math.inf
) -> Bundle:
    """Fetch what the runtime needs of a version. Raises BundleError. `seconds` is as for `fetch_bundle`."""
    return fetch_bundle(bucket, version, (*RUNTIME_FILES[runtime_name], INTERVAL), seconds)


def fetch_changed(
    bucket: ModelBucket, runtime_name: str, known_etag: str | None = None, kept: Container[Reference] = ()
) -> Fetched | None:
    """Fetch the versions that the pointer names, without the `kept` ones; None if its ETag is the known one.

    Raises BundleError; never because of the candidate.
    """
    found = fetch_pointer(bucket, known_etag)
    if found is None:
        return None
    pointer, etag = found
    bundles, fault = {}, pointer.candidate_fault
    if pointer.reference not in kept:
        bundles[pointer.reference] = fetch_served(bucket, pointer, runtime_name)
    candidate = pointer.candidate
    if candidate is not None and candidate.reference not in kept and candidate.reference not in bundles:
        try:
            bundles[candidate.reference] = fetch_served(bucket, candidate, runtime_name, CANDIDATE_SECONDS)
        except Exception as error:
            fault = describe_fault(error)
    return Fetched(pointer, etag, bundles, fault)


def describe_fault(error: Exception) -> str:
    """Return the text of an error of the service, and only the type of another, which may quote a value."""
    return str(error) if isinstance(error, ServiceError) else type(error).__name__


def _read_candidate(document: Mapping[str, Any]) -> tuple[Candidate | None, str | None]:
    """Return the candidate in a pointer, or what is wrong with it; old pointers have none."""
    entry = document.get("candidate")
    if entry is None:
        return None, None
    try:
        candidate = Candidate(
            entry["version"], entry["manifest_sha256"], entry["mode"], read_number(entry["share"]), entry["salt"]
        )
        if not (_VERSION.fullmatch(candidate.version) and isinstance(candidate.manifest_sha256, str)):
            raise ValueError("version is not a version name, or manifest_sha256 not a digest")
        if candidate.mode not in (SHADOW, CANARY):
            raise ValueError(f"mode is neither {SHADOW} nor {CANARY}")
        if not 0 < candidate.share <= 1:
            raise ValueError("share is not above 0 and at most 1")
        if not _SALT.fullmatch(candidate.salt):
            raise ValueError("salt is not 16 hexadecimal digits")
        # Records name the version that answered.
        if candidate.version == document["version"]:
            raise ValueError("version is the current one")
    except (KeyError, TypeError, ValueError) as error:
        return None, f"the candidate of {POINTER_KEY} is not one: {error!r}"
    return candidate, None


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
