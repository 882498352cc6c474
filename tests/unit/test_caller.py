"""The caller, from the gateway's event, and the key of a request."""

from typing import Any

import pytest

from lambda_app.errors import IdempotencyKeyError, UnknownCallerError
from lambda_app.http.caller import find_caller, parse_idempotency_key
from lambda_app.service import Caller

# Claims or ARNs that name nobody.
NO_NAMES: list[Any] = [
    None,
    "",
    " ",
    "\t\n",
    "\u00a0",
    "a\x00b",
    "a\u200db",
    "\ud800",
    "a" * 1025,
    "é" * 513,
    5,
    True,
    [],
    ["ada"],
    {},
    {"a": "ada"},
]


def sign(name: str) -> dict[str, Any]:
    """An authorizer of API Gateway for a signed request."""
    return {
        "iam": {"accessKey": "ASIAEXAMPLE", "accountId": "1", "userArn": f"arn:aws:{name}", "userId": "AROAEXAMPLE"}
    }


@pytest.mark.parametrize(
    ("authorizer", "caller"),
    [
        # An EC2 instance, an ECS task, a person by SSO, a run of GitHub Actions, and another partition.
        (sign("sts::1:assumed-role/clinic/i-0abc"), Caller("arn:aws:iam::1:role/clinic", "i-0abc")),
        (sign("sts::1:assumed-role/ecsTask/0123ab"), Caller("arn:aws:iam::1:role/ecsTask", "0123ab")),
        (
            sign("sts::1:assumed-role/AWSReservedSSO_Clinic_0a1b/ada@example.com"),
            Caller("arn:aws:iam::1:role/AWSReservedSSO_Clinic_0a1b", "ada@example.com"),
        ),
        (sign("sts::1:assumed-role/deploy/GitHubActions"), Caller("arn:aws:iam::1:role/deploy", "GitHubActions")),
        (
            {"iam": {"userArn": "arn:aws-us-gov:sts::1:assumed-role/clinic/i-0abc"}},
            Caller("arn:aws-us-gov:iam::1:role/clinic", "i-0abc"),
        ),
        # These do not exist, so none of them may become the role.
        (sign("sts::1:assumed-role/clinic/a/b"), Caller("arn:aws:sts::1:assumed-role/clinic/a/b")),
        (sign("sts::1:assumed-role/clinic/"), Caller("arn:aws:sts::1:assumed-role/clinic/")),
        (sign("iam::1:root"), Caller("arn:aws:iam::1:root")),
        (sign("iam::1:user/ada"), Caller("arn:aws:iam::1:user/ada")),
        (sign("sts::1:federated-user/ada"), Caller("arn:aws:sts::1:federated-user/ada")),
        ({"jwt": {"claims": {"sub": "ada", "client_id": "app", "scope": "predict"}, "scopes": None}}, Caller("ada")),
        ({"jwt": {"claims": {"client_id": "app"}}}, Caller("app")),
        ({"iam": None, "jwt": {"claims": {"sub": "Zoë of the clinic"}}}, Caller("Zoë of the clinic")),
    ],
)
def test_caller_is_the_role_or_user_or_the_subject_or_the_client(authorizer: dict[str, Any], caller: Caller) -> None:
    assert find_caller({"requestContext": {"authorizer": authorizer}}) == caller


@pytest.mark.parametrize("event", [{}, {"requestContext": {}}, {"requestContext": {"authorizer": None}}])
def test_there_is_none_without_a_gateway_or_an_authorizer(event: dict[str, Any]) -> None:
    assert find_caller(event) == Caller()


def test_a_subject_that_is_null_is_missing() -> None:
    claims = {"sub": None, "client_id": "app"}
    assert find_caller({"requestContext": {"authorizer": {"jwt": {"claims": claims}}}}) == Caller("app")


@pytest.mark.parametrize(
    "authorizer",
    [
        *({"iam": {"userArn": name}} for name in NO_NAMES),
        *({"jwt": {"claims": {"sub": name, "client_id": name}}} for name in NO_NAMES),
        # A person is not the client.
        *({"jwt": {"claims": {"sub": name, "client_id": "app"}}} for name in NO_NAMES if name is not None),
        *({"iam": {}}, {"iam": None}, {"iam": "ada"}, {"jwt": {}}, {"jwt": None}, {"jwt": {"claims": None}}),
        *({"jwt": {"claims": {}}}, {"jwt": {"claims": "ada"}}, {"jwt": {"claims": {"aud": "diabetes"}}}),
        *({"lambda": {"sub": "ada"}}, {"lambda": None}, {"other": 1}, "ada", [], ["iam"], 0, False),
    ],
)
def test_an_authorizer_that_names_nobody_is_refused(authorizer: Any) -> None:
    with pytest.raises(UnknownCallerError):
        find_caller({"requestContext": {"authorizer": authorizer}})


def test_a_key_is_one_string_with_spaces_or_tabs_around_it() -> None:
    assert parse_idempotency_key([]) is None
    assert parse_idempotency_key(['"a"']) == parse_idempotency_key(["\t a "]) == "a"
    assert parse_idempotency_key(['"a \\"b\\" \\\\"']) == 'a "b" \\'
    for values in (["a", "a"], ["\u00a0a"], ["\x1fa"], ["\x85a"]):
        with pytest.raises(IdempotencyKeyError):
            parse_idempotency_key(values)
