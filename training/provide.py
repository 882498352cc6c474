"""Provides a model where one is needed: on disk for whoever serves it, and in the registry as the current version."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from training import MODELS
from training.decision import Decision
from training.errors import RegistryError
from training.promotion import promote_version
from training.registry import list_bundles, publish_bundle, require_publishable
from training.signing import SigningKey

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Why the first version of a registry is promoted, where nobody is asked.
FIRST_REASON = "first model of a new environment"


def ensure_model(models: Path = MODELS) -> Path:
    """The newest bundle under `models` that passes its gates; without one, a model is trained there with the defaults.

    A new model may fail its gates: publishing then refuses it. Raises TrainingError.
    """
    bundles = list_bundles(models)
    for bundle in bundles:
        try:
            require_publishable(bundle)
        except (RegistryError, OSError) as error:
            print(f"Passed over: {error}", flush=True)
        else:
            return bundle
    print(f"There is no {'such' if bundles else 'trained'} model yet: training one.", flush=True)
    # TensorFlow takes seconds to import, and only this case needs it.
    from training.train import train_model  # noqa: PLC0415

    started = time.perf_counter()
    bundle = train_model(models)
    print(f"Trained in {time.perf_counter() - started:.0f} s.", flush=True)
    return bundle


def serve_bundle(
    client: "S3Client", bucket: str, directory: Path, decision: Decision, key: SigningKey | None = None
) -> tuple[str, bool]:
    """Publish the bundle and make it current; return its version, and False if it was published already.

    Raises RegistryError as `publish_bundle` and `promote_version` do.
    """
    version, is_new = publish_bundle(client, bucket, directory, key=key)
    promote_version(client, bucket, version, decision, key)
    return version, is_new
