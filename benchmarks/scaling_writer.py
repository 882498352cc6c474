"""Clients that are the service's own code: its Database and its insert_predictions, each in a process of its own."""

import multiprocessing
import os
import time
from typing import Any

from benchmarks.scaling_load import TIMEOUT_SECONDS, Point, make_records, summarise
from benchmarks.scaling_servers import Servers, measure_spent
from lambda_app.log.database import Database
from lambda_app.log.store import insert_predictions
from lambda_app.project import API_ROLE
from lambda_app.settings import Settings
from local.cluster import PASSWORD
from local.ports import LOOPBACK
from local.postgres import DATABASE


def run_python(servers: Servers, *, clients: int, pool: int, batch: int, seconds: float) -> Point:
    """Measure as run_pgbench does, with the service's own code."""
    servers.set_pool(pool)
    os.environ["SSL_CERT_FILE"] = str(servers.ca_path)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(clients + 1)
    results: multiprocessing.Queue[list[tuple[float, float]]] = context.Queue()
    arguments = (servers.pgbouncer_port, batch, seconds, barrier, results)
    processes = [context.Process(target=_write_repeatedly, args=arguments) for _ in range(clients)]
    for process in processes:
        process.start()
    barrier.wait(TIMEOUT_SECONDS)
    spent = measure_spent(servers, seconds)
    log = [entry for _ in processes for entry in results.get(timeout=TIMEOUT_SECONDS)]
    for process in processes:
        process.join()
    ended_at = spent.began_at + seconds
    latencies_ms = [latency for end, latency in log if spent.began_at <= end < ended_at]
    return summarise(spent, latencies_ms, seconds, clients=clients, pool=pool, batch=batch)


def _write_repeatedly(
    port: int, batch: int, seconds: float, barrier: Any, results: "multiprocessing.Queue[list[tuple[float, float]]]"
) -> None:
    database = Database(_make_settings(port))

    def write() -> tuple[float, float]:
        records = make_records(batch, as_batch=batch > 1)
        began = time.perf_counter()
        database.run_statement(lambda connection: insert_predictions(connection, records))
        return time.time(), (time.perf_counter() - began) * 1000

    # Connected before anything counts.
    write()
    barrier.wait()
    # On until nobody measures any more.
    deadline = time.monotonic() + seconds + 1
    log = []
    while time.monotonic() < deadline:
        log.append(write())
    database.close()
    results.put(log)


def _make_settings(port: int) -> Settings:
    return Settings.from_env(
        {
            "DATABASE_HOST": LOOPBACK,
            "DATABASE_PORT": str(port),
            "DATABASE_NAME": DATABASE,
            "DATABASE_USER": API_ROLE,
            "DATABASE_PASSWORD": PASSWORD,
            # Nothing below is used by what writes records to the database.
            **dict.fromkeys(("MODEL_BUCKET", "QUEUE_URL", "DEAD_LETTER_QUEUE_URL"), "none"),
            **dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "none"),
        }
    )
