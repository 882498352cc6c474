"""The passwords of the functions' roles.

RDS Proxy logs in with the passwords in the secrets, so the database must have the same ones.
"""

import base64
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pg8000.native
from scramp import ScramMechanism

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient


class RoleSecretError(Exception):
    """A secret has no role name and password."""


def read_role_passwords(client: "SecretsManagerClient", secret_arns: Iterable[str]) -> dict[str, str]:
    """Return the password of each role by its name; raises RoleSecretError and botocore's errors."""
    passwords = {}
    for arn in secret_arns:
        try:
            secret = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
            passwords[str(secret["username"])] = str(secret["password"])
        except (KeyError, TypeError, ValueError):
            # Without the cause, because it may quote the secret.
            raise RoleSecretError(f"{arn} must hold a JSON object with username and password") from None
    return passwords


def set_role_passwords(connection: pg8000.native.Connection, passwords: dict[str, str]) -> None:
    """Set the passwords in the caller's transaction. Sends only verifiers, because statements may be logged."""
    for role, password in passwords.items():
        salt, stored_key, server_key, iterations = ScramMechanism().make_auth_info(password)
        salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
        verifier = f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"
        connection.run(f"ALTER ROLE {pg8000.native.identifier(role)} PASSWORD {pg8000.native.literal(verifier)}")
