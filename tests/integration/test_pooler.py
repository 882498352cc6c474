"""Many functions at once through PgBouncer, which gives each transaction whichever server connection is free."""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.log.store import insert_predictions
from lambda_app.project import API_ROLE, MAINTAIN_ROLE
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local import debian
from local.certificates import Certificates
from local.cluster import PASSWORD
from local.ports import find_free_ports
from local.postgres import DATABASE, USER
from tests.events import Context, load_event
from tests.functional.maintaining import OLD, make_records, name_partition
from tests.integration.conftest import connect_plainly
from tests.queues import QueuePair
from tests.standins.debian import require_programs

CLIENTS = 50
REQUESTS_EACH = 20
ROLES = (API_ROLE, MAINTAIN_ROLE)


@pytest.fixture
def ports(tmp_path: Path, admin_settings: Settings, certificates: Certificates) -> Iterator[tuple[int, int]]:
    """Those of Debian's PostgreSQL, with the schema in place, and of PgBouncer before it."""
    require_programs()
    postgres, pgbouncer = find_free_ports(2)
    owner = dataclasses.replace(
        admin_settings, database_host="localhost", database_port=postgres, database_tls="verify"
    )
    with debian.run_postgres(tmp_path / "postgres", postgres, certificates.server):
        with connect_plainly(postgres, database="postgres") as connection:
            connection.run(f"CREATE DATABASE {DATABASE}")
        with contextlib.closing(Database(owner)) as database:
            database.run_transaction(apply_migrations)
        with connect_plainly(postgres) as connection:
            for role in ROLES:
                connection.run(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
        directory, certificate, authority = tmp_path / "pgbouncer", certificates.server, certificates.ca_path
        with debian.run_pgbouncer(directory, pgbouncer, postgres, certificate, authority, (USER, *ROLES)):
            yield postgres, pgbouncer


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
            # With and without a transaction by turns: a statement outside its transaction would meet another client's.
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
    ports: tuple[int, int], wire: Callable[..., LambdaHandler], own_queues: QueuePair
) -> None:
    postgres, pgbouncer = ports
    variables = {"DATABASE_HOST": "localhost", "DATABASE_PORT": str(pgbouncer), "DATABASE_TLS": "verify"}
    functions = [wire(**variables, **own_queues.environment) for _ in range(CLIENTS)]
    start = threading.Barrier(CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(send_requests, api, start) for api in functions]
        outcomes = [outcome for future in futures for outcome in future.result()]

    assert [outcome for outcome in outcomes if outcome[:2] != (200, "database")] == []
    with connect_plainly(postgres) as connection:
        rows = [row[0] for row in connection.run("SELECT request_id FROM predictions")]
    assert sorted(rows) == sorted(request_id for _, _, request_id in outcomes)
    assert len(rows) == CLIENTS * REQUESTS_EACH
    # All clients are still connected, over two server connections.
    with connect_plainly(pgbouncer, database="pgbouncer") as console:
        rows = console.run("SHOW POOLS")
        names = [column["name"] for column in console.columns]
    [shared] = [pool for pool in (dict(zip(names, row, strict=True)) for row in rows) if pool["user"] == API_ROLE]
    assert shared["cl_active"] == CLIENTS
    assert shared["sv_active"] + shared["sv_idle"] + shared["sv_used"] == debian.POOL_SIZE


def test_daily_work_comes_through(ports: tuple[int, int], wire: Callable[..., LambdaHandler], bucket: str) -> None:
    postgres, pgbouncer = ports
    with connect_plainly(postgres) as connection:
        insert_predictions(connection, make_records(OLD, 3))
        connection.run("UPDATE predictions SET recorded_at = created_at")
    variables = {"DATABASE_HOST": "localhost", "DATABASE_PORT": str(pgbouncer), "DATABASE_TLS": "verify"}
    maintain = wire("maintain", **variables, RECORDS_BUCKET=bucket, RETENTION_MONTHS="3")
    answer = maintain({}, Context())
    assert (answer["exported_rows"], answer["dropped"]) == (3, [name_partition(OLD)])
