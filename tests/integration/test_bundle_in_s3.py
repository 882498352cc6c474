"""Bundles as S3 holds them: whatever is missing, damaged or swapped is refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from lambda_app.errors import BundleError
from lambda_app.model.bundle import POINTER_KEY, bundle_key, fetch_bundle, sha256_hex
from lambda_app.model.litert import LiteRtRuntime
from lambda_app.model.predictor import load_predictor
from training.registry import promote_version, publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class Registry:
    """A bucket of its own with the promoted model, to be tampered with."""

    def __init__(self, client: "S3Client", bucket: str, bundle: Path) -> None:
        self.client = client
        self.bucket = bucket
        self.version = publish_bundle(client, bucket, bundle)
        promote_version(client, bucket, self.version)

    def key(self, name: str) -> str:
        return bundle_key(self.version, name)

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def write(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def rewrite_manifest(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the manifest and let the pointer vouch for it, as one who may write both could."""
        document = json.loads(self.read(self.key("manifest.json")))
        change(document)
        content = json.dumps(document).encode()
        self.write(self.key("manifest.json"), content)
        pointer = {"version": self.version, "manifest_sha256": sha256_hex(content)}
        self.write(POINTER_KEY, json.dumps(pointer).encode())


@pytest.fixture
def registry(s3: "S3Client", new_bucket: str, bundle: Path) -> Registry:
    return Registry(s3, new_bucket, bundle)


def test_fetched_bundle_is_the_published_one(registry: Registry, bundle: Path) -> None:
    fetched = fetch_bundle(registry.client, registry.bucket, LiteRtRuntime.FILES)
    assert fetched.manifest.version == bundle.name
    assert fetched.files == {name: (bundle / name).read_bytes() for name in ("model.tflite", "scaler.json")}


@pytest.mark.parametrize("name", ["manifest.json", "model.tflite", "scaler.json"])
def test_changed_byte_is_refused(registry: Registry, name: str) -> None:
    content = registry.read(registry.key(name))
    registry.write(registry.key(name), content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(BundleError, match=f"{name} has another SHA-256 than was published; refused"):
        load_predictor(registry.client, registry.bucket, "litert")


@pytest.mark.parametrize("name", ["manifest.json", "model.tflite", "scaler.json"])
def test_truncated_and_missing_files_are_refused(registry: Registry, name: str) -> None:
    registry.write(registry.key(name), registry.read(registry.key(name))[:100])
    with pytest.raises(BundleError, match="SHA-256"):
        load_predictor(registry.client, registry.bucket, "litert")
    registry.client.delete_object(Bucket=registry.bucket, Key=registry.key(name))
    with pytest.raises(BundleError, match=f"{name} cannot be read from S3: NoSuchKey"):
        load_predictor(registry.client, registry.bucket, "litert")


def test_manifest_of_another_version_is_refused(registry: Registry) -> None:
    registry.rewrite_manifest(lambda document: document.update(version="other"))
    with pytest.raises(BundleError, match="says it is version other"):
        load_predictor(registry.client, registry.bucket, "litert")


def test_file_that_the_manifest_does_not_list_is_not_fetched(registry: Registry) -> None:
    registry.rewrite_manifest(lambda document: document["files"].pop("scaler.json"))
    with pytest.raises(BundleError, match=r"lists no scaler\.json"):
        load_predictor(registry.client, registry.bucket, "litert")


@pytest.mark.parametrize(("name", "content"), [("model.tflite", b"not a model"), ("scaler.json", b'{"mean": []}')])
def test_file_that_was_published_broken_is_refused_at_loading(registry: Registry, name: str, content: bytes) -> None:
    registry.write(registry.key(name), content)
    entry = {"size": len(content), "sha256": sha256_hex(content)}
    registry.rewrite_manifest(lambda document: document["files"].update({name: entry}))
    with pytest.raises(BundleError, match=f"model.tflite and scaler.json of {registry.version} cannot be loaded"):
        load_predictor(registry.client, registry.bucket, "litert")


def test_unreachable_and_forbidden_buckets_are_named(registry: Registry, environment: dict[str, str]) -> None:
    with pytest.raises(BundleError, match="NoSuchBucket"):
        load_predictor(registry.client, "no-such-bucket", "litert")
    nobody = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(BundleError, match=r"current\.json cannot be read from S3: EndpointConnectionError"):
        load_predictor(nobody, registry.bucket, "litert")
