"""The rights of the role of maintain on partitions: it can do nothing that would lose a row."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.maintain import partitions
from lambda_app.maintain.tables import PREDICTIONS
from lambda_app.project import API_ROLE, MAINTAIN_ROLE
from lambda_app.settings import Settings
from tests.conftest import connect_database
from tests.functional.maintaining import OLD, TODAY, make_records, name_partition
from tests.records import insert

INSUFFICIENT_PRIVILEGE = "42501"
RAISED = "P0001"
DAYS = [day for n in range(31) if (day := OLD + timedelta(days=n)).month == OLD.month]


@pytest.fixture
def own(admin_settings: Settings, query: Callable[..., list[Any]]) -> Settings:
    """The superuser's settings of a database of the test's own."""
    settings = dataclasses.replace(admin_settings, database_name=f"partitions_{uuid4().hex}")
    query(f"CREATE DATABASE {settings.database_name}")
    with contextlib.closing(Database(settings, wait_seconds=30)) as database:
        database.run_transaction(apply_migrations)
    return settings


@pytest.fixture
def ask(own: Settings) -> Iterator[Callable[..., list[Any]]]:
    """Ask as the superuser."""
    connection = connect_database(own)
    yield connection.run
    connection.close()


@pytest.fixture
def maintain(own: Settings) -> Iterator[Database]:
    with contextlib.closing(Database(dataclasses.replace(own, database_user=MAINTAIN_ROLE))) as database:
        yield database


@pytest.fixture
def month(own: Settings, ask: Callable[..., list[Any]], maintain: Database) -> date:
    """A month that is over, with two rows in its partition, recorded when they were made."""
    with contextlib.closing(Database(own)) as database:
        insert(database, *make_records(OLD, 2))
    ask("UPDATE predictions SET recorded_at = created_at")
    assert maintain.run_transaction(lambda connection: partitions.add_partitions(connection, 0)) == [
        name_partition(OLD)
    ]
    return OLD


def refuse(database: Database, statement: str) -> str:
    """The message with which the database refuses a statement."""
    with pytest.raises(pg8000.native.DatabaseError) as caught:
        database.run_statement(lambda connection: connection.run(statement))
    database.breaker.record_success()
    return str(caught.value.args[0]["M"])


def summarise(ask: Callable[..., list[Any]], day: date) -> tuple[int, list[int]]:
    [[rows, ids]] = ask(
        "SELECT row_count, ids FROM summarise_predictions("
        " CAST(:day AS timestamp) AT TIME ZONE 'UTC', CAST(:day AS timestamp) AT TIME ZONE 'UTC' + '1 day', now())",
        day=day,
    )
    return rows, ids


def verify(ask: Callable[..., list[Any]], maintain: Database, days: list[date]) -> list[bool]:
    [[until]] = ask("SELECT now() - interval '10 minutes'")
    found: list[Any] = []
    for day in days:
        rows, ids = summarise(ask, day)
        found += maintain.run_statement(
            lambda connection, values={"day": day, "until": until, "rows": rows, "ids": ids}: connection.run(  # type: ignore[misc]
                PREDICTIONS.verify, **values
            )
        )
    return [is_same for _, is_same in found]


def test_month_goes_when_each_of_its_days_is_verified(
    month: date, maintain: Database, ask: Callable[..., list[Any]]
) -> None:
    assert verify(ask, maintain, DAYS[:-1]) == [True] * len(DAYS[:-1])
    assert "not verified" in refuse(maintain, f"SELECT detach_month('{month}')")
    verify(ask, maintain, DAYS[-1:])
    maintain.run_transaction(lambda connection: partitions.detach_month(connection, month))
    assert ask("SELECT count(*) FROM predictions") == [[0]]
    assert maintain.run_transaction(partitions.drop_detached) == [name_partition(month)]
    assert maintain.run_transaction(partitions.drop_detached) == []


@pytest.mark.parametrize("wrong", ["rows", "ids"])
def test_day_is_not_verified_by_another_summary(
    wrong: str, month: date, maintain: Database, ask: Callable[..., list[Any]]
) -> None:
    rows, ids = summarise(ask, month)
    assert rows == 2
    given = (rows + 1, ids) if wrong == "rows" else (rows, [ids[0] ^ 1, ids[1]])
    [[until]] = ask("SELECT now() - interval '10 minutes'")
    values = dict(zip(("rows", "ids"), given, strict=True))
    answer = maintain.run_statement(
        lambda connection: connection.run(PREDICTIONS.verify, day=month, until=until, **values)
    )
    assert answer == [[2, False]]
    assert ask("SELECT count(*) FROM verified_days") == [[0]]


def test_rows_that_may_not_be_committed_yet_are_not_verified(month: date, maintain: Database) -> None:
    message = refuse(maintain, f"SELECT verify_day('{month}', now(), 2, '{{0,0}}')")
    assert message.endswith("may not be committed yet")


def test_late_row_keeps_a_verified_month(
    month: date, own: Settings, maintain: Database, ask: Callable[..., list[Any]]
) -> None:
    verify(ask, maintain, DAYS)
    with contextlib.closing(Database(own)) as database:
        insert(database, *make_records(month, 1))
    assert "not verified" in refuse(maintain, f"SELECT detach_month('{month}')")
    assert maintain.run_statement(lambda connection: partitions.list_unverified_days(connection, month)) == [month]


def test_held_month_stays(month: date, maintain: Database, ask: Callable[..., list[Any]]) -> None:
    verify(ask, maintain, DAYS)
    ask(
        "INSERT INTO holds (starts, ends, reason, placed_by)"
        " VALUES (CAST(:month AS date), CAST(:month AS date) + 1, 'a lawsuit', 'a lawyer')",
        month=month,
    )
    assert refuse(maintain, f"SELECT detach_month('{month}')") == f"{name_partition(month)} has rows under a hold"


def test_month_that_is_not_over_stays(maintain: Database) -> None:
    this_month = TODAY.replace(day=1)
    assert refuse(maintain, f"SELECT detach_month('{this_month}')") == f"{name_partition(this_month)} is not over"


def test_row_of_a_month_gone_is_kept(
    month: date, own: Settings, maintain: Database, ask: Callable[..., list[Any]]
) -> None:
    verify(ask, maintain, DAYS)
    maintain.run_transaction(lambda connection: partitions.detach_month(connection, month))
    with contextlib.closing(Database(own)) as database:
        insert(database, *make_records(month, 1))
    assert maintain.run_statement(partitions.count_default_rows) == 1


@pytest.mark.parametrize("call", ["add_partitions(1)", f"detach_month('{OLD}')", "drop_detached()"])
def test_api_calls_none_of_these(call: str, own: Settings) -> None:
    with contextlib.closing(Database(dataclasses.replace(own, database_user=API_ROLE))) as database:
        assert refuse(database, f"SELECT {call}").startswith("permission denied for function")


def test_partition_that_maintain_makes_is_like_the_others(
    month: date, own: Settings, ask: Callable[..., list[Any]]
) -> None:
    def describe(table: str) -> list[Any]:
        return [
            ask(
                # A check that was added later holds for new rows alone, and so for all of a new partition.
                "SELECT conname, replace(pg_get_constraintdef(oid), ' NOT VALID', '')"
                " FROM pg_constraint WHERE conrelid = to_regclass(:t) AND contype = 'c' ORDER BY 1",
                t=table,
            ),
            ask(
                "SELECT regexp_replace(indexdef, 'predictions_[0-9_]+', '', 'g') FROM pg_indexes"
                " WHERE tablename = :t ORDER BY 1",
                t=table,
            ),
            ask("SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(:t)", t=table),
            ask(
                "SELECT attname, attnotnull, atttypid::regtype::text FROM pg_attribute"
                " WHERE attrelid = to_regclass(:t) AND attnum > 0 ORDER BY attnum",
                t=table,
            ),
        ]

    first = name_partition(TODAY.replace(day=1))
    assert describe(name_partition(month)) == describe(first)
