"""Bundles in S3 to be promoted, tampered with and loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_app.aws.client import AwsClient
from lambda_app.aws.signature import Identity
from lambda_app.model.bucket import ModelBucket
from lambda_app.model.bundle import POINTER_KEY, bundle_key, fetch_pointer, fetch_served, sha256_hex
from lambda_app.model.predictor import Predictor, load_model
from local.aws_services import REGION
from training.decision import Decision
from training.pointer import Change
from training.promotion import promote_version
from training.registry import publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

DECISION = Decision("arn:aws:iam::123456789012:user/tests", "a test")


def open_bucket(endpoint_url: str, bucket: str) -> ModelBucket:
    """The bucket as a function reads it."""
    return ModelBucket(AwsClient(Identity(REGION, "local", "local", None), "s3", f"{endpoint_url}/{bucket}"))


def load_predictor(client: "S3Client", bucket: str, runtime_name: str) -> Predictor:
    """The model that the pointer names, loaded as a new execution environment does."""
    models = open_bucket(client.meta.endpoint_url, bucket)
    found = fetch_pointer(models, known_etag=None)
    assert found is not None
    return load_model(fetch_served(models, found[0], runtime_name), runtime_name)


def name_versions(change: Change | None) -> tuple[str, str]:
    """The current version before a change, and after it."""
    assert change is not None
    assert change.before is not None
    return change.before.version, change.after.version


def copy_bundle(bundle: Path, directory: Path, version: str, **changed: Any) -> Path:
    """The same model under another version, with other fields of its manifest changed too."""
    target = directory / version
    shutil.copytree(bundle, target)
    manifest = json.loads((target / "manifest.json").read_bytes())
    (target / "manifest.json").write_text(json.dumps({**manifest, "version": version, **changed}), encoding="utf-8")
    return target


class Registry:
    """A bucket of its own with the promoted model, to be tampered with."""

    def __init__(self, client: "S3Client", bucket: str, bundle: Path) -> None:
        self.client = client
        self.bucket = bucket
        self.version, _ = publish_bundle(client, bucket, bundle)
        promote_version(client, bucket, self.version, DECISION)

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

    def replace_file(self, name: str, content: bytes) -> None:
        """Change a file and the digest that the manifest has of it."""
        self.write(self.key(name), content)
        entry = {"size": len(content), "sha256": sha256_hex(content)}
        self.rewrite_manifest(lambda document: document["files"].update({name: entry}))

    def rewrite_file(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change a JSON file and the digest that the manifest has of it."""
        document = json.loads(self.read(self.key(name)))
        change(document)
        self.replace_file(name, json.dumps(document).encode())

    def add_version(self, version: str, **changed: Callable[[dict[str, Any]], object]) -> None:
        """Publish the promoted version under another name, with its scaler or its interval changed."""
        manifest = json.loads(self.read(self.key("manifest.json")))
        manifest["version"] = version
        for name in manifest["files"]:
            content = self.read(self.key(name))
            if change := changed.get(name.removesuffix(".json")):
                document = json.loads(content)
                change(document)
                content = json.dumps(document).encode()
                manifest["files"][name] = {"size": len(content), "sha256": sha256_hex(content)}
            self.write(bundle_key(version, name), content)
        self.write(bundle_key(version, "manifest.json"), json.dumps(manifest).encode())

    def point(self, current: str | None = None, candidate: str | None = None, **entry: Any) -> None:
        """Let the pointer name a version, by default the promoted one, and a candidate with changed fields."""
        document: dict[str, Any] = {**self._name(current or self.version), "previous": None, "candidate": None}
        if candidate is not None:
            defaults = {"mode": "shadow", "share": 1, "salt": "0123456789abcdef"}
            document["candidate"] = {**self._name(candidate), **defaults, **entry}
        self.write(POINTER_KEY, json.dumps(document).encode())

    def _name(self, version: str) -> dict[str, Any]:
        content = self.read(bundle_key(version, "manifest.json"))
        return {"version": version, "manifest_sha256": sha256_hex(content)}

    def load(self) -> Predictor:
        return load_predictor(self.client, self.bucket, "litert")
