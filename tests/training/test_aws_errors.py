"""Errors of boto3 in plain words."""

import re

import botocore.exceptions as boto
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from training.aws_errors import describe_aws_error

JARGON = re.compile(r"An error occurred|operation|regex|[A-Z][a-z]+Error|HTTP Client|[{}]|endpoint URL|Could not")


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("404", "Not Found", "S3 has no such thing"),
        ("403", "Forbidden", "S3 does not let these credentials do that"),
        ("AccessDenied", "Access Denied", "S3 does not let these credentials do that"),
        ("ExpiredToken", "The provided token has expired.", "the AWS credentials have expired"),
        ("SignatureDoesNotMatch", "The request signature", "AWS does not know these credentials"),
        ("PermanentRedirect", "The bucket", "S3 has this in another region: check AWS_DEFAULT_REGION"),
        ("SlowDown", "Please reduce your request rate.", "S3 is busy or out of order"),
        ("KeyTooLongError", "Your key is too long", "S3 refused: Your key is too long (KeyTooLongError)"),
        ("Odd", "", "S3 refused: it gave no reason (Odd)"),
        ("Odd", "{0} of {these}", "S3 refused: {0} of {these} (Odd)"),
    ],
)
def test_refusal_of_aws_is_told_by_its_code(code: str, message: str, told: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "HeadObject")
    assert describe_aws_error(error, "S3").startswith(told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (boto.ConnectTimeoutError(endpoint_url="https://s3.example/b/k?x=1"), "s3.example did not answer in time"),
        (boto.ReadTimeoutError(endpoint_url="https://s3.example:8443/b"), "s3.example:8443 did not answer in time"),
        (boto.ConnectionClosedError(endpoint_url="http://[::1]:9/b"), "nothing answers at [::1]:9"),
        (boto.ProxyConnectionError(proxy_url="http://me:secret@proxy:3128"), "the proxy proxy:3128 does not answer"),
        (boto.ProxyConnectionError(proxy_url="me:secret@proxy:3128"), "the proxy proxy:3128 does not answer"),
        (
            boto.SSLError(endpoint_url="https://s3.example", error=OSError("CERTIFICATE")),
            "the certificate of s3.example",
        ),
        (boto.HTTPClientError(error="Failed to parse"), "the connection failed"),
        (boto.EndpointConnectionError(endpoint_url="https://s3.example/b"), "nothing answers at s3.example"),
        (ResponseParserError("<!doctype html>"), "the answer of S3 can't be read"),
        (boto.NoRegionError(), "no AWS region: set AWS_DEFAULT_REGION"),
        (boto.SSOTokenLoadError(error_msg="none"), "have expired"),
        (boto.CredentialRetrievalError(provider="process", error_msg="x"), "can't be had from process"),
        (boto.ConfigParseError(path="/home/config"), "the AWS settings in /home/config can't be read"),
    ],
)
def test_failed_call_is_told_in_plain_words_without_a_password(error: Exception, told: str) -> None:
    text = describe_aws_error(error, "S3")
    assert told in text
    assert not JARGON.search(text), text
    assert "secret" not in text
