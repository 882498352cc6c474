"""The deployment's errors, each with a text of one line that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from training.aws_errors import describe_aws_error


class DeployError(Exception):
    """A step can't be done, or failed; the message is one line that a person can act on."""


class NotAppliedError(DeployError):
    """The environment was not applied, or not completely."""


class CallError(Exception):
    """A request can't be made, or gets no answer; the message is one line that says why and what to do."""


@contextmanager
def explain_failures(service: str, **advice: str) -> Iterator[None]:
    """Turn what boto3 raises inside into a DeployError. `advice` is what to do about an error code of AWS."""
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        told = advice.get(error.response["Error"]["Code"]) if isinstance(error, ClientError) else None
        raise DeployError(told or describe_aws_error(error, service)) from error
    except ValueError as error:
        # What boto3 says of AWS_ENDPOINT_URL.
        if "Invalid endpoint" not in str(error):
            raise
        raise DeployError(describe_aws_error(error, service)) from error
