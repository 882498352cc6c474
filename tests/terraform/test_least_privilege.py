"""Least privilege with IAM enforced: each role can do its work, needs every action that its policy allows, and is
refused other calls."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pg8000.native
import pytest

from lambda_app.log.migrations import apply_migrations
from lambda_app.telemetry import LambdaHandler
from local.certificates import Certificates, make_certificates
from local.cluster import PASSWORD
from local.ports import find_free_ports
from local.postgres import Postgres
from tests.events import invoke, load_event
from tests.standins.rds_proxy import RdsProxy
from tests.terraform.account import ADMIN, Account
from tests.terraform.allowed_calls import ALLOWED_CALLS, DATABASE_USERS, DENIED_TO_CODE, OWNER
from tests.terraform.applied import Applied, list_resources
from tests.terraform.denied_calls import CASES, find_refusal
from tests.terraform.server import serve_aws
from tests.terraform.stage import Stage
from training.provide import serve_bundle


@pytest.fixture(scope="module")
def account(applied: Applied, tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[Account]:
    """A copy of the applied environment, with the trained model promoted, where IAM is enforced."""
    log_path = tmp_path_factory.mktemp("guarded_aws") / "server.log"
    with serve_aws("tests.terraform.guarded_aws", log_path) as endpoint_url:
        account = Account(endpoint_url, list_resources(applied.state["values"]))
        bucket = account.variables("api")["MODEL_BUCKET"]
        client = account.client(ADMIN, "s3")
        serve_bundle(client, bucket, bundle)
        yield account


@pytest.fixture(scope="module")
def own_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server with the schema in place, whose tables are the master user's, as on RDS."""
    [port] = find_free_ports(1)
    with Postgres(tmp_path_factory.mktemp("least_privilege") / "postgres", port) as postgres:
        login = postgres.login
        options = {"host": login.host, "port": login.port, "password": PASSWORD, "database": login.database}
        with pg8000.native.Connection(login.user, **options) as connection:
            connection.run(f"CREATE ROLE {OWNER} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        with pg8000.native.Connection(OWNER, **options) as connection:
            connection.run("BEGIN")
            apply_migrations(connection)
            connection.run("COMMIT")
        postgres.set_role_passwords()
        yield postgres


@pytest.fixture(scope="module")
def proxy(database: Postgres, own_certificates: Certificates) -> Iterator[RdsProxy]:
    with RdsProxy(upstream_port=database.port, certificate=own_certificates.server) as proxy:
        yield proxy


@pytest.fixture
def stage(
    account: Account,
    proxy: RdsProxy,
    database: Postgres,
    own_certificates: Certificates,
    wire: Callable[..., LambdaHandler],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Stage:
    monkeypatch.setenv("SSL_CERT_FILE", str(own_certificates.ca_path))
    proxy.logins.clear()
    return Stage(account, proxy, database, wire, capsys)


def test_table_has_every_action_of_every_policy_and_no_other(account: Account) -> None:
    actions = {
        (role, permission.sid, permission.action)
        for role in (*DATABASE_USERS, "proxy")
        for permission in account.permissions(role)
    }
    assert actions == ALLOWED_CALLS.keys() | DENIED_TO_CODE.keys()
    assert not ALLOWED_CALLS.keys() & DENIED_TO_CODE.keys()


@pytest.mark.parametrize("key", ALLOWED_CALLS, ids=" ".join)
def test_action_is_needed(key: tuple[str, str, str], stage: Stage) -> None:
    role, call = key[0], ALLOWED_CALLS[key]
    assert not call(stage, role)
    for permission in stage.account.permissions(role):
        if (permission.sid, permission.action) == key[1:]:
            stage.account.revoke(role, permission)
            try:
                assert call(stage, role), f"refused nothing without {permission}"
            finally:
                stage.account.restore(role)
            assert not call(stage, role)


@pytest.mark.parametrize("key", DENIED_TO_CODE, ids=" ".join)
def test_denial_is_needed(key: tuple[str, str, str], stage: Stage) -> None:
    role, call = key[0], DENIED_TO_CODE[key]
    assert call(stage, role)
    [permission] = [
        permission for permission in stage.account.permissions(role) if (permission.sid, permission.action) == key[1:]
    ]
    stage.account.revoke(role, permission)
    try:
        assert not call(stage, role)
    finally:
        stage.account.restore(role)
    assert call(stage, role)


@pytest.mark.parametrize(("name", "role"), CASES)
def test_role_is_refused_what_an_administrator_may(name: str, role: str, stage: Stage) -> None:
    assert find_refusal(stage, name, role)
    assert not find_refusal(stage, name, ADMIN)


@pytest.mark.parametrize("user", DATABASE_USERS.values())
@pytest.mark.parametrize("role", [*DATABASE_USERS, "proxy"])
def test_database_lets_a_role_in_as_its_own_user_alone(role: str, user: str, account: Account) -> None:
    assert account.may_connect(role, user) == (DATABASE_USERS.get(role) == user)


def test_function_cannot_connect_as_the_owner_of_the_tables(stage: Stage) -> None:
    api = stage.start("api", DATABASE_USER=OWNER)
    answer = invoke(api, load_event("predict"))
    assert answer["headers"]["x-prediction-record"] == "queue"
    # At the start, and when the request tried again.
    assert stage.proxy.logins
    for login in stage.proxy.logins:
        assert login.parameters["user"] == OWNER
        assert login.fault == "AccessDenied: rds-db:connect"
