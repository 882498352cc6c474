"""Pointer and manifest are read with suspicion."""

import json

import pytest

from lambda_app.errors import BundleError
from lambda_app.features import FEATURE_NAMES
from lambda_app.model.bundle import FileEntry, Manifest, Pointer, parse_manifest, parse_pointer

FEATURES = [{"name": name, "unit": "u", "minimum": 1, "maximum": 2.5} for name in FEATURE_NAMES]
MANIFEST = {
    "version": "20261123T100000Z-0f3a9c1e",
    "features": FEATURES,
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
        "20261123T100000Z-0f3a9c1e", dict.fromkeys(FEATURE_NAMES, (1.0, 2.5)), {"model.tflite": FileEntry(3, "ab")}
    )


@pytest.mark.parametrize(
    "change",
    [
        {"version": "a/b"},
        {"version": None},
        {"features": None},
        {"features": [{"name": "age"}]},
        {"features": [{**FEATURES[0], "minimum": "low"}, *FEATURES[1:]]},
        {"files": []},
        {"files": {"model.tflite": {"size": 3}}},
        {"files": {"model.tflite": {"size": "big", "sha256": "ab"}}},
    ],
)
def test_a_broken_manifest_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="not a manifest"):
        parse_manifest(json.dumps(MANIFEST | change).encode())


@pytest.mark.parametrize("features", [FEATURES[:-1], FEATURES[::-1], [*FEATURES, {**FEATURES[0], "name": "s7"}]])
def test_other_features_are_refused(features: list[dict[str, object]]) -> None:
    with pytest.raises(BundleError, match="trained on the features"):
        parse_manifest(json.dumps(MANIFEST | {"features": features}).encode())
