"""The kept connection against a real PostgreSQL that hangs up, refuses and is slow."""

import time
from collections.abc import Callable
from typing import Any

import pg8000.native
import pytest

from lambda_app.log.breaker import CircuitBreaker
from lambda_app.log.database import DATABASE_ERRORS, Database
from lambda_app.settings import Settings
from local.records import make_record
from tests.records import insert


def read_backend(connection: pg8000.native.Connection) -> int:
    [[pid]] = connection.run("SELECT pg_backend_pid()")
    return int(pid)


@pytest.mark.parametrize(("passed_seconds", "is_kept"), [(4 * 60, True), (350, False), (-60, False)])
def test_connection_is_kept_and_retired_before_the_network_forgets_it(
    passed_seconds: float, is_kept: bool, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = database.run_transaction(read_backend)
    now = time.time()
    monkeypatch.setattr("lambda_app.log.database.time.time", lambda: now + passed_seconds)
    assert (database.run_transaction(read_backend) == backend) == is_kept


def test_connection_in_constant_use_is_retired_after_half_a_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [time.time()]
    monkeypatch.setattr("lambda_app.log.database.time.time", lambda: clock[0])
    backends = []
    for _ in range(13 * 15):
        backends.append(database.run_transaction(read_backend))
        clock[0] += 4 * 60
    assert len(set(backends)) == 2


def test_many_short_waits_do_not_add_up(settings: Settings) -> None:
    database = Database(settings, wait_seconds=2, deadline_seconds=1)
    started = time.monotonic()
    with pytest.raises(DATABASE_ERRORS):
        database.run_transaction(lambda c: [c.run("SELECT pg_sleep(0.3)") for _ in range(30)])
    # Nine seconds, if each wait had its own two.
    assert time.monotonic() - started < 4


def test_hung_up_connection_is_replaced_and_the_record_written(
    database: Database, query: Callable[..., list[Any]]
) -> None:
    backend = database.run_transaction(read_backend)
    query("SELECT pg_terminate_backend(:pid)", pid=backend)
    record = make_record()
    insert(database, record)
    assert query("SELECT count(*) FROM predictions WHERE request_id = :id", id=record.request_id) == [[1]]
    assert database.run_transaction(read_backend) != backend


def test_slow_statement_is_given_up_and_its_late_answer_never_read(settings: Settings) -> None:
    database = Database(settings, wait_seconds=1)
    database.breaker = CircuitBreaker(open_seconds=0)
    with pytest.raises(TimeoutError):
        database.run_transaction(lambda c: c.run("SELECT 'late', pg_sleep(1.9)"))
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
