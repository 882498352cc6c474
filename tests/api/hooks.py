"""Schemathesis loads this: what it cannot learn from the description of an API."""

import re
from typing import Any
from uuid import uuid4

import schemathesis

from lambda_app.http.caller import KEY_PATTERN, MAX_KEY_LENGTH


@schemathesis.hook
def before_call(context: Any, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    """Make every acceptable Idempotency-Key a new one.

    A key that came with another request is refused, rightly, and only chance would say whether it did.
    """
    # A changed case would get back the token that it is to be sent without.
    if case.meta and getattr(case.meta.phase.data, "parameter", None) == "Authorization":
        return
    for name, key in (case.headers or {}).items():
        match = re.fullmatch(KEY_PATTERN, key.strip()) if name.lower() == "idempotency-key" else None
        if match and len(key) <= MAX_KEY_LENGTH - 36:
            quote = '"' if match[1] else ""
            case.headers[name] = f"{quote}{uuid4()}{key.strip().removeprefix(quote)}"
