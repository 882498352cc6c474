"""Reads the caller from the gateway's event, and the Idempotency-Key from the headers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambda_app.errors import IdempotencyKeyError, UnknownCallerError
from lambda_app.service import Caller

MAX_KEY_LENGTH = 255
# The longest ARN of a user has 620. An entry of an index of PostgreSQL has at most 2,704, with the key.
MAX_NAME_BYTES = 1024

# draft-ietf-httpapi-idempotency-key-header defines a structured-field string, in quotes. Most clients send the bare
# value. Here it means the same key.
_LENGTH = f"{{1,{MAX_KEY_LENGTH}}}"
KEY_PATTERN = rf'^(?:"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){_LENGTH})"|([!#-+\--:<-\[\]-~]{_LENGTH}))$'


# Temporary credentials of a role: an instance, a task, a workflow or a person signed in by SSO.
_SESSION_ARN = re.compile(r"arn:([^:/]+):sts::([^:/]*):assumed-role/([^/]+)/([^/]+)")


def find_caller(event: Mapping[str, Any]) -> Caller:
    """Return the caller by API Gateway's authorizer: role or user ARN, JWT subject or client id.

    The caller is a role rather than its session, because sessions come and go: an instance must find the records, and
    repeat the requests, of the instance that it replaced. A role's name is unique in its account. The id in `userId`
    would change if the role was created again.

    Without an authorizer, the caller has no name. Raises UnknownCallerError if the authorizer named nobody. Otherwise
    strangers would share their records.
    """
    authorizer = event.get("requestContext", {}).get("authorizer")
    if authorizer in (None, {}):
        return Caller()
    match authorizer:
        case {"iam": {"userArn": str(arn)}} if _is_name(arn):
            if session := _SESSION_ARN.fullmatch(arn):
                return Caller(f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}", session[4])
            return Caller(arn)
        case {"jwt": {"claims": {**claims}}}:
            # With the grant "client credentials" a token may have no subject. Who has an odd one is not the client.
            name = claims.get("client_id") if claims.get("sub") is None else claims["sub"]
            if isinstance(name, str) and _is_name(name):
                return Caller(name)
    raise UnknownCallerError


def parse_idempotency_key(values: Sequence[str] | None) -> str | None:
    """Return the key from the values of the header; None without one. Raises IdempotencyKeyError."""
    if not values:
        return None
    match = re.fullmatch(KEY_PATTERN, values[0].strip(" \t")) if len(values) == 1 else None
    if match is None:
        raise IdempotencyKeyError(f"It must be one string of 1 to {MAX_KEY_LENGTH} printable ASCII characters.")
    quoted, bare = match.groups()
    return str(bare) if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _is_name(text: str) -> bool:
    """Return True for a name that PostgreSQL can store as text, and index together with a key."""
    return text.isprintable() and not text.isspace() and 0 < len(text.encode()) <= MAX_NAME_BYTES
