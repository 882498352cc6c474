"""The service before a stand-in for RDS Proxy: it trusts only verified servers, logs in by IAM and pins nothing."""

import contextlib
import dataclasses
import datetime
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest

from lambda_app.aws.signature import Identity
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.migrations import _read_scripts
from lambda_app.log.token import make_auth_token
from lambda_app.project import API_ROLE, MAINTAIN_ROLE
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.aws_services import REGION
from local.certificates import Certificates
from local.postgres import USER
from tests.events import Context, invoke, load_event, make_event
from tests.functional.maintaining import OLD, YESTERDAY, create_stage, make_records, name_partition
from tests.queues import QueuePair
from tests.standins.iam import TokenCheck
from tests.standins.pinning import PARSE, QUERY, SYNC, find_offences
from tests.standins.rds_proxy import RdsProxy
from tests.standins.wire import SSL_REQUEST, read_strings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

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


def direct_to(proxy: RdsProxy) -> dict[str, str]:
    """The variables as they are on AWS: verified TLS, and no password."""
    variables = {"DATABASE_HOST": "localhost", "DATABASE_PORT": str(proxy.port), "DATABASE_TLS": "verify"}
    return {**CREDENTIALS, **variables, "DATABASE_PASSWORD": ""}


def read_failure(api: LambdaHandler, capsys: pytest.CaptureFixture[str]) -> str:
    """The answers and the log of a function without its database; fails if they have a secret."""
    answer = invoke(api, load_event("predict"))
    assert (answer["statusCode"], answer["headers"]["x-prediction-record"]) == (200, "queue")
    health = invoke(api, load_event("health"))
    told = capsys.readouterr().out + json.dumps([answer, health])
    for secret in (SECRET_KEY, SESSION_TOKEN, "X-Amz-Signature"):
        assert secret not in told
    return told


@pytest.mark.parametrize("session_token", [SESSION_TOKEN, None])
@pytest.mark.parametrize("user", ["diabetes_api", "some.one+else@example/ü &=%"])
def test_token_is_the_one_that_boto3_makes(
    user: str, session_token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime.datetime(2026, 1, 31, 23, 59, 59, tzinfo=datetime.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    monkeypatch.setattr("lambda_app.aws.signature._format_now", lambda: "20260131T235959Z")
    host = "proxy.proxy-abc.eu-west-1.rds.amazonaws.com"
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, session_token, REGION)
    expected = session.client("rds").generate_db_auth_token(host, 5432, user)
    identity = dataclasses.replace(IDENTITY, session_token=session_token)
    assert make_auth_token(identity, host, 5432, user) == expected


def test_migrations_come_through_the_proxy_too(
    wire: Callable[..., LambdaHandler], proxy: RdsProxy, query: Callable[..., list[object]]
) -> None:
    name = f"empty_{uuid4().hex}"
    query(f"CREATE DATABASE {name}")
    answer = wire("migrate", DATABASE_NAME=name, **direct_to(proxy))({}, Context())
    assert answer == {"applied": list(_read_scripts())}
    [login] = proxy.logins
    assert login.parameters["user"] == USER
    assert proxy.plain_text == SSL_REQUEST


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ("other_ca", "SSLCertVerificationError"),
        ("wrong_name", "SSLCertVerificationError"),
        ("expired", "SSLCertVerificationError"),
        (None, "InterfaceError"),
    ],
)
def test_server_that_cannot_prove_its_name_gets_nothing(
    certificate: str | None,
    reason: str,
    wire: Callable[..., LambdaHandler],
    own_queues: QueuePair,
    settings: Settings,
    certificates: Certificates,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = getattr(certificates, certificate) if certificate else None
    with RdsProxy(upstream_port=settings.database_port, certificate=shown) as proxy:
        api = wire(**direct_to(proxy), **own_queues.environment)
        assert f'"reason":"{reason}"' in read_failure(api, capsys)
    assert proxy.logins == []
    assert proxy.plain_text.replace(SSL_REQUEST, b"") == b""


def test_refused_token_leaves_the_record_in_the_queue_and_no_secret_in_a_log(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, proxy: RdsProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proxy.token_check
    proxy.token_check.clock_offset_seconds = 901
    told = read_failure(wire(**direct_to(proxy), **own_queues.environment), capsys)
    assert "DatabaseError 28000" in told
    assert {login.fault for login in proxy.logins} == {"it has expired"}
    for login in proxy.logins:
        assert login.password
        assert login.password.rpartition("=")[2] not in told


def test_connection_outlives_its_token_and_the_next_one_has_its_own(
    wire: Callable[..., LambdaHandler], proxy: RdsProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = wire(**direct_to(proxy))

    def predict() -> None:
        assert invoke(api, load_event("predict"))["headers"]["x-prediction-record"] == "database"

    predict()
    # Sixteen minutes pass, on both sides.
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=960)
    monkeypatch.setattr("lambda_app.aws.signature._format_now", lambda: f"{later:%Y%m%dT%H%M%SZ}")
    assert proxy.token_check
    proxy.token_check.clock_offset_seconds = 960
    predict()
    [first] = proxy.logins
    assert first.password
    assert proxy.token_check.find_fault(first.password, API_ROLE, proxy.address) == "it has expired"
    proxy.drop_connections()
    predict()
    assert len(proxy.logins) == 2


def test_function_sends_nothing_that_would_pin_its_connection(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, proxy: RdsProxy
) -> None:
    api = wire(**direct_to(proxy))
    batch = json.dumps({"patients": [EXAMPLE_REQUEST] * 3})
    key = f"key-{uuid4()}"
    events = [
        *[load_event("predict")] * 3,
        make_event("POST", "/predict/batch", batch, content_type="application/json"),
        *[make_event("POST", "/predict", json.dumps(EXAMPLE_REQUEST), idempotency_key=key)] * 2,
        make_event("GET", f"/predictions/{uuid4()}"),
        load_event("health"),
    ]
    answers = [invoke(api, event) for event in events]
    assert [answer["statusCode"] for answer in answers] == [200, 200, 200, 200, 200, 200, 404, 200]
    assert [answer["headers"].get("x-prediction-record") for answer in answers[:6]] == ["database"] * 6
    assert find_offences(proxy.logins, proxy.frames) == []
    # The messages that were checked are those of all requests, over one connection.
    statements = [read_strings(frame.payload, 1)[0] for frame in proxy.frames if frame.kind == QUERY]
    # The batch and the two with a key are transactions; every other request takes a single round trip.
    assert statements == [*["BEGIN", "COMMIT"] * 3, "SELECT EXISTS (SELECT FROM predictions_default)"]
    kinds = [frame.kind for frame in proxy.frames]
    assert kinds.count(PARSE) == kinds.count(SYNC) >= len(events) - 1
    [login] = proxy.logins
    assert login.parameters["user"] == API_ROLE
    assert proxy.plain_text == SSL_REQUEST


def test_daily_work_pins_nothing_either(
    admin_settings: Settings, client: "S3Client", bucket: str, wire: Callable[..., LambdaHandler], proxy: RdsProxy
) -> None:
    with contextlib.closing(create_stage(admin_settings, client, bucket, wire)) as stage:
        stage.insert([*make_records(OLD, 3), *make_records(YESTERDAY, 2)])
        answer = stage.run(**direct_to(proxy))
        assert (answer["exported_rows"], answer["dropped"]) == (5, [name_partition(OLD)])
        assert find_offences(proxy.logins, proxy.frames) == []
        assert {login.parameters["user"] for login in proxy.logins} == {MAINTAIN_ROLE}


def test_tasks_of_the_command_line_pin_nothing_either(
    admin_settings: Settings,
    client: "S3Client",
    bucket: str,
    own_queues: QueuePair,
    wire: Callable[..., LambdaHandler],
    proxy: RdsProxy,
) -> None:
    with contextlib.closing(create_stage(admin_settings, client, bucket, wire)) as stage:
        stage.insert(make_records(YESTERDAY, 2, subject="ada"))
        maintain = stage.wire(**direct_to(proxy), **own_queues.environment)
        asked = {"subject": "ada", "reason": "a letter", "by": "bo"}
        events: list[dict[str, Any]] = [
            {"task": "hold_add", **asked},
            {"task": "hold_remove", "hold": 1, **asked},
            *({"task": task, **asked} for task in ("hold_list", "daily", "show", "status", "erase")),
        ]
        for event in events:
            answer = maintain(event, Context())
            assert "error" not in answer
        assert answer["erased"] == {
            "predictions": 2,
            "outcomes": 0,
            "idempotency_keys": 0,
            "messages": 0,
            "exported_rows": 2,
        }
        assert find_offences(proxy.logins, proxy.frames) == []
