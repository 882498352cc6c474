"""Who asks, by the gateway's word."""

from typing import Any

import pytest

from lambda_app.caller import find_caller, parse_idempotency_key
from lambda_app.errors import IdempotencyKeyError


@pytest.mark.parametrize(
    ("authorizer", "caller"),
    [
        ({"iam": {"userArn": "arn:aws:iam::1:user/ada", "accountId": "1"}}, "arn:aws:iam::1:user/ada"),
        ({"jwt": {"claims": {"sub": "ada", "scope": "predict"}, "scopes": None}}, "ada"),
        ({}, None),
        ({"lambda": {"anything": 1}}, None),
    ],
)
def test_caller_is_the_arn_or_the_subject(authorizer: dict[str, Any], caller: str | None) -> None:
    assert find_caller({"requestContext": {"authorizer": authorizer}}) == caller


@pytest.mark.parametrize("event", [{}, {"requestContext": {}}])
def test_there_is_none_without_a_gateway(event: dict[str, Any]) -> None:
    assert find_caller(event) is None


def test_two_keys_are_none() -> None:
    assert parse_idempotency_key([]) is None
    assert parse_idempotency_key(['"a"']) == parse_idempotency_key(["a"]) == "a"
    assert parse_idempotency_key(['"a \\"b\\" \\\\"']) == 'a "b" \\'
    with pytest.raises(IdempotencyKeyError):
        parse_idempotency_key(["a", "a"])
