"""The kept connection against a real PostgreSQL that restarts, hangs up, refuses and falls silent."""

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.errors import RecordError
from lambda_app.features import FEATURE_NAMES
from lambda_app.log.database import DATABASE_ERRORS, Database
from lambda_app.log.migrations import MigrationError, _read_scripts, apply_migrations
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import ping
from lambda_app.log.writer import RecordWriter
from lambda_app.schemas import EXAMPLE_REQUEST
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.ports import find_free_ports
from local.postgres import Postgres
from tests.conftest import connect_database, migrate_database
from tests.events import invoke, load_event


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings)
    yield database
    database.close()


@pytest.fixture
def empty_database(admin_settings: Settings, query: Callable[..., list[Any]]) -> Settings:
    """The superuser's settings of a database that no migration has seen."""
    name = f"empty_{uuid4().hex}"
    query(f"CREATE DATABASE {name}")
    return dataclasses.replace(admin_settings, database_name=name)


@pytest.fixture
def own_postgres(tmp_path: Path, settings: Settings) -> Iterator[tuple[Postgres, Settings]]:
    """A server that the test may break, with the schema in place."""
    [port] = find_free_ports(1)
    with Postgres(tmp_path / "postgres", port) as postgres:
        own = dataclasses.replace(settings, database_port=port)
        migrate_database(postgres, dataclasses.replace(own, database_user=postgres.login.user))
        yield postgres, own


def make_record() -> PredictionRecord:
    return PredictionRecord(
        request_id=uuid4(),
        created_at=datetime.now(UTC),
        features=EXAMPLE_REQUEST,
        prediction=151.0,
        interval_lower=60.5,
        interval_upper=241.25,
        interval_coverage=0.9,
        model_version="v1",
        latency_ms=1.5,
    )


def read_backend(connection: pg8000.native.Connection) -> int:
    [[pid]] = connection.run("SELECT pg_backend_pid()")
    return int(pid)


def test_connection_is_kept(database: Database) -> None:
    assert database.run_transaction(read_backend) == database.run_transaction(read_backend)


def test_hung_up_connection_is_replaced_and_the_record_written(
    database: Database, query: Callable[..., list[Any]]
) -> None:
    backend = database.run_transaction(read_backend)
    query("SELECT pg_terminate_backend(:pid)", pid=backend)
    record = make_record()
    RecordWriter(database).write(record)
    assert query("SELECT count(*) FROM predictions WHERE request_id = :id", id=record.request_id) == [[1]]
    assert database.run_transaction(read_backend) != backend


def test_restarted_server_takes_the_next_record(own_postgres: tuple[Postgres, Settings]) -> None:
    postgres, settings = own_postgres
    database = Database(settings)
    writer = RecordWriter(database)
    writer.write(make_record())
    postgres.kill()
    with pytest.raises(RecordError, match="the database did not take the record"):
        writer.write(make_record())
    postgres.start()
    writer.write(make_record())
    assert database.run_transaction(lambda c: c.run("SELECT count(*) FROM predictions")) == [[2]]
    database.close()


def test_dead_database_refuses_the_answer(
    own_postgres: tuple[Postgres, Settings], wire: Callable[..., LambdaHandler]
) -> None:
    postgres, settings = own_postgres
    api = wire(DATABASE_PORT=str(settings.database_port), DATABASE_PASSWORD=str(settings.database_password))
    assert invoke(api, load_event("predict"))["statusCode"] == 200
    postgres.kill()
    answer = invoke(api, load_event("predict"))
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "2"
    assert answer["body"]["title"] == "The prediction could not be recorded"
    assert answer["body"]["detail"] == "the database did not take the record: ConnectionRefusedError"
    assert "prediction" not in answer["body"]
    postgres.start()
    assert invoke(api, load_event("predict"))["statusCode"] == 200


def test_silent_server_costs_no_more_than_the_timeouts(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(dataclasses.replace(settings, database_port=port), timeout_seconds=0.2)
        started = time.monotonic()
        with pytest.raises(DATABASE_ERRORS):
            database.run_transaction(ping)
        assert time.monotonic() - started < 5  # it would wait for ever; two attempts of 0.2 s are expected


def test_slow_statement_is_given_up_and_its_late_answer_never_read(settings: Settings) -> None:
    database = Database(settings, timeout_seconds=1)
    with pytest.raises(TimeoutError):
        database.run_transaction(lambda c: c.run("SELECT 'late', pg_sleep(3)"))
    assert database.run_transaction(lambda c: c.run("SELECT 'mine'")) == [["mine"]]
    database.close()


def test_refused_statement_is_not_repeated_and_leaves_no_transaction_open(
    database: Database, query: Callable[..., list[Any]]
) -> None:
    attempts = []

    def insert_wrong(connection: pg8000.native.Connection) -> None:
        attempts.append(read_backend(connection))
        connection.run("INSERT INTO predictions (request_id) VALUES (gen_random_uuid())")

    with pytest.raises(pg8000.native.DatabaseError):
        database.run_transaction(insert_wrong)
    assert len(attempts) == 1
    # The server ends the session a moment after it was hung up.
    deadline = time.monotonic() + 5
    while query("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'") != [[0]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_wrong_password_and_plain_server_are_refused(settings: Settings) -> None:
    wrong = dataclasses.replace(settings, database_password="wrong")
    with pytest.raises(RecordError, match="DatabaseError 28P01"):
        RecordWriter(Database(wrong)).write(make_record())
    # The embedded server has no TLS, and verified TLS must not fall back to plain text.
    verified = dataclasses.replace(settings, database_tls="verify")
    with pytest.raises(RecordError, match="InterfaceError"):
        RecordWriter(Database(verified)).write(make_record())


def test_every_statement_stands_in_a_transaction(database: Database) -> None:
    [[started]] = database.run_transaction(lambda c: c.run("SELECT now() < clock_timestamp()"))
    assert started
    record = make_record()

    def write_and_fail(connection: pg8000.native.Connection) -> None:
        connection.run(
            "INSERT INTO predictions SELECT :id, now(), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 'v', 0", id=record.request_id
        )
        raise KeyError("anything")

    with pytest.raises(KeyError):
        database.run_transaction(write_and_fail)
    count = database.run_transaction(
        lambda c: c.run("SELECT count(*) FROM predictions WHERE request_id = :id", id=record.request_id)
    )
    assert count == [[0]]


def test_table_has_a_column_for_each_feature(query: Callable[..., list[Any]]) -> None:
    rows = query("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'predictions'")
    types = dict(rows)
    assert {name: types[name] for name in FEATURE_NAMES} == dict.fromkeys(FEATURE_NAMES, "double precision") | {
        "sex": "smallint"
    }
    assert types["request_id"] == "uuid"


def test_migrations_run_once_however_many_start_at_once(empty_database: Settings) -> None:
    results: list[list[str]] = []

    def migrate() -> None:
        database = Database(empty_database, timeout_seconds=30)
        results.append(database.run_transaction(apply_migrations))
        database.close()

    threads = [threading.Thread(target=migrate) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[:-1] == [[]] * 5
    assert sorted(results)[-1] == list(_read_scripts())


def test_rows_from_before_the_intervals_are_kept_without_one(
    empty_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(empty_database)
    first = dict(list(_read_scripts().items())[:1])
    with monkeypatch.context() as earlier:
        earlier.setattr("lambda_app.log.migrations._read_scripts", lambda: first)
        assert database.run_transaction(apply_migrations) == ["0001_predictions.sql"]
    old, older_code = uuid4(), uuid4()
    insert = (
        f"INSERT INTO predictions (request_id, created_at, {', '.join(FEATURE_NAMES)}, prediction, model_version,"
        " latency_ms) VALUES (:id, now(), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 151, 'v', 0)"
    )
    database.run_transaction(lambda c: c.run(insert, id=old))
    assert database.run_transaction(apply_migrations) == list(_read_scripts())[1:]
    # The function that was deployed before goes on writing until the new one takes its place.
    database.run_transaction(lambda c: c.run(insert, id=older_code))
    record = make_record()
    RecordWriter(database).write(record)
    rows = database.run_transaction(
        lambda c: c.run(
            "SELECT request_id, prediction, interval_lower, interval_upper, interval_coverage FROM predictions"
            " ORDER BY recorded_at"
        )
    )
    assert rows == [
        [old, 151.0, None, None, None],
        [older_code, 151.0, None, None, None],
        [record.request_id, 151.0, 60.5, 241.25, 0.9],
    ]
    database.close()


@pytest.mark.parametrize(
    "change",
    [
        {"interval_lower": 241.5},
        {"interval_coverage": 0.0},
        {"interval_coverage": 1.0},
        {"interval_coverage": float("nan")},
        {"interval_lower": None},
        {"interval_upper": None},
        {"interval_coverage": None},
        {"interval_lower": None, "interval_upper": None},
        {"interval_upper": None, "interval_coverage": None},
    ],
)
def test_what_is_no_interval_is_not_stored(change: dict[str, Any], database: Database) -> None:
    with pytest.raises(RecordError, match="DatabaseError 23514"):
        RecordWriter(database).write(dataclasses.replace(make_record(), **change))


def test_interval_of_no_width_is_stored(database: Database) -> None:
    RecordWriter(database).write(dataclasses.replace(make_record(), interval_lower=241.25))


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE schema_migrations SET sha256 = 'other'", "0001_predictions.sql was changed after"),
        ("INSERT INTO schema_migrations VALUES ('9999_future.sql', 'x')", "the database is ahead.*9999_future.sql"),
    ],
)
def test_migrations_refuse_a_history_that_is_not_theirs(empty_database: Settings, tampering: str, fault: str) -> None:
    database = Database(empty_database)
    database.run_transaction(apply_migrations)
    database.run_transaction(lambda c: c.run(tampering))
    with pytest.raises(MigrationError, match=fault):
        database.run_transaction(apply_migrations)
    database.close()


def test_failed_migration_leaves_nothing(empty_database: Settings) -> None:
    # A table in the way makes the script fail after the history table was made.
    connection = connect_database(empty_database)
    connection.run("CREATE TABLE predictions ()")
    database = Database(empty_database)
    with pytest.raises(pg8000.native.DatabaseError):
        database.run_transaction(apply_migrations)
    assert connection.run("SELECT to_regclass('schema_migrations')") == [[None]]
    connection.close()
