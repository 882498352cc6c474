"""Who asks, by the gateway's word, and the key that marks a request as the same one again."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambda_app.errors import IdempotencyKeyError

MAX_KEY_LENGTH = 255

# The draft (draft-ietf-httpapi-idempotency-key-header) has a structured-field string, in quotes; most clients send the
# bare value, which means the same key here.
_LENGTH = f"{{1,{MAX_KEY_LENGTH}}}"
KEY_PATTERN = rf'^(?:"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){_LENGTH})"|([!#-+\--:<-\[\]-~]{_LENGTH}))$'


def find_caller(event: Mapping[str, Any]) -> str | None:
    """The IAM ARN or JWT subject that API Gateway's authorizer found; None where the route has no authorizer."""
    authorizer = event.get("requestContext", {}).get("authorizer", {})
    if "iam" in authorizer:
        return str(authorizer["iam"]["userArn"])
    if "jwt" in authorizer:
        return str(authorizer["jwt"]["claims"]["sub"])
    return None


def parse_idempotency_key(values: Sequence[str]) -> str | None:
    """The key in the headers of that name; None without one. Raises IdempotencyKeyError."""
    if not values:
        return None
    match = re.fullmatch(KEY_PATTERN, values[0].strip()) if len(values) == 1 else None
    if match is None:
        raise IdempotencyKeyError(f"It must be one string of 1 to {MAX_KEY_LENGTH} printable ASCII characters.")
    quoted, bare = match.groups()
    return str(bare) if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
