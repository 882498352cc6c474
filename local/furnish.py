"""What a fresh stack needs before it can serve: the schema with its roles, and a model."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.settings import Settings
from local.aws_services import REGION, AwsServices
from local.environment import build_service_environment
from local.postgres import Postgres
from local.stack import Stack
from training.errors import RegistryError
from training.registry import find_newest_bundle, promote_version, publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def find_or_train_bundle(models: Path) -> Path:
    """The newest model under `models`; where there is none, one is trained and kept."""
    try:
        return find_newest_bundle(models)
    except RegistryError:
        print("There is no trained model yet: training one.", flush=True)
        # TensorFlow takes seconds to import, which only this run shall pay.
        from training.train import train_model  # noqa: PLC0415

        started = time.perf_counter()
        bundle = train_model(models)
        print(f"Trained in {time.perf_counter() - started:.0f} s.", flush=True)
        return bundle


def prepare_service(stack: Stack, bundle: Path) -> dict[str, str]:
    """Migrate the database, publish and promote the model, and return the api's environment."""
    migrate_database(stack.postgres, Settings.from_env(build_service_environment(stack, "migrate")))
    client = connect_s3(stack.aws)
    promote_version(client, stack.aws.bucket, publish_bundle(client, stack.aws.bucket, bundle))
    return build_service_environment(stack, "api")


def migrate_database(postgres: Postgres, admin_settings: Settings) -> None:
    """Bring the schema in place, as its owner, and let the functions' roles log in."""
    database = Database(admin_settings)
    database.run_transaction(apply_migrations)
    database.close()
    postgres.set_role_passwords()


def connect_s3(aws: AwsServices) -> "S3Client":
    """A client that the environment of whoever runs this has no part in."""
    return boto3.client(
        "s3",
        endpoint_url=aws.endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(proxies={}),
    )
