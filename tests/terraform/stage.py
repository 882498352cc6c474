"""The functions' own code, run with their roles' credentials at an account that enforces IAM."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pg8000.native
import pytest
from botocore.exceptions import ClientError

from lambda_app.telemetry import LambdaHandler
from local.aws_services import REGION
from local.postgres import Postgres
from tests.standins.iam import TokenCheck
from tests.standins.rds_proxy import RdsProxy
from tests.terraform.account import Account

DENIED = "AccessDenied"


def refusal_of(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in {DENIED, f"{DENIED}Exception"}:
            return str(error)
        raise
    return ""


@dataclass
class RoleCheck(TokenCheck):
    """Checks a token as RDS Proxy does: its signature, the role's right to be that user, and the user's password.

    The proxy reads the password with its own role.
    """

    account: Account = field(kw_only=True)
    role: str = field(kw_only=True)

    def find_fault(self, token: str, user: str, host: str) -> str | None:
        fault = super().find_fault(token, user, host)
        if fault is None and not self.account.may_connect(self.role, user):
            fault = f"{DENIED}: rds-db:connect"
        if fault is None:
            secrets = self.account.client("proxy", "secretsmanager")
            fault = refusal_of(lambda: secrets.get_secret_value(SecretId=self.account.secret_arns()[user])) or None
        return fault


@dataclass
class Stage:
    """The functions and the account, as a test calls them."""

    account: Account
    proxy: RdsProxy
    postgres: Postgres
    wire: Callable[..., LambdaHandler]
    capsys: pytest.CaptureFixture[str]

    def client(self, role: str, service: str) -> Any:
        return self.account.client(role, service)

    def start(self, function: str, **changed: str) -> LambdaHandler:
        """Start an execution environment of the function, with the variables that Terraform gave it."""
        credentials = self.account.credentials(function)
        self.proxy.token_check = RoleCheck(
            credentials.access_key_id,
            credentials.secret_access_key,
            REGION,
            credentials.session_token,
            account=self.account,
            role=function,
        )
        variables = self.account.variables(function) | credentials.environment
        variables |= {
            "AWS_ENDPOINT_URL": self.account.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "DATABASE_HOST": "localhost",
            "DATABASE_PORT": str(self.proxy.port),
            "DATABASE_PASSWORD": "",
        }
        for name in ("QUEUE_URL", "DEAD_LETTER_QUEUE_URL"):
            variables[name] = self.account.endpoint_url + urlsplit(variables[name]).path
        # The test's own: loggers are kept by that name.
        del variables["SERVICE_NAME"]
        self.capsys.readouterr()
        return self.wire(function, **variables | changed)

    def read_refusal(self) -> str:
        """Return the refusal, by AWS or by the proxy, in the function's log since it was started."""
        for line in self.capsys.readouterr().out.splitlines():
            if DENIED in line:
                return line
        faults = [login.fault for login in self.proxy.logins if login.fault and DENIED in login.fault]
        self.proxy.logins.clear()
        return faults[0] if faults else ""

    @contextmanager
    def database_away(self) -> Iterator[None]:
        self.proxy.mode = "refuse"
        try:
            yield
        finally:
            self.proxy.mode = "forward"

    @contextmanager
    def superuser(self) -> Iterator[pg8000.native.Connection]:
        login = self.postgres.login
        connection = pg8000.native.Connection(
            login.user, host=login.host, port=login.port, password=login.password, database=login.database
        )
        try:
            yield connection
        finally:
            connection.close()
