"""The schema: applied once, with a partition for each month, and strict about what a row holds."""

import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.migrations import MigrationError, _read_scripts, apply_migrations
from lambda_app.settings import Settings
from lambda_app.table import Kind
from local.ports import find_free_ports
from local.postgres import Postgres
from local.records import make_record
from problem.table import TABLE
from tests.conftest import connect_database
from tests.records import insert

# Within the months that a migration of today makes.
NEXT_YEAR = datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)


@pytest.fixture
def empty_database(admin_settings: Settings, query: Callable[..., list[Any]]) -> Settings:
    """The superuser's settings of a database that no migration has seen."""
    name = f"empty_{uuid4().hex}"
    query(f"CREATE DATABASE {name}")
    return dataclasses.replace(admin_settings, database_name=name)


def test_table_has_a_column_for_each_feature(query: Callable[..., list[Any]]) -> None:
    rows = query(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = CAST('predictions' AS regclass) AND attnum > 0"
    )
    columns = {name: rest for name, *rest in rows}
    types = {Kind.REAL: "double precision", Kind.INTEGER: "bigint", Kind.CHOICES: "smallint"}
    for feature in TABLE.features:
        kind, is_required, comment = columns[feature.name]
        assert (kind, is_required) == (types[feature.kind], True)
        assert comment.startswith(feature.meaning)
        assert feature.kind is Kind.CHOICES or feature.unit in comment
    target = TABLE.target
    assert columns["prediction"] == ["double precision", True, f"{target.meaning} ({target.unit})"]


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
        ("UPDATE schema_migrations SET sha256 = 'other'", "0001_baseline.sql was changed after"),
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


def test_each_month_from_now_on_has_its_partition(empty_database: Settings) -> None:
    database = Database(empty_database)
    database.run_transaction(apply_migrations)
    rows = database.run_transaction(
        lambda c: c.run(
            "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition AND relkind = 'r'"
        )
    )
    assert rows
    bounds = dict(rows)
    assert bounds.pop("predictions_default") == "DEFAULT"
    [[now]] = database.run_transaction(lambda c: c.run("SELECT now()"))
    first = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1
    starts = [f"{month // 12}-{month % 12 + 1:02}" for month in range(first, first + 25)]
    assert bounds == {
        f"predictions_{start.replace('-', '_')}": (
            f"FOR VALUES FROM ('{start}-01 00:00:00+00') TO ('{end}-01 00:00:00+00')"
        )
        for start, end in itertools.pairwise(starts)
    }
    database.close()


@pytest.mark.parametrize(
    ("created_at", "partition"),
    [
        (NEXT_YEAR - timedelta(microseconds=1), f"predictions_{NEXT_YEAR.year - 1}_12"),
        (NEXT_YEAR, f"predictions_{NEXT_YEAR.year}_01"),
        (datetime(2020, 2, 1, tzinfo=UTC), "predictions_default"),
        (datetime(2120, 2, 1, tzinfo=UTC), "predictions_default"),
    ],
)
def test_row_is_in_the_partition_of_its_month(
    created_at: datetime, partition: str, database: Database, query: Callable[..., list[Any]]
) -> None:
    record = make_record(created_at=created_at)
    insert(database, record)
    rows = query("SELECT tableoid::regclass::text FROM predictions WHERE request_id = :id", id=record.request_id)
    assert rows == [[partition]]
