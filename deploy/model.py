"""The first model: an environment without one gets one, and a model that is there is left alone."""

from deploy.environment import Environment
from training.provide import ensure_model, serve_bundle
from training.registry import list_versions
from training.storage import connect_storage


def provide_model(environment: Environment, bucket: str) -> tuple[str, tuple[str, ...]]:
    """Return the version that is served, and the steps that were taken; none if a model was served already.

    Raises TrainingError.
    """
    client = connect_storage(environment.session)
    for published in list_versions(client, bucket):
        if published.is_current:
            return published.version, ()
    version, is_new = serve_bundle(client, bucket, ensure_model())
    return version, ("published", "promoted") if is_new else ("promoted",)
