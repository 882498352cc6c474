"""A connection to PostgreSQL: plain or verified TLS, by password or IAM token, with a deadline over all its waits."""

import functools
import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from struct import pack
from typing import Any

import pg8000.native
from pg8000.core import (
    BIND,
    DESCRIBE,
    EXECUTE_MSG,
    PARSE,
    STATEMENT,
    SYNC_MSG,
    Context,
    _flush,
    _write,
    make_params,
)
from pg8000.native import to_statement

from lambda_app.network import Deadline, make_tls_context, open_socket
from lambda_app.settings import Settings

# Our statements are the same few texts.
_read_statement = functools.lru_cache(maxsize=64)(to_statement)


class Connection(pg8000.native.Connection):  # type: ignore[misc] # pg8000 has no types
    """One round trip and one Sync for a statement with parameters, where pg8000 takes three of each.

    With one Sync such a statement is a transaction by itself, and a pooler cannot part its messages. Without pg8000's
    Flush after each message the answers come in one piece: to wake up once instead of four times is 5 to 10 % of a warm
    request.
    """

    def run(self, sql: str, types: Any = None, **params: Any) -> Any:
        """The rows of the answer, as pg8000's own `run`, which reads the text character by character each time.

        That is a fifth of what the processor does for a request. Raises pg8000's errors and OSError.
        """
        if not params:
            return super().run(sql)
        statement, make_values = _read_statement(sql)
        oids = make_values(defaultdict(int, types)) if types else ()
        self._context = self.execute_unnamed(statement, make_values(params), oids)
        return self._context.rows

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> Context:
        """Raises pg8000's errors and OSError."""
        context = Context(statement, stream=stream)
        self._send_message(PARSE, _encode_parse(statement, tuple(oids)))
        self._send_message(DESCRIBE, STATEMENT + b"\0")
        self._send_message(BIND, _encode_bind(make_params(self.py_types, vals), self._client_encoding))
        _write(self._sock, EXECUTE_MSG + SYNC_MSG)
        _flush(self._sock)
        self.handle_messages(context)
        return context


@functools.lru_cache(maxsize=64)
def _encode_parse(statement: str, oids: Sequence[int]) -> bytes:
    """The unnamed statement: the same bytes every time."""
    return b"\0" + statement.encode() + b"\0" + pack(f"!H{len(oids)}I", len(oids), *oids)


def _encode_bind(values: Sequence[str | None], encoding: str) -> bytes:
    """The values of the unnamed statement, as text like its answers; None is NULL."""
    parts = [b"\0\0", pack("!HH", 0, len(values))]
    for value in values:
        content = b"" if value is None else value.encode(encoding)
        parts += [pack("!i", -1 if value is None else len(content)), content]
    parts.append(pack("!H", 0))
    return b"".join(parts)


class Connector:
    """Opens connections as the settings say. `make_token` gives the IAM token where there is no password."""

    def __init__(self, settings: Settings, deadline: Deadline, make_token: Callable[[], str] | None) -> None:
        self._settings = settings
        self._deadline = deadline
        self._make_token = make_token
        # pg8000 takes True and None for TLS that verifies nothing, and falls back from None to plain text.
        self._tls: ssl.SSLContext | bool = make_tls_context() if settings.database_tls == "verify" else False

    def connect(self) -> Connection:
        """Raises pg8000's errors, ScramException and OSError."""
        settings = self._settings
        password = settings.database_password
        if password is None and self._make_token is not None:
            # Each time anew: it is valid for minutes, and a connection lives for hours.
            password = self._make_token()
        return Connection(
            settings.database_user,
            # For the name in the certificate; the socket is open already.
            host=settings.database_host,
            sock=open_socket(settings.database_host, settings.database_port, self._deadline),
            database=settings.database_name,
            password=password,
            ssl_context=self._tls,
        )
