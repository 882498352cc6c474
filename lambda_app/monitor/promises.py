"""The promises of a version: the figures and the reference of its manifest, and its interval model.

A version is reported without them too. So nothing here fails for an old or a damaged manifest; `fault` says what is
wrong with it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from lambda_app.errors import BundleError
from lambda_app.model.bundle import (
    INTERVAL,
    MANIFEST,
    POINTER_KEY,
    Pointer,
    bundle_key,
    parse_manifest,
    parse_pointer,
    sha256_hex,
)
from lambda_app.model.interval import IntervalCalibration, parse_calibration
from lambda_app.model.json_numbers import read_number, read_numbers
from lambda_app.monitor.bucket import ReportBucket
from lambda_app.monitor.reference import Reference, parse_references

FIGURES = ("rows", "rmse", "mae", "bias", "r2", "coverage", "mean_width")

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Promise:
    """The promise of a version; None and empty for what its files lack.

    `third_edges` are two predictions, between the lowest, the middle and the highest third of the held-out cases.
    """

    version: str
    coverage: float | None = None
    figures: Figures | None = None
    third_edges: Sequence[float] = ()
    thirds: Sequence[Figures] = ()
    references: Sequence[Reference] = ()
    calibration: IntervalCalibration | None = None
    fault: str | None = None


def read_pointer(bucket: ReportBucket) -> Pointer | None:
    """Return the pointer; None before a model was promoted. Raises BundleError for a damaged one."""
    content = bucket.read(POINTER_KEY)
    return None if content is None else parse_pointer(content)


def read_promise(bucket: ReportBucket, version: str, manifest_sha256: str | None = None) -> Promise:
    """Read the promise of a version; the digest is that of the pointer, for the current one."""
    content = bucket.read(bundle_key(version, MANIFEST))
    if content is None:
        return Promise(version, fault="its manifest is not in the bucket")
    if manifest_sha256 is not None and sha256_hex(content) != manifest_sha256:
        return Promise(version, fault="its manifest has another SHA-256 than was published")
    try:
        manifest = parse_manifest(content)
    except BundleError as error:
        return Promise(version, fault=f"its manifest cannot be read: {error}")
    document: dict[str, Any] = json.loads(content)
    held_out = _find(document, "metrics", "held_out")
    edges = _read_edges(held_out)
    references, fault = _read_references(document)
    return Promise(
        version=version,
        coverage=_read_figure(_find(document, "interval"), "coverage"),
        figures={name: _read_figure(held_out, name) for name in FIGURES} if held_out else None,
        third_edges=edges,
        thirds=[_read_third(held_out, place) for place in range(len(edges) + 1)] if edges else (),
        references=references,
        calibration=_read_calibration(bucket, version, manifest.files.get(INTERVAL)),
        fault=fault,
    )


def _read_references(document: Mapping[str, Any]) -> tuple[Sequence[Reference], str | None]:
    if "reference" not in document:
        return (), "its manifest has no reference: it was trained before there was one"
    try:
        return parse_references(document["reference"]), None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return (), f"the reference in its manifest cannot be read: {error!r}"


def _read_calibration(bucket: ReportBucket, version: str, entry: Any) -> IntervalCalibration | None:
    content = bucket.read(bundle_key(version, INTERVAL)) if entry else None
    if content is None or sha256_hex(content) != entry.sha256:
        return None
    try:
        return parse_calibration(content)
    except ValueError:
        return None


def _read_edges(held_out: Mapping[str, Any]) -> Sequence[float]:
    try:
        edges = read_numbers(held_out.get("third_edges"), 2)
    except ValueError:
        return ()
    return edges if edges[0] < edges[1] else ()


def _read_third(held_out: Mapping[str, Any], place: int) -> Figures:
    found = {}
    for name in FIGURES:
        parts = held_out.get(f"{name}_by_third")
        found[name] = _read_figure(dict(enumerate(parts)), place) if isinstance(parts, list) else None
    return found


def _find(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = document
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _read_figure(entry: Mapping[Any, Any], name: str | int) -> float | None:
    found = entry.get(name)
    try:
        read_number(found)
    except ValueError:
        return None
    return cast(float, found)
