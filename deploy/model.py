"""The first model: an environment without one gets one, and a model that is there is left alone."""

import os

from deploy.environment import Environment
from training.decision import Decision, find_caller
from training.provide import FIRST_REASON, ensure_model, serve_bundle
from training.registry import list_versions
from training.signing import connect_key
from training.storage import connect_storage


def provide_model(environment: Environment, bucket: str) -> tuple[str, tuple[str, ...]]:
    """Return the version that is served, and the steps that were taken; none if a model was served already.

    MODEL_SIGNING_KEY signs it. Raises TrainingError.
    """
    client = connect_storage(environment.session)
    for published in list_versions(client, bucket):
        if published.is_current:
            return published.version, ()
    decision = Decision(find_caller(environment.session), FIRST_REASON)
    arn = os.environ.get("MODEL_SIGNING_KEY", "")
    key = connect_key(arn, environment.session) if arn else None
    version, is_new = serve_bundle(client, bucket, ensure_model(), decision, key)
    return version, ("published", "promoted") if is_new else ("promoted",)
