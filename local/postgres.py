"""The embedded PostgreSQL: a child process with one database, whose data survive its being killed."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, PREFIX, READER_ROLE, REPLAY_ROLE
from local import cluster
from local.errors import StackError
from local.ports import LOOPBACK, describe_port_problem, make_port_error
from local.process import read_last_fault, start_process, stop_process

DATABASE = PREFIX
USER = "postgres"
# Recovery after a crash included; a server that ends is noticed at once.
START_SECONDS = 30
# Fast shutdown, which ends the sessions; immediate shutdown, which leaves recovery to the next start; the end.
STOP_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
# What to do about a fault, by what it says; the first that fits.
ADVICE = {
    r"^setpriv: ": "run this as another user than root",
    r"shared memory|semaphore|Cannot allocate memory": "give it more memory",
    r"shared libraries": "install that library",
    r"Permission denied|Operation not permitted": "let the user who runs this own it",
    r"Read-only file system": "use a disk that can be written",
    r"No space left|quota exceeded": "make room on that disk",
    r"": "move that directory away to begin with an empty one",
}


@dataclass(frozen=True)
class DatabaseLogin:
    """The parameters of a client's connection."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str


class Postgres:
    """A server on `port` whose data live in `directory`, and whose log of this start lies beside it."""

    def __init__(self, directory: Path, port: int, host: str = LOOPBACK) -> None:
        self.host = host
        self.directory = directory.resolve()
        self.port = port
        self.log_path = self.directory.with_name(f"{self.directory.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def login(self) -> DatabaseLogin:
        """The superuser's."""
        return DatabaseLogin(self.host, self.port, USER, cluster.PASSWORD, DATABASE)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def claim(self) -> None:
        """Take the directory for this process, and stop a server that a killed run has left on it."""
        if self._lock:
            return
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            self._lock = cluster.hold_directory(self.directory)
            cluster.end_orphan(self.directory)
        except OSError as error:
            raise self._explain(describe_os_error(error)) from error

    def start(self) -> None:
        """Return when the database answers."""
        try:
            self.claim()
            self._prepare_directory()
            self._launch_until_ready()
            self._create_database()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError | subprocess.TimeoutExpired):
                raise self._explain(describe_os_error(error)) from error
            raise

    def set_role_passwords(self) -> None:
        """Let the roles log in that the migrations have made."""
        with self._superuser() as connection:
            for role in (API_ROLE, REPLAY_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, READER_ROLE):
                connection.run(f"ALTER ROLE {role} PASSWORD '{cluster.PASSWORD}'")

    def stop(self) -> None:
        """End the sessions and the server; nothing is left of it but the data."""
        if self._process:
            stop_process(self._process, STOP_STEPS)
            self._process = None
        if self._lock:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """Crash the server, for tests: no shutdown, no checkpoint. `start` brings it back."""
        if self._process:
            stop_process(self._process, STOP_STEPS[-1:])
            self._process = None

    def _prepare_directory(self) -> None:
        if not self.directory.exists() or not any(self.directory.iterdir()):
            cluster.initialise(self.directory)
        data = self.directory / "data"
        version = (data / "PG_VERSION").read_text().strip()
        if version != cluster.MAJOR_VERSION:
            raise self._explain(f"PostgreSQL {version or 'unknown'} made it, and this is {cluster.MAJOR_VERSION}")
        cluster.give_away_from_root(data)

    def _launch(self) -> subprocess.Popen[bytes]:
        data = self.directory / "data"
        settings = {
            "listen_addresses": self.host,
            # Socket paths are limited to about 100 characters, which a deep clone exceeds.
            "unix_socket_directories": "",
            # Without DETAIL lines, which would put a refused row's measurements into the log.
            "log_error_verbosity": "terse",
            "timezone": "UTC",
        }
        command = [*cluster.build_prefix(data), str(cluster.find_binary("postgres")), "-D", str(data)]
        command += ["-p", str(self.port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return start_process(command, self.log_path, directory=data)

    def _launch_until_ready(self) -> None:
        process = self._process = self._launch()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            log = self.log_path.read_text(errors="replace")
            # Until our server says so, whoever answers on the port is another one.
            if "ready to accept connections" in log:
                return
            if process.poll() is not None:
                if "pre-existing shared memory block" not in log:
                    raise self._explain_log(self.log_path.read_text(errors="replace"))
                # The processes of a killed server need a moment to notice.
                time.sleep(0.2)
                stop_process(process, ())
                process = self._process = self._launch()
            time.sleep(0.02)
        raise StackError(f"PostgreSQL wasn't ready within {START_SECONDS} s: its log is {self.log_path}")

    def _create_database(self) -> None:
        with self._superuser() as connection:
            if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=DATABASE):
                connection.run(f"CREATE DATABASE {DATABASE}")

    @contextlib.contextmanager
    def _superuser(self) -> Iterator[Connection]:
        try:
            with contextlib.closing(self._connect()) as connection:
                yield connection
        except DatabaseError as error:
            raise self._explain(f"{error.args[0]['S']}: {error.args[0]['M']}") from error
        except InterfaceError as error:
            raise self._explain(str(error)) from error

    def _connect(self) -> Connection:
        return Connection(
            USER,
            host=self.host,
            port=self.port,
            password=self.login.password,
            database="postgres",
            ssl_context=False,
            timeout=10,
        )

    def _explain_log(self, log: str) -> StackError:
        if refused := re.search(r"could not bind .*: (.+)", log):
            # Root may open it, but PostgreSQL, which runs as another user then, may not.
            problem = describe_port_problem(self.port, self.host) or f"can't be opened by PostgreSQL ({refused[1]})"
            return make_port_error(self.port, "the database", problem)
        return self._explain(read_last_fault(log))

    def _explain(self, fault: str) -> StackError:
        advice = next(text for pattern, text in ADVICE.items() if re.search(pattern, fault))
        return StackError(f"The database in {self.directory} can't be used ({fault}): {advice}")


def describe_os_error(error: OSError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {os.fspath(error.filename)}" if error.filename else error.strerror
    return str(error)
