"""The PostgreSQL connection of the process: transactions with a deadline, one reconnect, and a circuit breaker."""

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

import pg8000.native
from scramp import ScramException

from lambda_app.log.breaker import CLOSED, CircuitBreaker, CircuitOpenError
from lambda_app.log.connection import Connection, Connector
from lambda_app.network import Deadline
from lambda_app.settings import Settings

# Limits the TCP connect, the TLS handshake, and each wait for the server.
WAIT_SECONDS = 2.0
# One wait on a lost connection, one wait to connect again, and one second for the rest.
DEADLINE_SECONDS = 5.0
# The longest wait of the request that tries the database after a failure.
PROBE_SECONDS = 2.0

# Networks of AWS forget an idle connection after 350 seconds without telling either end. RDS Proxy closes a client's
# connection after 30 idle minutes (its default), and after 24 hours in any case.
MAX_IDLE_SECONDS = 5 * 60
MAX_AGE_SECONDS = 12 * 60 * 60

# A statement can raise these: pg8000's errors, OSError for timeouts, resets and failed TLS, ScramException for a failed
# login.
DATABASE_ERRORS = (pg8000.native.Error, OSError, ScramException)

# SQLSTATE classes that another connection may avoid: connection failure, a server that became read-only (in a
# failover), operator intervention.
_TRANSIENT_CLASSES = ("08", "25", "57")

# SQLSTATE classes of a record that breaks a type, a constraint or a limit: a retry never succeeds.
_REFUSED_CLASSES = ("22", "23", "54")

Result = TypeVar("Result")


class Database:
    """Runs transactions on a connection that is kept between requests. Not safe for two threads.

    `make_token` returns the IAM token for a new connection if the settings have no password. Without `skips_failing`
    the breaker stays closed: that is for functions that have no queue.
    """

    def __init__(
        self,
        settings: Settings,
        make_token: Callable[[], str] | None = None,
        *,
        wait_seconds: float = WAIT_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
        skips_failing: bool = True,
    ) -> None:
        self.breaker = CircuitBreaker()
        self._deadline = Deadline(wait_seconds)
        self._deadline_seconds = deadline_seconds
        self._skips_failing = skips_failing
        self._connector = Connector(settings, self._deadline, make_token)
        self._connection: Connection | None = None
        # Wall-clock times: the monotonic clock may stop while Lambda freezes the environment.
        self._connected_at = self._used_at = 0.0

    def connect(self) -> None:
        """Connect before the first transaction, within the time of a probe; raises one of DATABASE_ERRORS."""
        self._deadline.start(PROBE_SECONDS)
        self._require_connection()
        self._used_at = time.time()

    def run_transaction(self, work: Callable[[Connection], Result], spent_seconds: float = 0.0) -> Result:
        """Run `work` between BEGIN and COMMIT; raises as `run_statement` does."""

        def work_in_transaction(connection: Connection) -> Result:
            connection.run("BEGIN")
            result = work(connection)
            connection.run("COMMIT")
            return result

        return self.run_statement(work_in_transaction, spent_seconds)

    def run_statement(self, work: Callable[[Connection], Result], spent_seconds: float = 0.0) -> Result:
        """Run `work`, a single statement: a transaction by itself, in one round trip instead of three.

        Raises one of DATABASE_ERRORS, at once while the breaker is open.

        If the connection fails, it is replaced once and `work` runs again, even if only the reply to a commit was lost.
        So a repeated `work` must be harmless. `spent_seconds` shortens the deadline, but not below that of a probe.
        """
        self.breaker.require_not_open()
        try:
            result = self._run_bounded(work, spent_seconds)
        except DATABASE_ERRORS as error:
            # A database that refuses the values of a record works.
            if self._skips_failing and not is_permanent_error(error):
                self.breaker.record_failure(describe_error(error))
            raise
        self.breaker.record_success()
        return result

    def close(self) -> None:
        """Close the connection; the next transaction opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # The connection may be broken, so closing it may fail too.
            with contextlib.suppress(*DATABASE_ERRORS):
                connection.close()

    def _run_bounded(self, work: Callable[[Connection], Result], spent_seconds: float) -> Result:
        if self.breaker.state != CLOSED:
            self._deadline.start(PROBE_SECONDS)
            return self._attempt(work)
        self._deadline.start(max(self._deadline_seconds - spent_seconds, min(PROBE_SECONDS, self._deadline_seconds)))
        try:
            return self._attempt(work)
        except DATABASE_ERRORS as error:
            if not _is_transient(error):
                raise
        return self._attempt(work)

    def _attempt(self, work: Callable[[Connection], Result]) -> Result:
        try:
            result = work(self._require_connection())
        except BaseException:
            # After an error, the state of the connection is unknown: after a timeout, a late reply may arrive.
            self.close()
            raise
        self._used_at = time.time()
        return result

    def _require_connection(self) -> Connection:
        now = time.time()
        # Also if the clock was set back, because the times are then wrong.
        if not (0 <= now - self._used_at < MAX_IDLE_SECONDS and 0 <= now - self._connected_at < MAX_AGE_SECONDS):
            self.close()
        if self._connection is None:
            self._connection = self._connector.connect()
            self._connected_at = now
        return self._connection


def describe_error(error: BaseException) -> str:
    """Name a database error without its text, because PostgreSQL may quote the row there."""
    if isinstance(error, CircuitOpenError):
        return str(error)
    # pg8000 wraps network errors in InterfaceError; the cause says more.
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return f"{type(cause).__name__} {_sqlstate(error)}".rstrip()


def is_permanent_error(error: BaseException) -> bool:
    """Return True if the database would always refuse these rows."""
    # A lone surrogate cannot be encoded, so it cannot be sent.
    return isinstance(error, UnicodeEncodeError) or _sqlstate(error).startswith(_REFUSED_CLASSES)


def _is_transient(error: BaseException) -> bool:
    state = _sqlstate(error)
    return state == "" or state.startswith(_TRANSIENT_CLASSES)


def _sqlstate(error: BaseException) -> str:
    if isinstance(error, pg8000.native.DatabaseError) and error.args and isinstance(error.args[0], dict):
        return str(error.args[0].get("C", ""))
    return ""
