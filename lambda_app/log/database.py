"""The kept PostgreSQL connection: timeouts, explicit transactions, discarded when it fails, reconnected once."""

import contextlib
import ssl
from collections.abc import Callable
from typing import TypeVar

import pg8000.native

from lambda_app.settings import Settings

# Bounds the TCP and TLS connect, and each wait for the server.
TIMEOUT_SECONDS = 2.0

# What talking to PostgreSQL can raise: pg8000's errors, and OSError for timeouts, resets and failed TLS.
DATABASE_ERRORS = (pg8000.native.Error, OSError)

# SQLSTATE classes after which another connection may fare better: connection failure, operator intervention.
_TRANSIENT_CLASSES = ("08", "57")

Result = TypeVar("Result")


class Database:
    """Runs transactions on one connection that outlives the request. Not safe for two threads at once."""

    def __init__(self, settings: Settings, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._connection: pg8000.native.Connection | None = None

    def run_transaction(self, work: Callable[[pg8000.native.Connection], Result]) -> Result:
        """Run `work` between BEGIN and COMMIT; raises one of DATABASE_ERRORS.

        A connection that fails is replaced once and `work` is run again, also when the answer to COMMIT was lost:
        `work` must be harmless when repeated.
        """
        try:
            return self._attempt(work)
        except DATABASE_ERRORS as error:
            if not _is_transient(error):
                raise
        return self._attempt(work)

    def close(self) -> None:
        """Drop the connection; the next transaction makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # It is dropped because it may be broken, so its farewell may fail too.
            with contextlib.suppress(*DATABASE_ERRORS):
                connection.close()

    def _attempt(self, work: Callable[[pg8000.native.Connection], Result]) -> Result:
        try:
            if self._connection is None:
                self._connection = self._connect()
            # RDS Proxy and transaction poolers may end a turn at each Sync outside a transaction, and pg8000 sends
            # three per parameterised query: every statement stands between BEGIN and COMMIT.
            self._connection.run("BEGIN")
            result = work(self._connection)
            self._connection.run("COMMIT")
        except BaseException:
            # After any error the connection's state is unknown: a timeout leaves an answer on the wire.
            self.close()
            raise
        return result

    def _connect(self) -> pg8000.native.Connection:
        settings = self._settings
        # pg8000 takes True and None for TLS that verifies nothing, and falls back from None to plain text.
        context = False if settings.database_tls == "off" else ssl.create_default_context()
        return pg8000.native.Connection(
            settings.database_user,
            host=settings.database_host,
            port=settings.database_port,
            database=settings.database_name,
            password=settings.database_password,
            ssl_context=context,
            timeout=self._timeout_seconds,
        )


def describe_error(error: BaseException) -> str:
    """Name a database error without its text, in which PostgreSQL may quote the row."""
    # pg8000 wraps what the network raised, which says more than its own InterfaceError.
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return f"{type(cause).__name__} {_sqlstate(error)}".rstrip()


def _is_transient(error: BaseException) -> bool:
    state = _sqlstate(error)
    return state == "" or state.startswith(_TRANSIENT_CLASSES)


def _sqlstate(error: BaseException) -> str:
    if isinstance(error, pg8000.native.DatabaseError) and error.args and isinstance(error.args[0], dict):
        return str(error.args[0].get("C", ""))
    return ""
