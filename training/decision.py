"""The author of a change of the served model, and their reason: each change of the pointer asks for both."""

from dataclasses import dataclass

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from training.aws_errors import describe_aws_error
from training.errors import RegistryError

LONGEST_REASON = 500


@dataclass(frozen=True)
class Decision:
    """The ARN of the person or role, as STS tells it, and their reason as `read_reason` returns it."""

    who: str
    reason: str


def read_reason(text: str) -> str:
    """The reason on one line; RegistryError when there is none, or one that the history does not keep."""
    reason = " ".join(text.split())
    if not reason:
        raise RegistryError("no reason: say with --reason why the served version changes; the history keeps it")
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise RegistryError(f"the reason must have at most {LONGEST_REASON} characters, and none that can't be printed")
    return reason


def find_caller(session: boto3.Session | None = None) -> str:
    """The ARN that STS knows these credentials by; RegistryError when it can't be asked."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
    try:
        return (session or boto3.Session()).client("sts", config=config).get_caller_identity()["Arn"]
    except (BotoCoreError, ClientError, ValueError) as error:
        raise RegistryError(f"nothing was changed: {describe_aws_error(error, 'STS')}") from error
