"""Clients that write what the service writes: pgbench with the service's own statement."""

import contextlib
import dataclasses
import re
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from benchmarks.scaling_servers import Servers, Spent, measure_spent
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import insert_predictions
from lambda_app.project import API_ROLE
from local import debian
from local.cluster import PASSWORD
from local.ports import LOOPBACK
from local.postgres import DATABASE
from local.records import make_record

# As API Gateway names a caller, and as training names a version.
CALLER = "arn:aws:iam::123456789012:role/clinic"
MODEL_VERSION = "20260301T120000Z-0a1b2c3d"
RANDOM_KEY = "gen_random_uuid()"
# UUIDv7: 48 bits of milliseconds before the random ones, and its version. PostgreSQL 18 has a function for it.
TIME_ORDERED_KEY = (
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send("
    "(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid"
)
TIMEOUT_SECONDS = 120
FILL_SECONDS = 600
# In which pgbench writes what it holds back of its log.
FLUSH_SECONDS = 0.7
FEWEST_COMMITS = 100


@dataclasses.dataclass(frozen=True)
class Point:
    """The result of one run of clients. CPU is in milliseconds a commit; `others` is the rest of the machine's."""

    clients: int
    pool: int
    batch: int
    commits_per_second: float
    rows_per_second: float
    p50_ms: float
    p99_ms: float
    postgres_cpu_ms: float
    pgbouncer_cpu_ms: float
    client_cpu_ms: float
    other_cores: float
    commits_per_sync: float
    wal_bytes_per_row: float


class LoadError(Exception):
    """The clients failed, so that there is nothing to report."""


class _Recorder:
    """Stands where a connection would, and keeps the statement and its parameters."""

    statement: str
    parameters: dict[str, str | float | None]
    row_count = 0

    def run(self, statement: str, **parameters: str | float | None) -> None:
        self.statement, self.parameters = statement, parameters


def make_records(count: int, *, as_batch: bool) -> list[PredictionRecord]:
    batch_id = uuid4() if as_batch else None
    created_at = datetime.now(UTC)
    return [
        make_record(
            created_at=created_at,
            caller=CALLER,
            model_version=MODEL_VERSION,
            batch_id=batch_id,
            batch_index=index if as_batch else None,
        )
        for index in range(count)
    ]


def write_script(path: Path, rows: int, *, as_batch: bool, key: str = RANDOM_KEY) -> list[str]:
    """The service's statement for pgbench; returns the options that carry its parameters.

    They are the service's too, but for what differs between transactions: PostgreSQL makes the ids and the time.
    """
    recorder = _Recorder()
    insert_predictions(recorder, make_records(rows, as_batch=as_batch))
    # The time and the id of a batch are those of its transaction, the others each row's own.
    made = {"request_id": key, "created_at": "now()" if as_batch else "clock_timestamp()"}
    if as_batch:
        made["batch_id"] = "(SELECT gen_random_uuid())"
    parameters = recorder.parameters
    # pgbench has no null.
    made |= {name: "NULL" for name, value in parameters.items() if value is None}
    head, separator, rest = recorder.statement.partition(" FROM ")
    for name, expression in made.items():
        # Once among the columns that are inserted, and once among the values or the columns of the rows to insert.
        parts = re.split(rf":?\b{name}\b", head)
        if len(parts) != 3:
            raise LoadError(f"the statement names {name} {len(parts) - 1} times before its FROM")
        head = f"{parts[0]}{name}{parts[1]}{expression}{parts[2]}"
    path.write_text(f"{head}{separator}{rest};\n")
    return [f"--define={name}={value}" for name, value in parameters.items() if name not in made]


def run_pgbench(
    servers: Servers, script: Path, options: Sequence[str], *, clients: int, pool: int, batch: int, seconds: float
) -> Point:
    """Let `clients` run the script through PgBouncer with `pool` connections to PostgreSQL, without it if 0."""
    if pool:
        servers.set_pool(pool)
    prefix = script.with_name("latency")
    # Longer than it is let run: connecting takes seconds, and they count for pgbench.
    command = [*_build_command(servers, script, pool), *options, f"--client={clients}", f"--time={TIMEOUT_SECONDS}"]
    with _start([*command, "--log", f"--log-prefix={prefix}", DATABASE], script.parent) as pgbench:
        # It begins when all its clients are connected, and its log comes in pieces.
        while not any(path.stat().st_size for path in prefix.parent.glob(f"{prefix.name}.*")):
            pgbench.require_running()
            time.sleep(0.05)
        spent = measure_spent(servers, seconds)
        time.sleep(FLUSH_SECONDS)
        pgbench.require_running()
    ended_at = spent.began_at + seconds
    latencies_ms = [latency for end, latency in _take_log(prefix) if spent.began_at <= end < ended_at]
    return summarise(spent, latencies_ms, seconds, clients=clients, pool=pool, batch=batch)


def fill_table(servers: Servers, script: Path, options: Sequence[str], *, transactions: int) -> None:
    """Run the script so often, past PgBouncer, as fast as two clients can."""
    command = [*_build_command(servers, script, 0), *options, "--client=2", f"--transactions={transactions // 2}"]
    with _start([*command, DATABASE], script.parent) as pgbench:
        if pgbench.process.wait(FILL_SECONDS):
            raise LoadError(pgbench.describe_failure())


def _build_command(servers: Servers, script: Path, pool: int) -> list[str]:
    port = servers.pgbouncer_port if pool else servers.postgres_port
    command = [debian.find_server("pgbench"), "--no-vacuum", "--protocol=extended", f"--file={script}"]
    return [*command, f"--host={LOOPBACK}", f"--port={port}", f"--username={API_ROLE}"]


@dataclasses.dataclass(frozen=True)
class _Pgbench:
    process: subprocess.Popen[bytes]
    faults: Path

    def require_running(self) -> None:
        # It goes on without a client that failed, and says so.
        if self.process.poll() is not None or "error" in self.faults.read_text():
            raise LoadError(self.describe_failure())

    def describe_failure(self) -> str:
        return f"pgbench failed: {self.faults.read_text().strip()[-500:]}"


@contextlib.contextmanager
def _start(command: list[str], directory: Path) -> Iterator[_Pgbench]:
    environment = {"PGPASSWORD": PASSWORD, "PGSSLMODE": "require", "LC_ALL": "C"}
    faults = directory / "pgbench.log"
    with (
        faults.open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log) as process,
    ):
        try:
            yield _Pgbench(process, faults)
        finally:
            process.terminate()


def _take_log(prefix: Path) -> list[tuple[float, float]]:
    """The time at which each transaction ended, and its milliseconds; the files are gone afterwards."""
    log = []
    for path in prefix.parent.glob(f"{prefix.name}.*"):
        for line in path.read_text().splitlines():
            fields = line.split()
            # pgbench was ended in the middle of its last line.
            if len(fields) == 6:
                log.append((int(fields[4]) + int(fields[5]) / 1e6, int(fields[2]) / 1000))
        path.unlink()
    return log


def summarise(spent: Spent, latencies_ms: list[float], seconds: float, *, clients: int, pool: int, batch: int) -> Point:
    commits = len(latencies_ms)
    if commits < FEWEST_COMMITS:
        raise LoadError(f"{commits} commits in {seconds:g} s are too few to say anything")
    percentiles = statistics.quantiles(latencies_ms, n=100)
    # What was counted took a moment longer than the seconds in which commits were.
    rate = commits / seconds
    counted = rate * spent.elapsed
    return Point(
        clients=clients,
        pool=pool,
        batch=batch,
        commits_per_second=rate,
        rows_per_second=rate * batch,
        p50_ms=percentiles[49],
        p99_ms=percentiles[98],
        postgres_cpu_ms=spent.postgres / counted * 1000,
        pgbouncer_cpu_ms=spent.pgbouncer / counted * 1000,
        client_cpu_ms=spent.clients / counted * 1000,
        other_cores=(spent.machine - spent.postgres - spent.pgbouncer - spent.clients) / spent.elapsed,
        commits_per_sync=counted / max(spent.wal_syncs, 1),
        wal_bytes_per_row=spent.wal_bytes / (counted * batch),
    )
