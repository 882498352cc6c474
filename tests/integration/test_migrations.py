"""The schema: applied once and in order, true to older rows and older code, and strict about what a row holds."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.migrations import MigrationError, _read_scripts, apply_migrations
from lambda_app.settings import Settings
from local.ports import find_free_ports
from local.postgres import Postgres
from problem.table import TABLE
from tests.conftest import connect_database
from tests.records import insert, make_record


@pytest.fixture
def empty_database(admin_settings: Settings, query: Callable[..., list[Any]]) -> Settings:
    """The superuser's settings of a database that no migration has seen."""
    name = f"empty_{uuid4().hex}"
    query(f"CREATE DATABASE {name}")
    return dataclasses.replace(admin_settings, database_name=name)


def test_table_has_a_column_for_each_feature(query: Callable[..., list[Any]]) -> None:
    rows = query("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'predictions'")
    types = dict(rows)
    assert {name: types[name] for name in TABLE.names} == dict.fromkeys(TABLE.names, "double precision") | {
        "sex": "smallint"
    }
    assert types["request_id"] == "uuid"


def test_migrations_run_once_however_many_start_at_once(empty_database: Settings) -> None:
    results: list[list[str]] = []

    def migrate() -> None:
        database = Database(empty_database, wait_seconds=30)
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
    statement = (
        f"INSERT INTO predictions (request_id, created_at, {', '.join(TABLE.names)}, prediction, model_version,"
        " latency_ms) VALUES (:id, now(), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 151, 'v', 0)"
    )
    database.run_transaction(lambda c: c.run(statement, id=old))
    assert database.run_transaction(apply_migrations) == list(_read_scripts())[1:]
    # The function that was deployed before goes on writing until the new one takes its place.
    database.run_transaction(lambda c: c.run(statement, id=older_code))
    record = make_record()
    insert(database, record)
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
        {"interval_lower": None},
        {"interval_upper": None},
        {"interval_lower": 241.5, "interval_coverage": None},
        {"interval_lower": None, "interval_upper": None},
        {"interval_upper": None, "interval_coverage": None},
        {"interval_lower": None, "interval_coverage": None},
    ],
)
def test_what_is_no_interval_is_not_stored(change: dict[str, Any], database: Database) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match="23514"):
        insert(database, dataclasses.replace(make_record(), **change))


@pytest.mark.parametrize("change", [{"interval_lower": 241.25}, {"interval_coverage": None}])
def test_interval_of_no_width_or_without_a_promise_is_stored(change: dict[str, Any], database: Database) -> None:
    insert(database, dataclasses.replace(make_record(), **change))


def test_master_user_of_rds_who_is_no_superuser_can_migrate(tmp_path: Path, settings: Settings) -> None:
    [port] = find_free_ports(1)
    with Postgres(tmp_path / "postgres", port) as postgres:
        as_superuser = dataclasses.replace(settings, database_port=port, database_user=postgres.login.user)
        with contextlib.closing(connect_database(as_superuser)) as superuser:
            superuser.run("CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD 'local'")
            superuser.run("CREATE DATABASE served OWNER master")
        database = Database(dataclasses.replace(as_superuser, database_user="master", database_name="served"))
        assert database.run_transaction(apply_migrations) == list(_read_scripts())
        assert database.run_transaction(apply_migrations) == []
        database.close()


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
