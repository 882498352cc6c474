"""IAM policies, and how to split them into single permissions."""

import json
from typing import Any, NamedTuple

Document = dict[str, Any]


class Permission(NamedTuple):
    """The smallest part of a policy: one action on one resource."""

    sid: str
    action: str
    resource: str


def split_statement(statement: Document) -> list[tuple[Permission, Document]]:
    """Return its permissions, each with a statement of its own, without the name, which must be unique."""
    rest = {name: value for name, value in statement.items() if name != "Sid"}
    return [
        (Permission(statement["Sid"], action, resource), {**rest, "Action": [action], "Resource": [resource]})
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    ]


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def build_policy(statements: list[Document]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
