"""Many functions at once through PgBouncer, which gives each transaction whichever server connection is free."""

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.project import API_ROLE
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local import debian
from local.certificates import Certificates
from local.cluster import PASSWORD
from local.ports import find_free_ports
from local.postgres import DATABASE, USER
from tests.events import Context, load_event
from tests.integration.conftest import connect_plainly
from tests.queues import QueuePair
from tests.standins.debian import require_programs

CLIENTS = 50
REQUESTS_EACH = 20
# The console of PgBouncer, and the columns of what it shows there.
CONSOLE = "pgbouncer"


@dataclasses.dataclass(frozen=True)
class Ports:
    pgbouncer: int
    postgres: int


@dataclasses.dataclass
class Peaks:
    """The most that was seen at a time; clients are those of PgBouncer, whether served or waiting."""

    server_connections: int = 0
    clients: int = 0
    waiting_clients: int = 0


@pytest.fixture
def ports(tmp_path: Path, admin_settings: Settings, certificates: Certificates) -> Iterator[Ports]:
    """Debian's servers, with the schema in place."""
    require_programs()
    ports = Ports(*find_free_ports(2))
    with debian.run_postgres(tmp_path / "postgres", ports.postgres, certificates.server):
        with connect_plainly(ports.postgres, database="postgres") as connection:
            connection.run(f"CREATE DATABASE {DATABASE}")
        database = Database(direct_to(ports.postgres, admin_settings))
        database.run_transaction(apply_migrations)
        database.run_transaction(lambda connection: connection.run(f"ALTER ROLE {API_ROLE} PASSWORD '{PASSWORD}'"))
        database.close()
        with debian.run_pgbouncer(
            tmp_path / "pgbouncer",
            ports.pgbouncer,
            ports.postgres,
            certificates.server,
            certificates.ca_path,
            (USER, API_ROLE),
        ):
            yield ports


def direct_to(port: int, settings: Settings) -> Settings:
    return dataclasses.replace(settings, database_host="localhost", database_port=port, database_tls="verify")


@contextlib.contextmanager
def watch(ports: Ports) -> Iterator[Peaks]:
    """Look at both servers again and again; the last look is when the context ends."""
    peaks = Peaks()
    ended = threading.Event()

    def look() -> None:
        with (
            connect_plainly(ports.postgres, database="postgres") as postgres,
            connect_plainly(ports.pgbouncer, database=CONSOLE) as console,
        ):
            while True:
                last = ended.wait(0.05)
                _look_once(postgres, console, peaks)
                if last:
                    return

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield peaks
        finally:
            ended.set()
            looking.result()


def _look_once(postgres: pg8000.native.Connection, console: pg8000.native.Connection, peaks: Peaks) -> None:
    [[count]] = postgres.run("SELECT count(*) FROM pg_stat_activity WHERE datname = :name", name=DATABASE)
    peaks.server_connections = max(peaks.server_connections, count)
    rows = console.run("SHOW POOLS")
    names = [column["name"] for column in console.columns]
    for pool in (dict(zip(names, row, strict=True)) for row in rows):
        if pool["user"] == API_ROLE:
            peaks.clients = max(peaks.clients, pool["cl_active"] + pool["cl_waiting"])
            peaks.waiting_clients = max(peaks.waiting_clients, pool["cl_waiting"])


def send_requests(api: LambdaHandler, start: threading.Barrier) -> list[tuple[int, str | None, UUID]]:
    """Status, place of the record and request id of each answer."""
    # Mangum takes the thread's event loop, and only the main thread has one from the beginning.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    outcomes = []
    try:
        start.wait()
        for number in range(REQUESTS_EACH):
            context = Context()
            event = load_event("predict")
            # Unlike statements by turns: one that were not in a transaction would meet another client's.
            if number % 2:
                event["headers"]["idempotency-key"] = context.aws_request_id
            answer: dict[str, Any] = api(event, context)
            place = answer["headers"].get("x-prediction-record")
            outcomes.append((answer["statusCode"], place, UUID(context.aws_request_id)))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return outcomes


def test_fifty_functions_share_two_server_connections(
    ports: Ports,
    wire: Callable[..., LambdaHandler],
    own_queues: QueuePair,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variables = {"DATABASE_HOST": "localhost", "DATABASE_PORT": str(ports.pgbouncer), "DATABASE_TLS": "verify"}
    functions = [wire(**variables, **own_queues.environment) for _ in range(CLIENTS)]
    start = threading.Barrier(CLIENTS)
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool, watch(ports) as peaks:
        futures = [pool.submit(send_requests, api, start) for api in functions]
        outcomes = [outcome for future in futures for outcome in future.result()]
    seconds = time.monotonic() - began

    with connect_plainly(ports.postgres) as connection:
        rows = [row[0] for row in connection.run("SELECT request_id FROM predictions")]
    failures = [outcome for outcome in outcomes if outcome[:2] != (200, "database")]
    with capsys.disabled():
        print(
            f"\n{len(outcomes)} requests by {peaks.clients} clients over {peaks.server_connections} connections: "
            f"{len(failures)} errors, {len(rows)} rows, {seconds:.1f} s, up to {peaks.waiting_clients} waiting"
        )
    assert failures == []
    assert sorted(rows) == sorted(request_id for _, _, request_id in outcomes)
    assert len(rows) == CLIENTS * REQUESTS_EACH
    # Else this would say nothing of sharing.
    assert peaks.clients == CLIENTS
    assert peaks.waiting_clients > 0
    assert peaks.server_connections == debian.POOL_SIZE


def test_startup_parameter_would_be_refused_as_rds_proxy_refuses_it(ports: Ports) -> None:
    with (
        pytest.raises(pg8000.native.DatabaseError, match="unsupported startup parameter"),
        connect_plainly(ports.pgbouncer, startup_params={"statement_timeout": "1000"}),
    ):
        pass
