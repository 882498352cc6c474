"""`python -m local.model_container`: trains a model where the volume has none, publishes the newest and promotes it."""

import os
import sys
from pathlib import Path

import boto3

from local.furnish import find_or_train_bundle
from training.errors import TrainingError
from training.registry import promote_version, publish_bundle

MODELS = Path("build/models")


def main() -> int:
    """1, with one line, when it can't be trained or published."""
    bucket = os.environ["MODEL_BUCKET"]
    client = boto3.client("s3")
    try:
        version = publish_bundle(client, bucket, find_or_train_bundle(MODELS))
        promote_version(client, bucket, version)
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The model {version} is published and served.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
