"""What can go wrong on the way to AWS, told in one line that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError


class DeployError(Exception):
    """A step can't be done, or failed; the message is one line that a person can act on."""


@contextmanager
def explain_failures(service: str, **advice: str) -> Iterator[None]:
    """Turn what boto3 raises inside into a DeployError. `advice` is what to do about an error code of AWS."""
    try:
        yield
    except NoCredentialsError as error:
        raise DeployError("no AWS credentials: set AWS_PROFILE, or run `aws configure`") from error
    except BotoCoreError as error:
        raise DeployError(f"{service} cannot be used: {error}") from error
    except ClientError as error:
        found = error.response["Error"]
        told = advice.get(found["Code"])
        raise DeployError(told or f"{service} refused: {error}") from error
