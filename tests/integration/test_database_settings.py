"""Unusual settings of the server, the database and the roles: every value is read back as it was written."""

import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.message import encode_messages
from lambda_app.log.migrations import apply_migrations
from lambda_app.log.record import IdempotencyKey, OutcomeRecord, PredictionRecord
from lambda_app.log.store import KeyUse, claim_key, find_prediction, find_request
from lambda_app.project import API_ROLE, REPLAY_ROLE
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.postgres import USER, Postgres
from local.records import make_record
from problem.table import TABLE
from tests.conftest import connect_database
from tests.functional.test_replay import find_failures, make_event
from tests.queues import QueuePair, count_messages
from tests.records import insert

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

DATABASE = "unusual"
# Of how values are read and written, and of what else our promises rest on; by the level that has them.
UNUSUAL = {
    # The time zone of this server is on its command line.
    "server": {
        "DateStyle": "SQL, DMY",
        "IntervalStyle": "sql_standard",
        "extra_float_digits": "0",
        "bytea_output": "escape",
        "client_encoding": "LATIN1",
        "default_transaction_isolation": "serializable",
    },
    "database": {
        "DateStyle": "German, DMY",
        "IntervalStyle": "iso_8601",
        "TimeZone": "Asia/Kathmandu",
        "extra_float_digits": "-15",
        "bytea_output": "escape",
        "client_encoding": "SQL_ASCII",
        "default_transaction_isolation": "repeatable read",
        "synchronous_commit": "off",
        "array_nulls": "off",
        "quote_all_identifiers": "on",
        "standard_conforming_strings": "off",
        "transform_null_equals": "on",
    },
    "role": {
        "DateStyle": "Postgres, DMY",
        "IntervalStyle": "postgres_verbose",
        "TimeZone": "America/St_Johns",
        "extra_float_digits": "-7",
        "client_encoding": "BIG5",
        "synchronous_commit": "local",
    },
}
# Day and month could be taken for each other, and no float but the first is written in 15 digits.
RECORD = make_record(
    created_at=datetime.datetime(2026, 7, 5, 1, 2, 3, 45, tzinfo=datetime.UTC),
    features=dict(
        zip(TABLE.names, [59.0, 2.0, 0.1 + 0.2, 1 / 3, 5e-324, 1e23, 2**53 - 1.0, 1e-300, 4.1, 87.0], strict=True)
    ),
    prediction=151.00000000000003,
    interval_lower=-1.7976931348623157e308,
    interval_upper=1.7976931348623157e308,
    interval_coverage=0.8999999999999999,
    model_version="Zoë \\ '東京'",
    latency_ms=1.2345678901234567,
    caller="Zoë \\x 'Łódź' 🫀",
    warnings=[{"field": "bmi", "message": 'ist "außerhalb" von ≥ 1 \\ µ'}],
)


@pytest.fixture(params=UNUSUAL)
def unusual_settings(request: pytest.FixtureRequest, own_postgres: tuple[Postgres, Settings]) -> Settings:
    """The api's settings for a database that had these settings before it was migrated."""
    postgres, settings = own_postgres
    unusual = UNUSUAL[request.param]
    roles = [f"ROLE {role}" for role in (USER, API_ROLE, REPLAY_ROLE)]
    targets = {"server": ["SYSTEM"], "database": [f"DATABASE {DATABASE}"], "role": roles}
    with contextlib.closing(connect_database(settings)) as superuser:
        superuser.run(f"CREATE DATABASE {DATABASE}")
        for target in targets[request.param]:
            for name, value in unusual.items():
                superuser.run(f"ALTER {target} SET {name} = '{value}'")
    postgres.stop()
    postgres.start()
    own = dataclasses.replace(settings, database_name=DATABASE)
    owner = Database(dataclasses.replace(own, database_user=USER))
    # Nothing of the owner's is pinned.
    assert {name: _show(owner, name) for name in unusual} == unusual
    owner.run_transaction(apply_migrations)
    owner.close()
    return own


def _show(database: Database, name: str) -> str:
    [[value]] = database.run_statement(lambda connection: connection.run(f"SHOW {name}"))
    return str(value)


def test_every_record_is_read_back_as_it_was_written(
    unusual_settings: Settings, wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient"
) -> None:
    database = Database(unusual_settings)
    batch_id = uuid4()
    batch = [
        dataclasses.replace(RECORD, request_id=uuid4(), batch_id=batch_id, batch_index=index) for index in range(3)
    ]
    queued = dataclasses.replace(RECORD, request_id=uuid4())
    insert(database, RECORD)
    insert(database, *batch)
    variables = {"DATABASE_PORT": str(unusual_settings.database_port), "DATABASE_NAME": DATABASE}
    replay = wire("replay", **variables, **own_queues.environment)
    # Those that are there are known again.
    for records in ([queued], [queued], [RECORD], batch):
        assert find_failures(replay, make_event(*encode_messages(records))) == []
    assert count_messages(sqs, own_queues.dead_letter_url) == 0

    def read(connection: pg8000.native.Connection) -> list[tuple[PredictionRecord, OutcomeRecord | None] | None]:
        return [find_prediction(connection, one.request_id, RECORD.caller) for one in (RECORD, *batch, queued)]

    assert database.run_transaction(read) == [(record, None) for record in (RECORD, *batch, queued)]
    assert database.run_statement(lambda connection: find_request(connection, batch_id, RECORD.created_at)) == batch
    key = IdempotencyKey(RECORD.caller, "key-東", bytes(range(256)), uuid4())
    assert database.run_transaction(lambda connection: claim_key(connection, key)) is None
    used = database.run_transaction(lambda connection: claim_key(connection, key))
    assert used
    assert used == KeyUse(key.fingerprint, key.request_id, used.used_at)
    database.close()
    for user in (API_ROLE, REPLAY_ROLE):
        with contextlib.closing(Database(dataclasses.replace(unusual_settings, database_user=user))) as database:
            # A commit is on the disk before it is answered, and who waited for another's key sees it.
            assert _show(database, "synchronous_commit") == "on"
            assert _show(database, "default_transaction_isolation") == "read committed"
