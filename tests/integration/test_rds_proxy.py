"""The service before RDS Proxy, which a stand-in plays: whom it trusts, how it logs in, and what it never sends."""

import dataclasses
import datetime
import json
import traceback
from collections.abc import Callable, Iterator
from uuid import uuid4

import boto3
import pg8000.native
import pytest

from lambda_app.aws.signature import Identity
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.log.migrations import _read_scripts
from lambda_app.log.store import ping
from lambda_app.log.token import make_auth_token
from lambda_app.project import API_ROLE
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.aws_services import REGION
from local.certificates import Certificates
from local.postgres import USER
from local.records import make_record
from tests.events import Context, invoke, load_event, make_event
from tests.queues import QueuePair
from tests.records import insert
from tests.standins.iam import TokenCheck
from tests.standins.pinning import PARSE, QUERY, SYNC, find_offences
from tests.standins.rds_proxy import RdsProxy
from tests.standins.wire import SSL_REQUEST, read_strings

HOST = "localhost"
# As temporary credentials are: their session token has characters that a URL must not.
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "ASIAEXAMPLE", "secret/with+signs", "session/token+with=signs&more=="
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_SESSION_TOKEN": SESSION_TOKEN,
    "AWS_REGION": REGION,
}
IDENTITY = Identity(REGION, ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)


@pytest.fixture
def proxy(settings: Settings, certificates: Certificates) -> Iterator[RdsProxy]:
    check = TokenCheck(ACCESS_KEY, SECRET_KEY, REGION, SESSION_TOKEN)
    with RdsProxy(
        upstream_port=settings.database_port, certificate=certificates.server, token_check=check, recording=True
    ) as proxy:
        yield proxy


@pytest.fixture
def database(settings: Settings, proxy: RdsProxy) -> Iterator[Database]:
    with_iam = direct_to(settings, proxy)
    database = Database(with_iam, lambda: make_auth_token(IDENTITY, HOST, proxy.port, with_iam.database_user))
    yield database
    database.close()


def direct_to(settings: Settings, proxy: RdsProxy) -> Settings:
    """The settings as they are on AWS: verified TLS, and no password."""
    return dataclasses.replace(
        settings, database_host=HOST, database_port=proxy.port, database_tls="verify", database_password=None
    )


def direct_environment_to(proxy: RdsProxy) -> dict[str, str]:
    variables = {"DATABASE_HOST": HOST, "DATABASE_PORT": str(proxy.port), "DATABASE_TLS": "verify"}
    return {**CREDENTIALS, **variables, "DATABASE_PASSWORD": ""}


def fail_to_connect(settings: Settings, proxy: RdsProxy, make_token: Callable[[], str]) -> str:
    """What is said of the failure, once nothing in it was found to be secret."""
    tokens: list[str] = []

    def keep_token() -> str:
        tokens.append(make_token())
        return tokens[-1]

    with pytest.raises(DATABASE_ERRORS) as caught:
        Database(direct_to(settings, proxy), keep_token).run_transaction(ping)
    told = "\n".join(traceback.format_exception(caught.value)) + describe_error(caught.value)
    for token in tokens:
        for secret in (token, token.rpartition("=")[2], SECRET_KEY, SESSION_TOKEN):
            assert secret not in told
    assert tokens
    return describe_error(caught.value)


@pytest.mark.parametrize("credentials", [CREDENTIALS, {**CREDENTIALS, "AWS_SESSION_TOKEN": ""}])
@pytest.mark.parametrize("user", ["diabetes_api", "some.one+else@example/ü &=%"])
def test_token_is_the_one_that_boto3_makes(
    user: str, credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in credentials.items():
        monkeypatch.setenv(name, value)
    moment = datetime.datetime(2026, 1, 31, 23, 59, 59, tzinfo=datetime.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    monkeypatch.setattr("lambda_app.aws.signature._format_now", lambda: "20260131T235959Z")
    host = "proxy.proxy-abc.eu-west-1.rds.amazonaws.com"
    session = boto3.Session(region_name=REGION)
    expected = session.client("rds").generate_db_auth_token(host, 5432, user)
    identity = dataclasses.replace(IDENTITY, session_token=credentials["AWS_SESSION_TOKEN"] or None)
    assert make_auth_token(identity, host, 5432, user) == expected


def test_records_are_written_through_iam_and_tls(
    database: Database, proxy: RdsProxy, query: Callable[..., list[object]]
) -> None:
    record = make_record()
    insert(database, record)
    assert query("SELECT count(*) FROM predictions WHERE request_id = :id", id=record.request_id) == [[1]]
    [login] = proxy.logins
    assert login.encrypted
    assert login.parameters["user"] == API_ROLE


def test_migrations_come_through_the_proxy_too(
    wire: Callable[..., LambdaHandler], proxy: RdsProxy, query: Callable[..., list[object]]
) -> None:
    name = f"empty_{uuid4().hex}"
    query(f"CREATE DATABASE {name}")
    answer = wire("migrate", DATABASE_NAME=name, **direct_environment_to(proxy))({}, Context())
    assert answer == {"applied": list(_read_scripts())}
    [login] = proxy.logins
    assert login.encrypted
    assert login.parameters["user"] == USER
    assert proxy.plain_text == SSL_REQUEST


@pytest.mark.parametrize("certificate", ["other_ca", "wrong_name", "expired"])
def test_server_that_cannot_prove_its_name_gets_nothing(
    certificate: str, settings: Settings, certificates: Certificates
) -> None:
    with RdsProxy(
        upstream_port=settings.database_port, certificate=getattr(certificates, certificate), recording=True
    ) as proxy:
        assert fail_to_connect(settings, proxy, lambda: "not-to-be-told") == "SSLCertVerificationError"
    assert proxy.logins == []
    assert proxy.plain_text.replace(SSL_REQUEST, b"") == b""


def test_server_without_tls_gets_nothing(settings: Settings) -> None:
    with RdsProxy(upstream_port=settings.database_port, certificate=None) as proxy:
        assert fail_to_connect(settings, proxy, lambda: "not-to-be-told") == "InterfaceError"
    assert proxy.logins == []
    assert proxy.plain_text
    assert proxy.plain_text.replace(SSL_REQUEST, b"") == b""


def test_expired_token_is_refused(settings: Settings, proxy: RdsProxy) -> None:
    assert proxy.token_check
    proxy.token_check.clock_offset_seconds = 901
    failure = fail_to_connect(settings, proxy, lambda: make_auth_token(IDENTITY, HOST, proxy.port, API_ROLE))
    assert failure == "DatabaseError 28000"
    # Once: a token of the same clock would fare no better.
    assert [login.fault for login in proxy.logins] == ["it has expired"]


@pytest.mark.parametrize(
    "changed",
    [
        {"secret_access_key": "another"},
        {"access_key_id": "another"},
        {"session_token": "another"},
        {"region": "eu-west-2"},
    ],
)
def test_token_of_somebody_else_is_refused(changed: dict[str, str], settings: Settings, proxy: RdsProxy) -> None:
    other = dataclasses.replace(IDENTITY, **changed)
    failure = fail_to_connect(settings, proxy, lambda: make_auth_token(other, HOST, proxy.port, API_ROLE))
    assert failure == "DatabaseError 28000"


def test_token_for_another_user_is_refused(settings: Settings, proxy: RdsProxy) -> None:
    failure = fail_to_connect(settings, proxy, lambda: make_auth_token(IDENTITY, HOST, proxy.port, USER))
    assert failure == "DatabaseError 28000"
    assert [login.fault for login in proxy.logins] == ["DBUser is not what it must be"]


def test_connection_outlives_its_token_and_the_next_one_has_its_own(
    database: Database, proxy: RdsProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_backend(connection: pg8000.native.Connection) -> object:
        return connection.run("SELECT pg_backend_pid()")

    backend = database.run_transaction(read_backend)
    # Sixteen minutes pass, on both sides.
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=960)
    monkeypatch.setattr("lambda_app.aws.signature._format_now", lambda: f"{later:%Y%m%dT%H%M%SZ}")
    assert proxy.token_check
    proxy.token_check.clock_offset_seconds = 960
    assert database.run_transaction(read_backend) == backend
    [first] = proxy.logins
    assert first.password
    stale = proxy.token_check.find_fault(first.password, API_ROLE, proxy.address)
    assert stale == "it has expired"

    proxy.drop_connections()
    assert database.run_transaction(read_backend) != backend
    assert len(proxy.logins) == 2


def test_function_sends_nothing_that_would_pin_its_connection(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, proxy: RdsProxy
) -> None:
    environment = direct_environment_to(proxy)
    api = wire(**environment)
    batch = json.dumps({"patients": [EXAMPLE_REQUEST] * 3})
    key = f"key-{uuid4()}"
    events = [
        *[load_event("predict")] * 3,
        make_event("POST", "/predict/batch", batch, content_type="application/json"),
        *[make_event("POST", "/predict", json.dumps(EXAMPLE_REQUEST), idempotency_key=key)] * 2,
        make_event("GET", f"/predictions/{uuid4()}"),
        load_event("health"),
    ]
    assert [invoke(api, event)["statusCode"] for event in events] == [200, 200, 200, 200, 200, 200, 404, 200]
    assert find_offences(proxy.logins, proxy.frames) == []
    # It was this that was looked at, and all of it over one connection.
    statements = [read_strings(frame.payload, 1)[0] for frame in proxy.frames if frame.kind == QUERY]
    # The batch and the two with a key are transactions, and every other one takes a single round trip.
    assert statements == [*["BEGIN", "COMMIT"] * 3, "SELECT 1"]
    kinds = [frame.kind for frame in proxy.frames]
    assert kinds.count(PARSE) == kinds.count(SYNC) >= len(events) - 1
    assert len(proxy.logins) == 1


def test_refused_token_leaves_the_record_in_the_queue_and_no_secret_in_a_log(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, proxy: RdsProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proxy.token_check
    proxy.token_check.clock_offset_seconds = 901
    capsys.readouterr()
    api = wire(**direct_environment_to(proxy), **own_queues.environment)
    answer = invoke(api, load_event("predict"))
    assert (answer["statusCode"], answer["headers"]["x-prediction-record"]) == (200, "queue")
    health = invoke(api, load_event("health"))
    told = capsys.readouterr().out + json.dumps([answer, health])
    assert "DatabaseError 28000" in told
    passwords = [login.password or "" for login in proxy.logins]
    assert all(passwords)
    assert passwords
    for secret in (*passwords, *(password.rpartition("=")[2] for password in passwords), SECRET_KEY, SESSION_TOKEN):
        assert secret not in told
