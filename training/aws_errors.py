"""Plain texts for the errors of boto3, because its own texts name operations, classes and regular expressions."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

EXPIRED = "the AWS credentials have expired: renew them, for example by `aws sso login`"
UNKNOWN = "AWS does not know these credentials: check AWS_PROFILE, or the keys in the environment"
REFUSED = "{service} does not let these credentials do that: check whose they are, and what their policy allows"
REGION = "{service} has this in another region: check AWS_DEFAULT_REGION"
BUSY = "{service} is busy or out of order: try again in a minute"
# By AWS's error code. A response to HEAD has no body, so botocore uses the HTTP status as code.
REFUSALS = {
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "RequestExpired": EXPIRED,
    "InvalidAccessKeyId": UNKNOWN,
    "InvalidClientTokenId": UNKNOWN,
    "InvalidSignatureException": UNKNOWN,
    "SignatureDoesNotMatch": UNKNOWN,
    "UnrecognizedClientException": UNKNOWN,
    "403": REFUSED,
    "AccessDenied": REFUSED,
    "AccessDeniedException": REFUSED,
    "301": REGION,
    "AuthorizationHeaderMalformed": REGION,
    "PermanentRedirect": REGION,
    "500": BUSY,
    "503": BUSY,
    "InternalError": BUSY,
    "ServiceUnavailable": BUSY,
    "SlowDown": BUSY,
    "ThrottlingException": BUSY,
    "404": "{service} has no such thing",
    "RequestTimeTooSkewed": "{service} rejects the signature: the clock of this machine is wrong",
}
# The first match is used. botocore's error provides the fields; `host` is the host of the request.
FAILURES = (
    (boto.NoCredentialsError, "no AWS credentials: set AWS_PROFILE, or run `aws configure`"),
    (boto.PartialCredentialsError, "the AWS credentials are incomplete: {cred_var} is missing"),
    (boto.ProfileNotFound, "there is no AWS profile {profile}: check AWS_PROFILE"),
    (boto.ConfigParseError, "the AWS settings in {path} can't be read"),
    (boto.NoRegionError, "no AWS region: set AWS_DEFAULT_REGION"),
    (boto.SSLError, "{service} can't be trusted: the certificate of {host} is not accepted by this machine"),
    (boto.ProxyConnectionError, "{service} can't be reached: the proxy {host} does not answer"),
    ((boto.ConnectTimeoutError, boto.ReadTimeoutError), "{service} can't be reached: {host} did not answer in time"),
    ((boto.ConnectionError, boto.ConnectionClosedError), "{service} can't be reached: nothing answers at {host}"),
    (boto.HTTPClientError, "{service} can't be reached: the connection failed"),
    ((boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.TokenRetrievalError), EXPIRED),
    (ResponseParserError, "the answer of {service} can't be read: something else, such as a proxy, may have given it"),
    (boto.CredentialRetrievalError, "the AWS credentials can't be had from {provider}"),
)


def describe_aws_error(error: Exception, service: str) -> str:
    """Describe a failed call of `service`, or a client that could not be made, in one line."""
    if isinstance(error, boto.ClientError):
        found = error.response.get("Error", {})
        code, message = found.get("Code", "unknown"), found.get("Message") or "it gave no reason"
        return REFUSALS.get(code, "{service} refused: {message} ({code})").format(
            service=service, message=message, code=code
        )
    if str(error).startswith("Invalid endpoint"):
        return "AWS_ENDPOINT_URL is no URL: it must begin with http:// or https://"
    known = error.kwargs if isinstance(error, boto.BotoCoreError) else {}
    for kinds, text in FAILURES:
        if isinstance(error, kinds):
            return text.format(service=service, host=_name_host(known), **known)
    return f"{service} can't be used: {error}"


def _name_host(known: Mapping[str, object]) -> str:
    """Return only host and port, because the URL of a proxy may contain a password."""
    url = str(known.get("proxy_url") or known.get("endpoint_url") or "")
    return urlsplit(url if "//" in url else f"//{url}").netloc.rpartition("@")[2]
