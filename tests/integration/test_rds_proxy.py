"""The connection to RDS Proxy: what it must accept, refuse and never send, before a stand-in that checks in earnest."""

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import boto3
import pg8000.native
import pytest

from lambda_app.log.database import DATABASE_ERRORS
from local.cluster import PASSWORD
from local.ports import find_free_ports
from local.postgres import Postgres
from tests.standins.certificates import Certificates, make_certificates
from tests.standins.iam import TokenCheck
from tests.standins.rds_proxy import RdsProxy
from tests.standins.wire import SSL_REQUEST

ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _trusted_ca(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_path))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The server behind the stand-in, with no schema."""
    [port] = find_free_ports(1)
    with Postgres(tmp_path_factory.mktemp("upstream") / "postgres", port) as postgres:
        yield postgres


@pytest.fixture
def iam_proxy(postgres: Postgres, certificates: Certificates) -> Iterator[RdsProxy]:
    check = TokenCheck(ACCESS_KEY, SECRET_KEY, REGION)
    with RdsProxy(upstream_port=postgres.port, certificate=certificates.server, token_check=check) as proxy:
        yield proxy


@pytest.fixture
def password_proxy(postgres: Postgres, certificates: Certificates) -> Iterator[RdsProxy]:
    with RdsProxy(upstream_port=postgres.port, certificate=certificates.server) as proxy:
        yield proxy


@contextlib.contextmanager
def connect(proxy: RdsProxy, password: str = PASSWORD, **options: Any) -> Iterator[pg8000.native.Connection]:
    """Connect as somebody would who uses nothing of ours."""
    connection = pg8000.native.Connection(
        "postgres",
        host="localhost",
        port=proxy.port,
        database="diabetes",
        password=password,
        **{"ssl_context": ssl.create_default_context(), "timeout": 5, **options},
    )
    try:
        yield connection
    finally:
        # The farewell fails where the test has broken the connection.
        with contextlib.suppress(*DATABASE_ERRORS):
            connection.close()


def make_token(proxy: RdsProxy, user: str = "postgres", region: str = REGION, **credentials: str) -> str:
    """boto3's own token, which the stand-in's check must take though it shares no code with it."""
    keys: dict[str, Any] = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, **credentials}
    client = boto3.client("rds", region_name=region, **keys)
    token: str = client.generate_db_auth_token("localhost", proxy.port, user)
    return token


def test_stand_in_takes_the_token_that_boto3_makes(iam_proxy: RdsProxy) -> None:
    with connect(iam_proxy, make_token(iam_proxy)) as connection:
        assert connection.run("SELECT current_user, :a", a="b") == [["postgres", "b"]]
    [login] = iam_proxy.logins
    assert login.encrypted
    assert login.parameters == {"user": "postgres", "database": "diabetes"}
    assert iam_proxy.plain_text == SSL_REQUEST


def test_stand_in_loses_the_answer_to_a_commit_that_is_done(password_proxy: RdsProxy) -> None:
    with connect(password_proxy) as connection:
        connection.run("CREATE TABLE kept (i int)")
        password_proxy.lose_commit_answers = 1
        connection.run("BEGIN")
        connection.run("INSERT INTO kept VALUES (1)")
        with pytest.raises(DATABASE_ERRORS):
            connection.run("COMMIT")
    with connect(password_proxy) as connection:
        connection.run("BEGIN")
        assert connection.run("SELECT i FROM kept") == [[1]]
        connection.run("COMMIT")


def test_stand_in_hangs_up_and_refuses_and_comes_back_on_its_port(password_proxy: RdsProxy) -> None:
    with connect(password_proxy) as connection:
        password_proxy.drop_connections()
        with pytest.raises(DATABASE_ERRORS):
            connection.run("SELECT 1")
    with connect(password_proxy) as connection:
        password_proxy.mode = "refuse"
        with pytest.raises(DATABASE_ERRORS):
            connection.run("SELECT 1")
    with pytest.raises(pg8000.native.InterfaceError) as refusal, connect(password_proxy):
        pass
    assert isinstance(refusal.value.__cause__, ConnectionRefusedError)
    password_proxy.mode = "forward"
    with connect(password_proxy) as connection:
        assert connection.run("SELECT 1") == [[1]]


def test_stand_in_falls_silent_and_forgets_who_gave_up(password_proxy: RdsProxy) -> None:
    with connect(password_proxy) as kept, connect(password_proxy, timeout=0.2) as impatient:
        password_proxy.mode = "silent"
        with pytest.raises(TimeoutError), connect(password_proxy, timeout=0.2):
            pass
        with pytest.raises(TimeoutError):
            impatient.run("CREATE TABLE given_up (i int)")
        impatient.close()
        password_proxy.mode = "forward"
        assert kept.run("SELECT to_regclass('given_up')") == [[None]]


def test_stand_in_answers_slowly(password_proxy: RdsProxy) -> None:
    with connect(password_proxy, timeout=0.2) as connection:
        password_proxy.delay_seconds = 0.5
        with pytest.raises(TimeoutError):
            connection.run("SELECT 1")
