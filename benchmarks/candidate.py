"""A candidate for the service: the model of a bundle with another scaler, as a shadow beside every answer."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_app.model.bundle import MANIFEST, sha256_hex
from training.decision import Decision
from training.promotion import try_version
from training.provide import serve_bundle
from training.registry import publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SCALER = "scaler.json"
DECISION = Decision("benchmarks", "to be measured")
# Another scaler, and so other predictions.
FACTOR = 0.98


def serve_with_candidate(client: "S3Client", bucket: str, bundle: Path, directory: Path) -> None:
    """Create the bucket, where the bundle is current and its copy, made in `directory`, is the candidate."""
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    serve_bundle(client, bucket, bundle, DECISION)
    version, _ = publish_bundle(client, bucket, copy_otherwise(bundle, directory))
    try_version(client, bucket, version, "shadow", 1.0, DECISION)


def copy_otherwise(bundle: Path, directory: Path) -> Path:
    """Copy the bundle under another version, with other means in its scaler."""
    copy = directory / f"{bundle.name}-candidate"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(bundle, copy)
    scaler = json.loads((copy / SCALER).read_bytes())
    content = json.dumps({**scaler, "mean": [FACTOR * mean for mean in scaler["mean"]]}).encode()
    (copy / SCALER).write_bytes(content)
    manifest = json.loads((copy / MANIFEST).read_bytes())
    manifest["version"] = copy.name
    manifest["files"][SCALER] = {"size": len(content), "sha256": sha256_hex(content)}
    (copy / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return copy
