"""Schemathesis loads this: what it cannot learn from the description of an API."""

import re
from typing import Any
from uuid import uuid4

import schemathesis

from lambda_app.http.caller import KEY_PATTERN, MAX_KEY_LENGTH
from lambda_app.http.middleware import parse_request_id


@schemathesis.hook
def before_call(context: Any, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    """Make every acceptable Idempotency-Key a new one, and every acceptable outcome a possible one.

    A key that came with another request is refused, rightly, and only chance would say whether it did. So are a
    prediction that is there twice and a time in the future.
    """
    if case.path == "/outcomes":
        _make_possible(case.body)
    # A changed case would get back the token that it is to be sent without.
    if case.meta and getattr(case.meta.phase.data, "parameter", None) == "Authorization":
        return
    for name, key in (case.headers or {}).items():
        match = re.fullmatch(KEY_PATTERN, key.strip()) if name.lower() == "idempotency-key" else None
        if match and len(key) <= MAX_KEY_LENGTH - 36:
            quote = '"' if match[1] else ""
            case.headers[name] = f"{quote}{uuid4()}{key.strip().removeprefix(quote)}"


def _make_possible(body: Any) -> None:
    outcomes = body.get("outcomes") if isinstance(body, dict) else None
    for outcome in outcomes if isinstance(outcomes, list) else []:
        if not isinstance(outcome, dict):
            continue
        if parse_request_id(outcome.get("request_id")):
            outcome["request_id"] = str(uuid4())
        if re.match(r"[0-9]{4}-", str(outcome.get("observed_at"))):
            # A leap year, like any that was drawn.
            outcome["observed_at"] = f"2020{outcome['observed_at'][4:]}"
