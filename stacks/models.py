"""The bucket of the models and the reports: of an environment on AWS, or of the local stack."""

from typing import TYPE_CHECKING

from deploy.environment import Environment
from lambda_app.project import PREFIX
from local.aws_client import connect_aws
from local.functions import find_servers
from training.storage import connect_storage

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def connect_models(environment: Environment | None) -> tuple["S3Client", str]:
    """Return a client and the name of the bucket; without an environment, those of the local stack."""
    if environment is None:
        aws = find_servers().aws
        return connect_aws("s3", aws.endpoint_url), aws.bucket
    # As terraform/modules/environment calls it.
    return connect_storage(environment.session), f"{PREFIX}-{environment.name}-models-{environment.account_id}"
