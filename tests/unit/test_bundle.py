"""Pointer and manifest are read with suspicion."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambda_app.errors import BundleError
from lambda_app.model.bundle import FileEntry, Manifest, Outcomes, Pointer, SeenFeature, parse_manifest, parse_pointer
from lambda_app.model.joint import JointLimit
from problem.table import TABLE

FEATURES = [{"name": name, "unit": "u", "minimum": 1, "maximum": 2.5, "median": 2} for name in TABLE.names]
JOINT: dict[str, Any] = {"quantile": 0.99, "limit": 6.25, "mean": [2] * 10, "whitening": [[1] * 10]}
OUTCOMES = {"minimum": 25, "maximum": 59, "mean": 40.5, "bin_edges": [20, 40, 60], "counts": [1, 2]}
MANIFEST = {
    "version": "20261123T100000Z-0f3a9c1e",
    "features": FEATURES,
    "joint": JOINT,
    "outcomes": OUTCOMES,
    "libraries": {"keras": "3.15.1"},
    "files": {"model.tflite": {"size": 3, "sha256": "ab"}},
    "anything": "else",
}


def test_a_pointer_is_read() -> None:
    content = b'{"version": "v1", "manifest_sha256": "ab", "previous": null}'
    assert parse_pointer(content) == Pointer("v1", "ab")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"version": "v1"}',
        b'{"version": 1, "manifest_sha256": "ab"}',
        b'{"version": "../other", "manifest_sha256": "ab"}',
        b'{"version": "a/b", "manifest_sha256": "ab"}',
        b'{"version": "", "manifest_sha256": "ab"}',
    ],
)
def test_a_broken_pointer_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"current\.json"):
        parse_pointer(content)


def test_a_manifest_is_read() -> None:
    assert parse_manifest(json.dumps(MANIFEST).encode()) == Manifest(
        "20261123T100000Z-0f3a9c1e",
        dict.fromkeys(TABLE.names, SeenFeature(1.0, 2.5, 2.0)),
        Outcomes(25.0, 59.0, 40.5, [20.0, 40.0, 60.0], [1, 2]),
        {"model.tflite": FileEntry(3, "ab")},
        JointLimit(0.99, 6.25, [2.0] * 10, [[1.0] * 10]),
        {"keras": "3.15.1"},
    )


def test_a_manifest_of_before_is_read_without_what_it_lacks() -> None:
    features = [{name: value for name, value in feature.items() if name != "median"} for feature in FEATURES]
    known = {name: value for name, value in MANIFEST.items() if name not in {"outcomes", "joint", "libraries"}}
    manifest = parse_manifest(json.dumps(known | {"features": features}).encode())
    assert manifest.features == dict.fromkeys(TABLE.names, SeenFeature(1.0, 2.5, None))
    assert (manifest.outcomes, manifest.joint, manifest.libraries) == (None, None, {})


@pytest.mark.parametrize(
    "change",
    [
        {"version": "a/b"},
        {"version": None},
        {"features": None},
        {"features": [{"name": "age"}]},
        {"features": [{**FEATURES[0], "minimum": "low"}, *FEATURES[1:]]},
        {"features": [{**FEATURES[0], "maximum": float("nan")}, *FEATURES[1:]]},
        {"features": [{**FEATURES[0], "median": None}, *FEATURES[1:]]},
        {"features": [{**FEATURES[0], "minimum": "1"}, *FEATURES[1:]]},
        {"features": [{**FEATURES[0], "minimum": True}, *FEATURES[1:]]},
        {"features": [{**FEATURES[0], "minimum": 2.6}, *FEATURES[1:]]},
        {"joint": None},
        {"joint": JOINT | {"mean": [2] * 9}},
        {"joint": JOINT | {"limit": "6.25"}},
        {"libraries": None},
        {"libraries": "keras"},
        {"outcomes": None},
        {"outcomes": {}},
        {"outcomes": OUTCOMES | {"mean": float("inf")}},
        {"outcomes": OUTCOMES | {"mean": 10**400}},
        {"outcomes": OUTCOMES | {"bin_edges": [20, 40]}},
        {"outcomes": OUTCOMES | {"bin_edges": [20], "counts": []}},
        {"outcomes": OUTCOMES | {"counts": [1, -2]}},
        {"outcomes": OUTCOMES | {"counts": [1, float("inf")]}},
        {"outcomes": OUTCOMES | {"counts": [1, 2.5]}},
        {"outcomes": OUTCOMES | {"bin_edges": [20, 60, 40]}},
        {"outcomes": OUTCOMES | {"bin_edges": [20, 40, "60"]}},
        {"files": []},
        {"files": {"model.tflite": {"size": 3}}},
        {"files": {"model.tflite": {"size": "big", "sha256": "ab"}}},
        {"files": {"model.tflite": {"size": "3", "sha256": "ab"}}},
    ],
)
def test_a_broken_manifest_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="not a manifest"):
        parse_manifest(json.dumps(MANIFEST | change).encode())


@pytest.mark.parametrize("parse", [parse_pointer, parse_manifest])
def test_nesting_without_end_is_refused(parse: Callable[[bytes], object]) -> None:
    with pytest.raises(BundleError, match="is not JSON"):
        parse(b'{"version":' * 100_000)


@pytest.mark.parametrize("features", [FEATURES[:-1], FEATURES[::-1], [*FEATURES, {**FEATURES[0], "name": "s7"}]])
def test_other_features_are_refused(features: list[dict[str, object]]) -> None:
    with pytest.raises(BundleError, match="trained on the features"):
        parse_manifest(json.dumps(MANIFEST | {"features": features}).encode())
