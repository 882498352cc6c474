"""Objects in S3 for the registry: optional reads, conditional writes, failures in one line."""

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
# 412: the condition failed. 409: another conditional write is in progress. Missing: deleted since it was read.
_CONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict", *_MISSING)


@dataclass(frozen=True)
class StoredObject:
    """The contents, and the ETag for a conditional write."""

    content: bytes
    etag: str


def connect_storage(session: boto3.Session | None = None) -> "S3Client":
    """Create a client with boto3's settings, such as AWS_ENDPOINT_URL, and timeouts short enough for a person."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
    try:
        # A new session: boto3's default session keeps the first credentials that it found.
        return (session or boto3.Session()).client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        # BotoCoreError: an unknown profile. ValueError: an endpoint that is no URL.
        raise RegistryError(describe_aws_error(error, "S3")) from error


def fetch_object(client: "S3Client", bucket: str, key: str) -> StoredObject | None:
    """Read an object; return None if it does not exist."""
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _code(error) in _MISSING:
            return None
        raise
    return StoredObject(answer["Body"].read(), answer["ETag"])


def measure_object(client: "S3Client", bucket: str, key: str) -> int | None:
    """Return the size of an object in bytes; None if it does not exist."""
    try:
        return client.head_object(Bucket=bucket, Key=key)["ContentLength"]
    except ClientError as error:
        if _code(error) in _MISSING:
            return None
        raise


def write_object(client: "S3Client", bucket: str, key: str, content: bytes, former: StoredObject | None) -> bool:
    """Replace `former`, or create the object if it is None; return False if somebody else has changed it.

    It also returns False if the reply to this write was lost and boto3 repeated it. So compare the stored content.
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
    """Turn errors of boto3 into a RegistryError with a plain text."""
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
