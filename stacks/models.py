"""The bucket of the models and the reports: of an environment on AWS, or of the local stack."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from deploy.environment import Environment
from lambda_app.project import PREFIX
from local.aws_client import connect_aws
from local.aws_services import IDENTITY
from local.functions import find_servers
from training.signing import SigningKey, connect_key
from training.storage import connect_storage

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TRAINING = ".venv/bin/python -m training"


@dataclass(frozen=True)
class Models:
    """A client and the name of the bucket. `command` is how a person calls training with the same credentials."""

    client: "S3Client"
    bucket: str
    command: str = TRAINING


def connect_models(environment: Environment | None) -> Models:
    """The bucket of the environment; without one, that of the local stack."""
    if environment is None:
        aws = find_servers().aws
        identity = " ".join(f"{name}={value}" for name, value in IDENTITY.items())
        command = f"env -i AWS_ENDPOINT_URL={aws.endpoint_url} {identity} {TRAINING}"
        return Models(connect_aws("s3", aws.endpoint_url), aws.bucket, command)
    # As terraform/modules/environment calls it.
    return Models(connect_storage(environment.session), f"{PREFIX}-{environment.name}-models-{environment.account_id}")


def connect_signing_key(environment: Environment | None, arn: str) -> SigningKey:
    """The key of that name as the environment's KMS knows it; without one, that of the local stack."""
    if environment is not None:
        return connect_key(arn, environment.session)
    session = boto3.Session(IDENTITY["AWS_ACCESS_KEY_ID"], IDENTITY["AWS_SECRET_ACCESS_KEY"])
    return connect_key(arn, session, find_servers().aws.endpoint_url)
