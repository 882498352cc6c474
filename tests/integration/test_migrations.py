"""The schema: applied once, with a partition for each month, and strict about what a row holds."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.migrations import MigrationError, _read_scripts, apply_migrations
from lambda_app.log.record import Shadow
from lambda_app.log.store import find_unstored
from lambda_app.settings import Settings
from lambda_app.table import RECORD_NAMES, SQL_WORDS
from local.records import make_record
from problem.table import TABLE
from tests.records import insert

# Within the months that a migration of today makes.
NEXT_YEAR = datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)


@pytest.fixture
def empty_database(admin_settings: Settings, query: Callable[..., list[Any]]) -> Settings:
    """The superuser's settings of a database that no migration has seen."""
    name = f"empty_{uuid4().hex}"
    query(f"CREATE DATABASE {name}")
    return dataclasses.replace(admin_settings, database_name=name)


def test_migrations_run_once_however_many_start_at_once(empty_database: Settings) -> None:
    def migrate(_: int) -> list[str]:
        with contextlib.closing(Database(empty_database, wait_seconds=30)) as database:
            return database.run_transaction(apply_migrations)

    with ThreadPoolExecutor(6) as pool:
        results = sorted(pool.map(migrate, range(6)))
    assert results == [[]] * 5 + [list(_read_scripts())]


def test_requests_that_were_erased_before_are_told_from_those_of_open_erasures(
    empty_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old tombstone does not say whose it is. Only that of an open erasure yields to a hold."""
    erased, opened = make_record(caller="a"), make_record(caller="a")
    scripts = _read_scripts()
    with contextlib.closing(Database(empty_database, wait_seconds=30)) as database:
        with monkeypatch.context() as context:
            older = {name: text for name, text in scripts.items() if name < "0003"}
            context.setattr("lambda_app.log.migrations._read_scripts", lambda: older)
            database.run_transaction(apply_migrations)

        def run(statement: str, **values: Any) -> list[Any]:
            return database.run_statement(lambda connection: connection.run(statement, **values)) or []

        for record in (erased, opened):
            run("SELECT open_erasure(NULL, :id, 'why', 'who')", id=record.request_id)
        run("UPDATE erasures SET request_id = NULL, completed_at = now() WHERE id = 1")
        database.run_transaction(apply_migrations)
        assert run("INSERT INTO holds (caller, reason, placed_by) VALUES ('a', 'why', 'who') RETURNING id") == [[1]]
        insert(database, erased, opened)
        assert run("SELECT request_id FROM predictions") == [[opened.request_id]]


SHADOW = Shadow("v2", 0.1 + 0.2, -0.1, 1e300, None, 0.1)


def test_rows_from_before_the_shadows_stay_and_move_to_their_month(
    empty_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime(NEXT_YEAR.year + 4, 5, 6, tzinfo=UTC)
    old, stray = make_record(), make_record(created_at=later)
    scripts = _read_scripts()
    with contextlib.closing(Database(empty_database, wait_seconds=30)) as database:
        with monkeypatch.context() as context:
            older = {name: text for name, text in scripts.items() if name < "0004"}
            context.setattr("lambda_app.log.migrations._read_scripts", lambda: older)
            database.run_transaction(apply_migrations)
        insert(database, old)
        insert(database, stray)
        assert database.run_transaction(apply_migrations) == ["0004_shadow.sql"]
        [[made]] = database.run_statement(lambda c: c.run("SELECT add_partitions(1)")) or []
        assert made == f"predictions_{later.year}_05"
        new, late = make_record(shadow=SHADOW), make_record(created_at=later, shadow=SHADOW)
        insert(database, new, old)
        insert(database, late)
        names = ", ".join(f"shadow_{name}" for name in vars(SHADOW))
        rows = database.run_statement(
            lambda c: c.run(f"SELECT CAST(request_id AS text), tableoid::regclass::text, {names} FROM predictions")
        )
        stored = {record_id: (table, values) for record_id, table, *values in rows or []}
        nothing, everything = [None] * 6, pytest.approx([*vars(SHADOW).values()])
        assert {record_id: values for record_id, (_, values) in stored.items()} == {
            **{str(record.request_id): nothing for record in (old, stray)},
            **{str(record.request_id): everything for record in (new, late)},
        }
        assert {stored[str(record.request_id)][0] for record in (stray, late)} == {made}
        # What replay asks of a message that comes twice.
        other = dataclasses.replace(new, shadow=dataclasses.replace(SHADOW, prediction=0.5))
        assert database.run_statement(lambda c: find_unstored(c, [old, new, late, other])) == [other]


@pytest.mark.parametrize("missing", ["version", "prediction", "lower", "upper", "ms"])
def test_part_of_a_shadow_is_not_stored(missing: str, database: Database) -> None:
    values: dict[str, Any] = {**vars(SHADOW), missing: None}
    with pytest.raises(pg8000.native.DatabaseError, match="23514"):
        insert(database, make_record(shadow=Shadow(**values)))


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
        insert(database, make_record(**change))


@pytest.mark.parametrize("change", [{"interval_lower": 241.25}, {"interval_coverage": None}])
def test_interval_of_no_width_or_without_a_promise_is_stored(change: dict[str, Any], database: Database) -> None:
    insert(database, make_record(**change))


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
    # GET /health would tell of it.
    query("DELETE FROM predictions WHERE request_id = :id", id=record.request_id)
    assert rows == [[partition]]


def test_words_that_are_refused_are_those_that_postgresql_reserves(query: Callable[..., list[Any]]) -> None:
    # R and T: reserved, and reserved but for functions and types.
    reserved = query("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')")
    assert {word for [word] in reserved} == SQL_WORDS


def test_every_column_beside_the_features_is_reserved(query: Callable[..., list[Any]]) -> None:
    columns = query("SELECT column_name FROM information_schema.columns WHERE table_name = 'predictions'")
    assert {name for [name] in columns} - set(TABLE.names) <= RECORD_NAMES
