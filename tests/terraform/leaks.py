"""Search for secrets in Terraform's output: their values, and set attributes with the name of a secret."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.terraform.applied import Applied

# Versions, lengths and whether there is one are numbers and flags, under names that end otherwise.
SECRET_NAME = re.compile(
    r"(^|_)(password|passwd|secret_string|secret_binary|secret_key|auth_token|token|private_key)(_wo)?$", re.IGNORECASE
)


def read_secrets(applied: Applied) -> list[str]:
    """Return the secrets that the emulated AWS stores, and the password in each."""
    client = applied.client("secretsmanager")
    listed = client.list_secrets(MaxResults=100)["SecretList"]
    texts = [client.get_secret_value(SecretId=secret["ARN"])["SecretString"] for secret in listed]
    return [*texts, *(json.loads(text)["password"] for text in texts)]


def find_values(text: str, secrets: list[str]) -> list[str]:
    """Return the secrets that are in the text, plain or quoted as in JSON."""
    return [secret for secret in secrets if secret in text or json.dumps(secret)[1:-1] in text]


def find_set_attributes(document: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of attributes named like a secret that have a value in a state, plan or configuration."""
    if isinstance(document, dict):
        for name, value in document.items():
            where = f"{path}.{name}"
            constant = value.get("constant_value") if isinstance(value, dict) else value
            if SECRET_NAME.search(name) and isinstance(constant, str) and constant:
                yield where
            yield from find_set_attributes(value, where)
    if isinstance(document, list):
        for index, value in enumerate(document):
            yield from find_set_attributes(value, f"{path}[{index}]")
