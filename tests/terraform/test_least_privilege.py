"""Least privilege with IAM enforced: each role can do its work, needs each action, and reaches no other resource.

Lambda itself uses the permissions for logs, traces and the network; the tests of the Terraform modules state them.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pg8000.native
import pytest

from lambda_app.log.migrations import apply_migrations
from lambda_app.model.bundle import POINTER_KEY, bundle_key, sha256_hex
from lambda_app.telemetry import LambdaHandler
from local.certificates import Certificates, make_certificates
from local.cluster import PASSWORD
from local.ports import find_free_ports
from local.postgres import Postgres
from tests.bundles import DECISION, copy_bundle
from tests.events import invoke, make_event
from tests.functional.candidates import CANDIDATE
from tests.standins.rds_proxy import RdsProxy
from tests.terraform.account import ADMIN, ELSEWHERE, ROLES, Account
from tests.terraform.allowed_calls import ALLOWED_CALLS, DATABASE_USERS, OWNER
from tests.terraform.applied import Applied, list_resources
from tests.terraform.server import serve_aws
from tests.terraform.stage import Stage, refusal_of
from training.provide import serve_bundle
from training.registry import publish_bundle

# The statements of which Lambda itself makes use, and not the functions' code.
USED_BY_LAMBDA = {"WriteLogs", "TraceTelemetryRecords", "TraceTraceSegments"}


@pytest.fixture(scope="module")
def account(
    applied: Applied, destroying: object, tmp_path_factory: pytest.TempPathFactory, bundle: Path
) -> Iterator[Account]:
    """Copy the applied environment, which is destroyed meanwhile, with the trained model promoted; enforce IAM."""
    log_path = tmp_path_factory.mktemp("guarded_aws") / "server.log"
    with serve_aws("tests.terraform.guarded_aws", log_path) as endpoint_url:
        account = Account(endpoint_url, list_resources(applied.state["values"]))
        bucket = account.variables("api")["MODEL_BUCKET"]
        client = account.client(ADMIN, "s3")
        serve_bundle(client, bucket, bundle, DECISION)
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
        for role in ROLES
        for permission in account.permissions(role)
        if permission.sid not in USED_BY_LAMBDA
    }
    assert actions == ALLOWED_CALLS.keys()


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


@pytest.mark.parametrize("key", ["models/object", "models-of-others/object", "reports/history/first.json"])
def test_api_reads_models_alone(key: str, account: Account) -> None:
    own = account.variables("api")["MODEL_BUCKET"]
    bucket = ELSEWHERE if key == "models/object" else own
    account.client(ADMIN, "s3").put_object(Bucket=bucket, Key=key, Body=b"content")
    assert refusal_of(lambda: account.client("api", "s3").get_object(Bucket=bucket, Key=key))


def test_api_reads_a_candidate_beside_the_current_model(stage: Stage, bundle: Path, tmp_path: Path) -> None:
    client, bucket = stage.client(ADMIN, "s3"), stage.account.variables("api")["MODEL_BUCKET"]
    publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, CANDIDATE))
    manifest = client.get_object(Bucket=bucket, Key=bundle_key(CANDIDATE, "manifest.json"))["Body"].read()
    before = client.get_object(Bucket=bucket, Key=POINTER_KEY)["Body"].read()
    named = {"version": CANDIDATE, "manifest_sha256": sha256_hex(manifest)}
    candidate = {**named, "mode": "shadow", "share": 1, "salt": "0123456789abcdef"}
    client.put_object(Bucket=bucket, Key=POINTER_KEY, Body=json.dumps({**json.loads(before), "candidate": candidate}))
    try:
        body = json.loads(invoke(stage.start("api"), make_event("GET", "/model"))["body"])
    finally:
        client.put_object(Bucket=bucket, Key=POINTER_KEY, Body=before)
    assert body["candidate"] == {"model_version": CANDIDATE, "mode": "shadow", "share": 1, "fault": None}


def test_monitor_writes_reports_and_no_model(account: Account) -> None:
    bucket = account.variables("monitor")["MODEL_BUCKET"]
    for key in ("models/current.json", "reports-of-others/first.json"):
        call = account.client("monitor", "s3").put_object
        assert refusal_of(lambda call=call, key=key: call(Bucket=bucket, Key=key, Body=b"content"))  # type: ignore[misc]
    for role in ("api", "replay", "maintain"):
        call = account.client(role, "s3").put_object
        assert refusal_of(lambda call=call: call(Bucket=bucket, Key="reports/performance.json", Body=b"content"))  # type: ignore[misc]


@pytest.mark.parametrize("key", ["athena/result.csv", "predictions-of-others/part.parquet"])
def test_maintain_reads_its_files_alone(key: str, account: Account) -> None:
    bucket = account.variables("maintain")["RECORDS_BUCKET"]
    account.client(ADMIN, "s3").put_object(Bucket=bucket, Key=key, Body=b"content")
    for role in ("api", "replay", "maintain", "monitor"):
        assert refusal_of(lambda role=role: account.client(role, "s3").get_object(Bucket=bucket, Key=key))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("role", "service", "call", "arguments"),
    [
        ("api", "sqs", "send_message", {"MessageBody": "text"}),
        ("replay", "sqs", "receive_message", {}),
        ("maintain", "sqs", "receive_message", {}),
        ("maintain", "secretsmanager", "get_secret_value", {"SecretId": ELSEWHERE}),
        ("monitor", "secretsmanager", "get_secret_value", {"SecretId": ELSEWHERE}),
        ("monitor", "sqs", "receive_message", {}),
        ("migrate", "secretsmanager", "get_secret_value", {"SecretId": ELSEWHERE}),
        ("proxy", "secretsmanager", "get_secret_value", {"SecretId": ELSEWHERE}),
    ],
)
def test_role_is_refused_other_queues_and_secrets(
    role: str, service: str, call: str, arguments: dict[str, str], account: Account
) -> None:
    where = {"QueueUrl": account.queue_url(ELSEWHERE)} if service == "sqs" else {}
    assert refusal_of(lambda: getattr(account.client(role, service), call)(**where, **arguments))
    # Nothing else is wrong with the call.
    assert not refusal_of(lambda: getattr(account.client(ADMIN, service), call)(**where, **arguments))


@pytest.mark.parametrize("user", DATABASE_USERS.values())
@pytest.mark.parametrize("role", ROLES)
def test_database_lets_a_role_in_as_its_own_user_alone(role: str, user: str, account: Account) -> None:
    assert account.may_connect(role, user) == (DATABASE_USERS.get(role) == user)
