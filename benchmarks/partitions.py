"""Measures lookup and insert in 60 partitions against 2: python -m benchmarks.partitions, about a minute.

Both tables have the same rows, evenly over their months, in one embedded PostgreSQL. They take turns, so that other
work on the machine affects both equally.
"""

import dataclasses
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import pg8000.native

from benchmarks.large_table import fill_table
from benchmarks.machine import describe_machine
from lambda_app.log.connection import Connection
from lambda_app.log.migrations import apply_migrations
from lambda_app.log.store import find_prediction, insert_predictions
from local.errors import StackError
from local.ports import find_free_ports
from local.postgres import Postgres
from local.records import make_record
from training.options import make_app, report_errors

BUILD = Path("build")
PARTITIONS = (2, 60)
ROWS = 300_000
ROUNDS, BLOCK = 40, 50

app = make_app()


@dataclasses.dataclass(frozen=True)
class Table:
    """A database whose table has so many partitions, and ids in it."""

    partitions: int
    connection: Connection
    ids: list[UUID]

    def look_up(self) -> None:
        if find_prediction(self.connection, random.choice(self.ids), None) is None:
            raise StackError("a row is missing")

    def insert(self) -> None:
        if insert_predictions(self.connection, [make_record()]) != 1:
            raise StackError("a row was not inserted")


@contextmanager
def open_table(postgres: Postgres, partitions: int) -> Iterator[Table]:
    """Make a database with rows in so many partitions, from this month on."""
    login = postgres.login
    name = f"partitions_{partitions}"
    with closing(_connect(postgres, login.database)) as connection:
        connection.run(f"CREATE DATABASE {name}")
    with closing(_connect(postgres, name)) as connection:
        connection.run("BEGIN")
        apply_migrations(connection)
        connection.run("COMMIT")
        for [table] in connection.run(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = 'predictions'::regclass AND relname ~ '[0-9]' ORDER BY 1 OFFSET 2"
        ):
            connection.run(f"DROP TABLE {pg8000.native.identifier(table)}")
        connection.run("SELECT add_partitions(:ahead)", ahead=partitions - 1)
        month = "date_trunc('month', now(), 'UTC')"
        fill_table(connection, ROWS, month, f"{month} + interval '{partitions} months'")
        ids = [id_ for [id_] in connection.run("SELECT request_id FROM predictions TABLESAMPLE bernoulli (2)")]
        connection.run("UPDATE predictions SET caller = NULL WHERE request_id = ANY (:ids)", ids=ids)
        yield Table(partitions, connection, ids)


def _connect(postgres: Postgres, database: str) -> Connection:
    login = postgres.login
    return Connection(login.user, host=login.host, port=login.port, password=login.password, database=database)


def measure(tables: list[Table]) -> dict[str, dict[int, float]]:
    """The median milliseconds of each work, by the number of partitions."""
    works: dict[str, Callable[[Table], None]] = {"lookup": Table.look_up, "insert": Table.insert}
    times: dict[str, dict[int, list[float]]] = {work: {table.partitions: [] for table in tables} for work in works}
    for _ in range(ROUNDS):
        for work, run in works.items():
            for table in tables:
                for n in range(BLOCK):
                    began = time.perf_counter()
                    run(table)
                    # The first of a block brings back what the other table displaced.
                    if n:
                        times[work][table.partitions].append((time.perf_counter() - began) * 1000)
    return {
        work: {count: statistics.median(spent) for count, spent in by_count.items()} for work, by_count in times.items()
    }


@app.command(epilog="Writes build/partitions.json.")
def main() -> None:
    """Measure lookup by id and insert in a table of 60 partitions, and in one of 2."""
    BUILD.mkdir(exist_ok=True)
    # Beside us, not in /tmp, which may be in memory.
    with report_errors(StackError), tempfile.TemporaryDirectory(prefix="partitions-", dir=BUILD.resolve()) as name:
        machine = describe_machine()
        [port] = find_free_ports(1)
        few, many = PARTITIONS
        with (
            Postgres(Path(name) / "postgres", port) as postgres,
            open_table(postgres, few) as small,
            open_table(postgres, many) as large,
        ):
            medians = measure([small, large])
    for work, spent in medians.items():
        ratio = spent[many] / spent[few]
        print(f"{work}: {spent[few]:.2f} ms in {few} partitions, {spent[many]:.2f} ms in {many}, {ratio:.2f} times")
    (BUILD / "partitions.json").write_text(json.dumps({"machine": machine, "medians_ms": medians}, indent=1))


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.partitions")
