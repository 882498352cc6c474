"""Bundles as S3 holds them: whatever is missing, damaged or swapped is refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_app.errors import BundleError
from lambda_app.model import bundle as model_bundle
from lambda_app.model.bundle import fetch_bundle, fetch_changed, fetch_pointer
from lambda_app.model.litert import LiteRtRuntime
from tests.bundles import Registry, load_predictor, open_bucket


def test_fetched_bundle_is_the_published_one(registry: Registry, bundle: Path) -> None:
    bucket = open_bucket(registry.client.meta.endpoint_url, registry.bucket)
    found = fetch_pointer(bucket, known_etag=None)
    assert found is not None
    pointer, etag = found
    assert fetch_pointer(bucket, known_etag=etag) is None
    fetched = fetch_bundle(bucket, pointer, LiteRtRuntime.FILES)
    assert fetched.manifest.version == bundle.name
    assert fetched.files == {name: (bundle / name).read_bytes() for name in ("model.tflite", "scaler.json")}


@pytest.mark.parametrize("name", ["manifest.json", "model.tflite", "scaler.json", "interval.json"])
def test_changed_truncated_and_missing_files_are_refused(registry: Registry, name: str) -> None:
    content = registry.read(registry.key(name))
    changed = content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]
    for damaged in (changed, content[:100]):
        registry.write(registry.key(name), damaged)
        with pytest.raises(BundleError, match=f"{name} has another SHA-256 than was published; refused"):
            registry.load()
    registry.client.delete_object(Bucket=registry.bucket, Key=registry.key(name))
    with pytest.raises(BundleError, match=f"{name} cannot be read from S3: NoSuchKey"):
        registry.load()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda manifest: manifest.update(version="other"), "says it is version other"),
        (lambda manifest: manifest["files"].pop("scaler.json"), "lists no scaler.json"),
        (lambda manifest: manifest["files"].pop("interval.json"), "lists no interval.json"),
    ],
)
def test_manifest_of_another_version_or_without_a_file_is_refused(
    registry: Registry, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    registry.rewrite_manifest(change)
    with pytest.raises(BundleError, match=reason):
        registry.load()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("model.tflite", b"not a model", r"LiteRtError: .* failed with status 501 \(not a model\)"),
        ("scaler.json", b'{"mean": []}', r"ValueError: scaler.json is not a scaler: .*a list has 0 numbers, not 10"),
        ("interval.json", b"{", r"ValueError: interval.json is not a calibration: JSONDecodeError"),
        ("interval.json", b'{"coverage": 0.9, "folds": []}', "ValueError: the network has 10 folds, .* has 0"),
    ],
)
def test_file_that_was_published_broken_is_refused_with_the_reason(
    registry: Registry, name: str, content: bytes, reason: str
) -> None:
    registry.replace_file(name, content)
    files = "model.tflite and scaler.json and interval.json"
    with pytest.raises(BundleError, match=f"{files} of {registry.version} cannot be loaded: {reason}"):
        registry.load()


@pytest.mark.parametrize("runtime", ["litert", "tensorflow"])
@pytest.mark.parametrize(
    "change",
    [
        lambda interval: interval["folds"].pop(),
        lambda interval: interval["folds"].append(interval["folds"][0]),
        lambda interval: [fold["scores"].clear() for fold in interval["folds"]],
    ],
)
def test_calibration_that_does_not_fit_the_network_is_refused(
    registry: Registry, change: Callable[[dict[str, Any]], object], runtime: str
) -> None:
    registry.rewrite_file("interval.json", change)
    with pytest.raises(BundleError, match="cannot be loaded: ValueError"):
        load_predictor(registry.client, registry.bucket, runtime)


def test_model_without_an_answer_for_the_example_patient_is_refused(registry: Registry) -> None:
    registry.rewrite_file("scaler.json", lambda scaler: scaler.update(scale=[1e-300] * 10))
    with pytest.raises(BundleError, match="cannot be loaded: PredictionError"):
        registry.load()


def test_candidate_whose_files_take_too_long_is_left_out(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.add_version("v2")
    registry.point(candidate="v2")
    monkeypatch.setattr(model_bundle, "CANDIDATE_SECONDS", 0.0)
    fetched = fetch_changed(open_bucket(registry.client.meta.endpoint_url, registry.bucket), "litert")
    assert fetched is not None
    assert fetched.candidate_fault == "S3 did not send all files of v2 within 0 s"
    assert [version for version, _ in fetched.bundles] == [registry.version]


def test_unreachable_and_missing_buckets_are_named(registry: Registry) -> None:
    with pytest.raises(BundleError, match="NoSuchBucket"):
        fetch_changed(open_bucket(registry.client.meta.endpoint_url, "no-such-bucket"), "litert")
    with pytest.raises(BundleError, match=r"current\.json cannot be read from S3: ConnectionRefusedError"):
        fetch_changed(open_bucket("http://127.0.0.1:1", registry.bucket), "litert")
