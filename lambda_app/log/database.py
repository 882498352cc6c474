"""The kept PostgreSQL connection: transactions under a deadline, reconnected once, behind a breaker."""

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

# Bounds the TCP connect, the TLS handshake, and each wait for the server.
WAIT_SECONDS = 2.0
# A wait on a kept connection that died unnoticed, another to connect anew, and what the rest takes.
DEADLINE_SECONDS = 5.0
# The request that finds out whether the database is back pays this at most.
PROBE_SECONDS = 2.0

# RDS Proxy ends a client's connection when it was idle for 30 minutes (its default), and any after 24 hours.
MAX_IDLE_SECONDS = 20 * 60
MAX_AGE_SECONDS = 12 * 60 * 60

# What talking to PostgreSQL can raise: pg8000's errors, OSError for timeouts, resets and failed TLS, and those of
# proving who we are.
DATABASE_ERRORS = (pg8000.native.Error, OSError, ScramException)

# SQLSTATE classes after which another connection may fare better: connection failure, a server that became read-only
# (in a failover), operator intervention.
_TRANSIENT_CLASSES = ("08", "25", "57")

# And those after which this record will never fare better: what it holds breaks a type, a constraint or a limit.
_REFUSED_CLASSES = ("22", "23", "54")

Result = TypeVar("Result")


class Database:
    """Runs transactions on one connection that outlives the request. Not safe for two threads at once.

    `make_token` gives the IAM token for a new connection where the settings hold no password.
    """

    def __init__(
        self,
        settings: Settings,
        make_token: Callable[[], str] | None = None,
        *,
        wait_seconds: float = WAIT_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.breaker = CircuitBreaker()
        self._deadline = Deadline(wait_seconds)
        self._deadline_seconds = deadline_seconds
        self._connector = Connector(settings, self._deadline, make_token)
        self._connection: Connection | None = None
        # By the wall clock: the monotonic one may stand still while Lambda keeps the environment frozen.
        self._connected_at = self._used_at = 0.0

    def connect(self) -> None:
        """Connect ahead of the first transaction, within the time of a probe; raises one of DATABASE_ERRORS."""
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
        """Run `work`, a single statement, which is a transaction by itself and takes one round trip instead of three.

        Raises one of DATABASE_ERRORS, at once while the breaker is open.

        A connection that fails is replaced once and `work` is run again, also when the answer of a commit was lost:
        `work` must be harmless when repeated. What a request has spent before comes off the deadline, down to that of
        a probe.
        """
        self.breaker.require_not_open()
        try:
            result = self._run_bounded(work, spent_seconds)
        except DATABASE_ERRORS as error:
            # A database that refuses what a record holds is well.
            if not is_permanent_error(error):
                self.breaker.record_failure(describe_error(error))
            raise
        self.breaker.record_success()
        return result

    def close(self) -> None:
        """Drop the connection; the next transaction makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # It is dropped because it may be broken, so its farewell may fail too.
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
            # After any error the connection's state is unknown: a timeout leaves an answer on the wire.
            self.close()
            raise
        self._used_at = time.time()
        return result

    def _require_connection(self) -> Connection:
        now = time.time()
        # Also when the clock was set back, after which nobody knows how old it is.
        if not (0 <= now - self._used_at < MAX_IDLE_SECONDS and 0 <= now - self._connected_at < MAX_AGE_SECONDS):
            self.close()
        if self._connection is None:
            self._connection = self._connector.connect()
            self._connected_at = now
        return self._connection


def describe_error(error: BaseException) -> str:
    """Name a database error without its text, in which PostgreSQL may quote the row."""
    if isinstance(error, CircuitOpenError):
        return str(error)
    # pg8000 wraps what the network raised, which says more than its own InterfaceError.
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return f"{type(cause).__name__} {_sqlstate(error)}".rstrip()


def is_permanent_error(error: BaseException) -> bool:
    """True when the database would refuse the same rows again at any time."""
    # What no encoding has cannot even be sent.
    return isinstance(error, UnicodeEncodeError) or _sqlstate(error).startswith(_REFUSED_CLASSES)


def _is_transient(error: BaseException) -> bool:
    state = _sqlstate(error)
    return state == "" or state.startswith(_TRANSIENT_CLASSES)


def _sqlstate(error: BaseException) -> str:
    if isinstance(error, pg8000.native.DatabaseError) and error.args and isinstance(error.args[0], dict):
        return str(error.args[0].get("C", ""))
    return ""
