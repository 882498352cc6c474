"""The environment variables that point each function of the service at the local stack."""

from typing import Literal

from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, REPLAY_ROLE
from local.aws_services import IDENTITY, REGION
from local.postgres import USER
from local.stack import Stack

Function = Literal["api", "replay", "migrate", "maintain", "monitor"]

# Least privilege, as on AWS: only migrate, which makes the roles of the others, may change the schema.
DATABASE_USERS: dict[Function, str] = {
    "api": API_ROLE,
    "replay": REPLAY_ROLE,
    "migrate": USER,
    "maintain": MAINTAIN_ROLE,
    "monitor": MONITOR_ROLE,
}


def build_service_environment(stack: Stack, function: Function) -> dict[str, str]:
    """The variables that `Settings.from_env` and boto3 read."""
    login = stack.postgres.login
    return {
        "MODEL_BUCKET": stack.aws.bucket,
        **({"RECORDS_BUCKET": stack.aws.records_bucket} if function == "maintain" else {}),
        "DATABASE_HOST": login.host,
        "DATABASE_PORT": str(login.port),
        "DATABASE_NAME": login.database,
        "DATABASE_USER": DATABASE_USERS[function],
        "DATABASE_PASSWORD": login.password,
        "DATABASE_TLS": "off",
        "QUEUE_URL": stack.aws.queue_url,
        "DEAD_LETTER_QUEUE_URL": stack.aws.dead_letter_queue_url,
        "AWS_ENDPOINT_URL": stack.aws.endpoint_url,
        **IDENTITY,
        "AWS_REGION": REGION,
    }
