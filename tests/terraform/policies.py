"""IAM's policies, and the parts they can be taken apart into."""

import json
from typing import Any, NamedTuple

Document = dict[str, Any]


class Atom(NamedTuple):
    """The smallest part of a policy: one action on one resource."""

    sid: str
    action: str
    resource: str


def split_statement(statement: Document) -> list[tuple[Atom, Document]]:
    """Its atoms, and each as a statement of its own, without the name, which may be there once."""
    rest = {name: value for name, value in statement.items() if name != "Sid"}
    return [
        (Atom(statement["Sid"], action, resource), {**rest, "Action": [action], "Resource": [resource]})
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    ]


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def build_policy(statements: list[Document]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
