"""The environment variables that point the service at the local stack."""

from local.stack import Stack


def build_service_environment(stack: Stack) -> dict[str, str]:
    """What `Settings.from_env` and boto3 read. moto takes any credentials, so these are none of anybody's."""
    login = stack.postgres.login
    return {
        "MODEL_BUCKET": stack.object_store.bucket,
        "DATABASE_HOST": login.host,
        "DATABASE_PORT": str(login.port),
        "DATABASE_NAME": login.database,
        "DATABASE_USER": login.user,
        "DATABASE_PASSWORD": login.password,
        "DATABASE_TLS": "off",
        "AWS_ENDPOINT_URL": stack.object_store.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
