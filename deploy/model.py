"""The first model: an environment without one gets one, and a model that is there is left alone."""

from pathlib import Path

from botocore.config import Config
from rich.console import Console

from deploy.environment import Environment
from training.errors import RegistryError
from training.registry import find_newest_bundle, list_versions, promote_version, upload_bundle

# Where training puts them.
MODELS = Path("build/models")


def provide_model(environment: Environment, bucket: str) -> tuple[str, tuple[str, ...]]:
    """The version that is served, and what was done for that, in words; nothing where one was. RegistryError."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
    client = environment.session.client("s3", config=config)
    for published in list_versions(client, bucket):
        if published.is_current:
            return published.version, ()
    version, is_new = upload_bundle(client, bucket, _find_or_train())
    promote_version(client, bucket, version)
    return version, ("published", "promoted") if is_new else ("promoted",)


def _find_or_train() -> Path:
    try:
        return find_newest_bundle(MODELS)
    except RegistryError:
        console = Console()
        with console.status("There is no trained model yet: training one"):
            # TensorFlow takes seconds to import, which only this case shall pay.
            from training.train import train_model  # noqa: PLC0415
        return train_model(MODELS, console=console)
