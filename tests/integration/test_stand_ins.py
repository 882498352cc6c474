"""The stand-in for RDS Proxy itself: a test that leans on it must not pass because it is lenient."""

import re
import time
from collections.abc import Iterator

import boto3
import pg8000.native
import pytest

from lambda_app.log.database import DATABASE_ERRORS
from lambda_app.settings import Settings
from local.aws_services import REGION
from local.certificates import Certificates
from local.postgres import USER
from tests.integration.conftest import connect_plainly
from tests.standins.iam import TokenCheck
from tests.standins.pinning import find_offences
from tests.standins.rds_proxy import RdsProxy
from tests.standins.wire import SSL_REQUEST

HOST, PORT = "localhost", 5432


@pytest.fixture
def proxy(settings: Settings, certificates: Certificates) -> Iterator[RdsProxy]:
    """Passwords in place of tokens."""
    with RdsProxy(upstream_port=settings.database_port, certificate=certificates.server, recording=True) as proxy:
        yield proxy


def make_token(port: int = PORT, user: str = USER) -> str:
    """boto3's own token, which the check must take though it shares no code with it."""
    client = boto3.client("rds", region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret")
    token: str = client.generate_db_auth_token(HOST, port, user)
    return token


def test_token_of_boto3_opens_the_door(settings: Settings, certificates: Certificates) -> None:
    with (
        RdsProxy(
            upstream_port=settings.database_port,
            certificate=certificates.server,
            token_check=TokenCheck("key", "secret", REGION),
        ) as proxy,
        connect_plainly(proxy.port, password=make_token(proxy.port)) as connection,
    ):
        assert connection.run("SELECT current_user, :a", a="b") == [[USER, "b"]]
    [login] = proxy.logins
    assert login.encrypted
    assert login.parameters.keys() == {"user", "database"}
    assert proxy.plain_text == SSL_REQUEST


@pytest.mark.parametrize(
    ("pattern", "replacement", "fault"),
    [
        ("", "", None),
        ("^localhost", "localhost.", "another host"),
        (":5432", ":5433", "another host"),
        (r"/\?", "?", "no token"),
        ("Action=connect", "Action=drop", "Action"),
        ("DBUser=postgres", "DBUser=other", "DBUser"),
        ("DBUser=postgres", "DBUser=postgres&DBUser=postgres", "twice"),
        (REGION, "eu-west-2", "Credential"),
        ("Credential=key", "Credential=other", "Credential"),
        ("rds-db", "rds", "Credential"),
        ("SignedHeaders=host", "SignedHeaders=", "SignedHeaders"),
        ("Expires=900", "Expires=901", "Expires"),
        ("Expires=900", "Expires=899", "signature"),
        ("&X-Amz-Signature=.*", "", "signature"),
        ("Signature=.", "Signature=g", "signature"),
        ("$", "&Extra=1", "Extra"),
        ("$", "&X-Amz-Security-Token=any", "Security-Token"),
    ],
)
def test_token_that_was_tampered_with_is_refused(pattern: str, replacement: str, fault: str | None) -> None:
    token = re.sub(pattern, replacement, make_token(), count=1)
    found = TokenCheck("key", "secret", REGION).find_fault(token, USER, f"{HOST}:{PORT}")
    assert (found is None) if fault is None else (found is not None and fault in found)


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=899 - 60), None),
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=901), "expired"),
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=61, max_token_age_seconds=60), "expired"),
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=-400), "future"),
        (TokenCheck("key", "secre", REGION), "signature"),
        (TokenCheck("key", "secret", REGION, session_token="any"), "Security-Token"),
    ],
)
def test_token_is_checked_by_time_and_keys(check: TokenCheck, fault: str | None) -> None:
    found = check.find_fault(make_token(), USER, f"{HOST}:{PORT}")
    assert (found is None) if fault is None else (found is not None and fault in found)


def test_answer_to_a_commit_is_lost_and_the_commit_done(proxy: RdsProxy) -> None:
    with connect_plainly(proxy.port) as connection:
        proxy.lose_commit_answers = 1
        connection.run("BEGIN")
        connection.run("CREATE TABLE kept (number integer)")
        with pytest.raises(DATABASE_ERRORS):
            connection.run("COMMIT")
    with connect_plainly(proxy.port) as connection:
        proxy.lose_commit_answers = 1
        with pytest.raises(DATABASE_ERRORS):
            connection.run("INSERT INTO kept VALUES (1)")
    with connect_plainly(proxy.port) as connection:
        assert connection.run("SELECT number FROM kept") == [[1]]
        connection.run("DROP TABLE kept")


def test_it_hangs_up_and_refuses_and_comes_back_on_its_port(proxy: RdsProxy) -> None:
    with connect_plainly(proxy.port) as connection:
        proxy.drop_connections()
        with pytest.raises(DATABASE_ERRORS):
            connection.run("SELECT 1")
    with connect_plainly(proxy.port) as connection:
        proxy.mode = "refuse"
        with pytest.raises(DATABASE_ERRORS):
            connection.run("SELECT 1")
    with pytest.raises(pg8000.native.InterfaceError) as refusal, connect_plainly(proxy.port):
        pass
    assert isinstance(refusal.value.__cause__, ConnectionRefusedError)
    proxy.mode = "forward"
    with connect_plainly(proxy.port) as connection:
        assert connection.run("SELECT 1") == [[1]]


def test_it_falls_silent_and_forgets_who_gave_up(proxy: RdsProxy) -> None:
    with connect_plainly(proxy.port) as kept, connect_plainly(proxy.port, timeout=0.2) as impatient:
        proxy.mode = "silent"
        with pytest.raises(TimeoutError), connect_plainly(proxy.port, timeout=0.2):
            pass
        with pytest.raises(TimeoutError):
            impatient.run("CREATE TABLE given_up ()")
        impatient.close()
        # The stand-in, in its own thread, is to hear of it before it speaks again.
        time.sleep(1)
        proxy.mode = "forward"
        assert kept.run("SELECT to_regclass('given_up')") == [[None]]


def test_it_answers_slowly(proxy: RdsProxy) -> None:
    with connect_plainly(proxy.port, timeout=0.2) as connection:
        proxy.delay_seconds = 0.5
        with pytest.raises(TimeoutError):
            connection.run("SELECT 1")


def test_every_offence_of_a_client_is_found(proxy: RdsProxy) -> None:
    with connect_plainly(proxy.port) as connection:
        connection.run("BEGIN")
        connection.run("SELECT :a", a=1)
        connection.run("COMMIT")
    assert find_offences(proxy.logins, proxy.frames) == []

    with connect_plainly(proxy.port, application_name="any", startup_params={"search_path": "public"}) as connection:
        connection.run("SELECT 1")
        connection.run("SELECT :a", a=1)
        connection.run("BEGIN")
        connection.run("/* in a comment: */ sEt statement_timeout = 1000")
        connection.run("SELECT 1; reset statement_timeout")
        connection.prepare("SELECT 2").close()
        connection.run("COMMIT")
        connection.run("BEGIN; COMMIT")
    offences = find_offences(proxy.logins, proxy.frames)
    assert sorted(set(offences)) == [
        "B of an earlier turn's statement",
        "D of an earlier turn's statement",
        "E of an earlier turn's statement",
        "the session command RESET",
        "the session command SET",
        "the startup parameter application_name",
        "the startup parameter search_path",
        "the statement name pg8000_statement_0",
    ]
