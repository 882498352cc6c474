"""Debian's PostgreSQL and PgBouncer with the service's schema, and what they spend while they are used."""

import contextlib
import dataclasses
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pg8000.native

from lambda_app.log.migrations import apply_migrations
from lambda_app.project import API_ROLE
from local import debian
from local.certificates import make_certificates
from local.cluster import PASSWORD
from local.ports import LOOPBACK, find_free_ports
from local.postgres import DATABASE, USER

PARAMETERS = {
    # What RDS gives PostgreSQL on db.m7g.large, a quarter of its 8 GB.
    "shared_buffers": "2GB",
    # Checkpoints come by time, as they do where nobody writes gigabytes in a minute.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # The statistics of fsyncs, for what a look at the clock costs.
    "track_wal_io_timing": "on",
}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Servers:
    """The ports of both servers, and the authority that their certificates chain to."""

    postgres_port: int
    pgbouncer_port: int
    ca_path: Path

    def set_pool(self, connections: int) -> None:
        """How many connections PgBouncer has to PostgreSQL; those beyond are closed."""
        with self._connect(self.pgbouncer_port, "pgbouncer") as console:
            for name in ("default_pool_size", "max_db_connections"):
                console.run(f"SET {name} = {connections}")
            # 200 clients and this console.
            console.run("SET max_client_conn = 250")
            console.run("RECONNECT")

    def set_parameter(self, name: str, value: str) -> None:
        """In every session, at once."""
        with self.connect() as connection:
            connection.run(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.run("SELECT pg_reload_conf()")

    def connect(self) -> contextlib.AbstractContextManager[pg8000.native.Connection]:
        """The superuser's, past PgBouncer."""
        return self._connect(self.postgres_port, DATABASE)

    @contextlib.contextmanager
    def _connect(self, port: int, database: str) -> Iterator[pg8000.native.Connection]:
        tls = ssl.create_default_context(cafile=str(self.ca_path))
        connection = pg8000.native.Connection(
            USER, host=LOOPBACK, port=port, password=PASSWORD, database=database, ssl_context=tls
        )
        with contextlib.closing(connection):
            yield connection


@contextlib.contextmanager
def run_servers(directory: Path) -> Iterator[Servers]:
    """Both servers with TLS, the schema in place, in a directory that is on a disk."""
    certificates = make_certificates(directory)
    postgres_port, pgbouncer_port = find_free_ports(2)
    servers = Servers(postgres_port, pgbouncer_port, certificates.ca_path)
    with debian.run_postgres(directory / "postgres", servers.postgres_port, certificates.server, PARAMETERS):
        with servers._connect(servers.postgres_port, "postgres") as connection:
            connection.run(f"CREATE DATABASE {DATABASE}")
        with servers.connect() as connection:
            connection.run("BEGIN")
            apply_migrations(connection)
            connection.run(f"ALTER ROLE {API_ROLE} PASSWORD '{PASSWORD}'")
            connection.run("COMMIT")
        with debian.run_pgbouncer(
            directory / "pgbouncer",
            servers.pgbouncer_port,
            servers.postgres_port,
            certificates.server,
            certificates.ca_path,
            (USER, API_ROLE),
        ):
            yield servers


@dataclasses.dataclass
class Spent:
    """Seconds by the clock, seconds of CPU by who used them, and what PostgreSQL's log was written with."""

    began_at: float = 0.0
    elapsed: float = 0.0
    postgres: float = 0.0
    pgbouncer: float = 0.0
    clients: float = 0.0
    machine: float = 0.0
    wal_syncs: int = 0
    wal_bytes: int = 0


def measure_spent(servers: Servers, seconds: float) -> Spent:
    """The CPU, the WAL and the syncs of the next seconds."""
    before = _read(servers)
    began_at = time.time()
    time.sleep(seconds)
    after = _read(servers)
    spent = {name: after[name] - before[name] for name in after}
    return Spent(began_at, elapsed=spent.pop("clock"), **spent)


def _read(servers: Servers) -> dict[str, Any]:
    with servers.connect() as connection:
        [[syncs, size]] = connection.run("SELECT wal_sync, pg_current_wal_insert_lsn() - '0/0' FROM pg_stat_wal")
    cpu = _read_cpu_of_children()
    servers_cpu = {name: cpu.pop(name, 0.0) for name in ("postgres", "pgbouncer")}
    return {
        "clock": time.monotonic(),
        **servers_cpu,
        "clients": sum(cpu.values()),
        "machine": _read_cpu_of_machine(),
        "wal_syncs": int(syncs),
        "wal_bytes": int(size),
    }


def _read_cpu_of_children() -> dict[str, float]:
    """CPU seconds by program, of our descendants alone; others may run the same programs."""
    parents, names, ticks = {}, {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name stands in brackets and may hold anything.
            head, _, tail = path.read_text().rpartition(")")
        except OSError:
            continue
        fields = tail.split()
        process = int(path.parent.name)
        parents[process], names[process] = int(fields[1]), head.partition("(")[2]
        # Its own time and that of its children that have ended.
        ticks[process] = sum(map(int, fields[11:15]))
    seconds: dict[str, float] = {}
    for process, name in names.items():
        ancestor = parents[process]
        while ancestor and ancestor != os.getpid():
            ancestor = parents.get(ancestor, 0)
        if ancestor:
            seconds[name] = seconds.get(name, 0.0) + ticks[process] / _TICKS
    return seconds


def _read_cpu_of_machine() -> float:
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS
