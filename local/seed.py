"""Prepares a fresh stack to serve: the schema with its roles, and a model."""

from pathlib import Path
from typing import TYPE_CHECKING

from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.model.bundle import POINTER_KEY, bundle_key
from lambda_app.settings import Settings
from local.aws_client import connect_aws
from local.environment import build_service_environment
from local.postgres import Postgres
from local.stack import Stack
from training.decision import Decision
from training.errors import RegistryError
from training.provide import FIRST_REASON, ensure_model, serve_bundle
from training.registry import find_current

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def provide_model(endpoint_url: str, bucket: str, models: Path) -> str:
    """Return the version that is current in the registry.

    Where none is, or none that can be served, the newest under `models` that passes its gates is published and
    promoted.
    """
    client: S3Client = connect_aws("s3", endpoint_url)
    reason = FIRST_REASON
    try:
        version = find_current(client, bucket)
    except RegistryError as error:
        print(f"The current model can't be served, so another one takes its place: {error}", flush=True)
        version, reason = None, "the current version could not be served"
    if version is None:
        bundle = ensure_model(models)
        # A pointer or files that are there are damaged, or of a start that was interrupted.
        _delete_objects(client, bucket, POINTER_KEY)
        _delete_objects(client, bucket, bundle_key(bundle.name, ""))
        version, _ = serve_bundle(client, bucket, bundle, _decide(endpoint_url, reason))
        print(f"Published the model {version}, and made it current.", flush=True)
    return version


def _decide(endpoint_url: str, reason: str) -> Decision:
    """As the one that the stand-in for STS knows everybody by."""
    return Decision(str(connect_aws("sts", endpoint_url).get_caller_identity()["Arn"]), reason)


def _delete_objects(client: "S3Client", bucket: str, prefix: str) -> None:
    for entry in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        client.delete_object(Bucket=bucket, Key=entry["Key"])


def prepare_service(stack: Stack, bundle: Path) -> dict[str, str]:
    """Migrate the database, publish and promote the model, and return the api's environment."""
    migrate_database(stack.postgres, Settings.from_env(build_service_environment(stack, "migrate")))
    client: S3Client = connect_aws("s3", stack.aws.endpoint_url)
    serve_bundle(client, stack.aws.bucket, bundle, _decide(stack.aws.endpoint_url, FIRST_REASON))
    return build_service_environment(stack, "api")


def migrate_database(postgres: Postgres, admin_settings: Settings) -> None:
    """Bring the schema in place, as its owner, and let the functions' roles log in."""
    database = Database(admin_settings)
    database.run_transaction(apply_migrations)
    database.close()
    postgres.set_role_passwords()
