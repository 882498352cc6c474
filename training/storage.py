"""Objects in S3 as the registry needs them: read if there, written only on a condition, failures told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from training.aws_errors import describe_aws_error
from training.errors import RegistryError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_MISSING = ("NoSuchKey", "404")
# 412: the condition does not hold. 409: another conditional write is under way. Missing: deleted since it was read.
_CONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict", *_MISSING)


@dataclass(frozen=True)
class StoredObject:
    """Contents, and the ETag that a conditional write compares."""

    content: bytes
    etag: str


def connect_storage(session: boto3.Session | None = None) -> "S3Client":
    """A client with boto3's own settings, such as AWS_ENDPOINT_URL, and with timeouts that a person can wait for."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
    try:
        # A session of its own: boto3's default one keeps the credentials that it found first.
        return (session or boto3.Session()).client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        # An unknown profile is the one, an endpoint that is no URL the other.
        raise RegistryError(describe_aws_error(error, "S3")) from error


def fetch_object(client: "S3Client", bucket: str, key: str) -> StoredObject | None:
    """Read an object; None when there is none."""
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _code(error) in _MISSING:
            return None
        raise
    return StoredObject(answer["Body"].read(), answer["ETag"])


def measure_object(client: "S3Client", bucket: str, key: str) -> int | None:
    """An object's size in bytes; None when there is none."""
    try:
        return client.head_object(Bucket=bucket, Key=key)["ContentLength"]
    except ClientError as error:
        if _code(error) in _MISSING:
            return None
        raise


def write_object(client: "S3Client", bucket: str, key: str, content: bytes, former: StoredObject | None) -> bool:
    """Write where `former` still stands, or where nothing does when it is None; False when that is not so.

    Also False when our own write's answer was lost and boto3 sent it again: compare what stands there then.
    """
    try:
        if former is None:
            client.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
        else:
            client.put_object(Bucket=bucket, Key=key, Body=content, IfMatch=former.etag)
    except ClientError as error:
        if _code(error) in _CONDITION_FAILED:
            return False
        raise
    return True


@contextmanager
def explain_failures(bucket: str) -> Iterator[None]:
    """Turn what boto3 raises inside into a RegistryError that a person can act on."""
    try:
        yield
    except ParamValidationError as error:
        raise RegistryError(f"{bucket!r} is not the name of a bucket") from error
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and _code(error) == "NoSuchBucket":
            raise RegistryError(f"there is no bucket {bucket}") from error
        raise RegistryError(describe_aws_error(error, "S3")) from error


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "unknown")
