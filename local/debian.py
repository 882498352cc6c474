"""Debian's PostgreSQL and PgBouncer, which both take TLS alone, as child processes that listen on loopback."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local import cluster
from local.certificates import Certificate
from local.errors import StackError
from local.ports import LOOPBACK
from local.postgres import DATABASE, USER
from local.process import build_environment, read_last_fault, start_process, stop_process

# How many connections PgBouncer has to PostgreSQL.
POOL_SIZE = 2
START_SECONDS = 30


@contextlib.contextmanager
def run_postgres(
    directory: Path, port: int, certificate: Certificate, parameters: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A server that lets in USER with cluster.PASSWORD over TLS alone; its tables are gone with the directory."""
    data = directory / "data"
    data.mkdir(mode=0o700, parents=True)
    cluster.give_away_from_root(data)
    prefix = cluster.build_prefix(data)
    initdb_options = ("--auth=scram-sha-256", "--pwfile=/dev/stdin", "--encoding=UTF8", "--no-locale")
    subprocess.run(
        [*prefix, find_server("initdb"), "-D", data, "-U", USER, *initdb_options],
        cwd=data,
        env=build_environment(),
        input=cluster.PASSWORD,
        check=True,
        capture_output=True,
        text=True,
    )
    (data / "pg_hba.conf").write_text(f"hostssl all all {LOOPBACK}/32 scram-sha-256\n")
    settings = {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": certificate.chain_path,
        "ssl_key_file": _give_key(certificate, data),
        **(parameters or {}),
    }
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    command = [*prefix, find_server("postgres"), "-D", str(data), "-p", str(port), *options]
    with _run(command, data, directory / "postgres.log", "ready to accept connections", signal.SIGINT):
        yield


@contextlib.contextmanager
def run_pgbouncer(
    directory: Path, port: int, postgres_port: int, certificate: Certificate, ca_path: Path, users: Sequence[str]
) -> Iterator[None]:
    """A pooler in transaction mode before DATABASE; it refuses startup parameters that it does not know."""
    directory.mkdir(parents=True)
    (directory / "users.txt").write_text("".join(f'"{user}" "{cluster.PASSWORD}"\n' for user in users))
    settings = {
        "listen_addr": LOOPBACK,
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": directory / "users.txt",
        "admin_users": USER,
        "pool_mode": "transaction",
        "default_pool_size": POOL_SIZE,
        "max_db_connections": POOL_SIZE,
        "max_client_conn": 200,
        "client_tls_sslmode": "require",
        "client_tls_cert_file": certificate.chain_path,
        "client_tls_key_file": _give_key(certificate, directory),
        "server_tls_sslmode": "verify-full",
        "server_tls_ca_file": ca_path,
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    target = f"{DATABASE} = host={LOOPBACK} port={postgres_port} dbname={DATABASE}"
    configuration = directory / "pgbouncer.ini"
    configuration.write_text("\n".join(["[databases]", target, "[pgbouncer]", *lines, ""]))
    cluster.give_away_from_root(directory)
    command = [*cluster.build_prefix(directory), str(_find_pgbouncer()), str(configuration)]
    with _run(command, directory, directory / "pgbouncer.log", "process up", signal.SIGTERM):
        yield


@contextlib.contextmanager
def _run(command: list[str], directory: Path, log_path: Path, ready: str, end: signal.Signals) -> Iterator[None]:
    process = start_process(command, log_path, directory=directory)
    try:
        deadline = time.monotonic() + START_SECONDS
        while ready not in log_path.read_text(errors="replace"):
            if process.poll() is not None:
                raise StackError(f"a server has ended: {read_last_fault(log_path.read_text(errors='replace'))}")
            if time.monotonic() >= deadline:
                raise StackError(f"a server was not ready in {START_SECONDS} s: see {log_path}")
            time.sleep(0.02)
        yield
    finally:
        stop_process(process, ((end, 10.0), (signal.SIGKILL, 5.0)))


def _give_key(certificate: Certificate, directory: Path) -> Path:
    """A copy of the private key that the directory's owner alone may read, as PostgreSQL demands."""
    copy = directory / "server.key"
    shutil.copyfile(certificate.key_path, copy)
    copy.chmod(0o600)
    owner = directory.stat()
    os.chown(copy, owner.st_uid, owner.st_gid)
    return copy


def find_server(program: str) -> str:
    """A program of the newest PostgreSQL that is installed; Debian keeps them off the PATH. Empty if there is none."""
    found = Path("/usr/lib/postgresql").glob(f"[0-9]*/bin/{program}")
    return str(max(found, key=lambda path: int(path.parts[-3]), default=""))


def _find_pgbouncer() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def has_programs() -> bool:
    return bool(find_server("postgres") and find_server("initdb") and _find_pgbouncer())
