"""The stand-in for RDS Proxy itself: a test that leans on it must not pass because it is lenient."""

import re
from collections.abc import Iterator

import boto3
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


@pytest.fixture
def proxy(settings: Settings, certificates: Certificates) -> Iterator[RdsProxy]:
    """Passwords in place of tokens."""
    with RdsProxy(upstream_port=settings.database_port, certificate=certificates.server, recording=True) as proxy:
        yield proxy


def make_token() -> str:
    """A token of boto3, with which the check shares no code."""
    client = boto3.client("rds", region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret")
    token: str = client.generate_db_auth_token("localhost", 5432, USER)
    return token


@pytest.mark.parametrize(
    ("pattern", "replacement", "fault"),
    [
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
def test_token_that_was_tampered_with_is_refused(pattern: str, replacement: str, fault: str) -> None:
    token = re.sub(pattern, replacement, make_token(), count=1)
    assert fault in str(TokenCheck("key", "secret", REGION).find_fault(token, USER, "localhost:5432"))


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=899 - 60), "None"),
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=901), "expired"),
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=61, max_token_age_seconds=60), "expired"),
        (TokenCheck("key", "secret", REGION, clock_offset_seconds=-400), "future"),
        (TokenCheck("key", "secre", REGION), "signature"),
        (TokenCheck("key", "secret", REGION, session_token="any"), "Security-Token"),
    ],
)
def test_token_is_checked_by_time_and_keys(check: TokenCheck, fault: str) -> None:
    assert fault in str(check.find_fault(make_token(), USER, "localhost:5432"))


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
