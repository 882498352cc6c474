"""What Debian has for the tests: PostgreSQL and PgBouncer, both with TLS alone, as child processes on loopback, and
Chromium, which playwright drives.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from local import cluster
from local.ports import LOOPBACK
from local.postgres import DATABASE, USER
from local.process import build_environment, start_process, stop_process
from tests.machine import require
from tests.standins.certificates import Certificate

SERVERS = ("postgresql", "pgbouncer")
# Without a font the browser draws no letter.
BROWSER = ("chromium", "fonts-dejavu-core")
# How many connections PgBouncer has to PostgreSQL.
POOL_SIZE = 2
START_SECONDS = 30
INSTALL_SECONDS = 300
POLICY = Path("/usr/sbin/policy-rc.d")


def require_programs() -> None:
    """Skip the test where the two servers are missing."""
    _require_packages(has_programs, SERVERS)


def require_browser() -> str:
    """The path of Chromium; skip the test where it is missing."""
    _require_packages(_find_browser, BROWSER)
    return _find_browser()


def _require_packages(find: Callable[[], object], packages: Sequence[str]) -> None:
    """With REQUIRE_ALL=1 install them first, for which we must be root."""
    if not find() and os.environ.get("REQUIRE_ALL") == "1" and shutil.which("apt-get"):
        _install(packages)
    require(find(), f"Debian's {' and '.join(packages)} (apt-get install {' '.join(packages)})")


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
            ended = process.poll() is not None
            assert not ended, log_path.read_text(errors="replace")
            assert time.monotonic() < deadline, f"{command[-1]} was not ready in {START_SECONDS} s"
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


def _find_browser() -> str:
    return shutil.which("chromium") or ""


def has_programs() -> bool:
    return bool(find_server("postgres") and find_server("initdb") and _find_pgbouncer())


def _install(packages: Sequence[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _without_services():
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments]
            result = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
            )
            assert result.returncode == 0, result.stdout[-1000:] + result.stderr[-1000:]


@contextlib.contextmanager
def _without_services() -> Iterator[None]:
    """Debian's packages start their services as they are installed, unless the machine's policy forbids it."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
