"""A connection to PostgreSQL: plain or verified TLS, by password or IAM token, with a deadline over all its waits."""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import pg8000.native

from lambda_app.settings import Settings


class Deadline:
    """When the work on a connection must be over. A timeout alone bounds one wait, and many short ones add up."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._ends_at = 0.0

    def start(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def limit_wait(self) -> float:
        """How many seconds the next wait may take; raises TimeoutError when the deadline has passed."""
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the deadline has passed")
        return min(self._wait_seconds, remaining)


class _BoundSocket(socket.socket):
    """Waits no longer than its deadline allows."""

    deadline: Deadline

    def recv(self, *args: Any) -> bytes:
        self.settimeout(self.deadline.limit_wait())
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.deadline.limit_wait())
        return super().recv_into(*args)

    def send(self, *args: Any) -> int:
        self.settimeout(self.deadline.limit_wait())
        return super().send(*args)


class _BoundTlsSocket(_BoundSocket, ssl.SSLSocket):
    """The same over TLS; the handshake as a whole is one wait."""


class Connector:
    """Opens connections as the settings say. `make_token` gives the IAM token where there is no password."""

    def __init__(self, settings: Settings, deadline: Deadline, make_token: Callable[[], str] | None) -> None:
        self._settings = settings
        self._deadline = deadline
        self._make_token = make_token
        # pg8000 takes True and None for TLS that verifies nothing, and falls back from None to plain text.
        self._tls: ssl.SSLContext | bool = False
        if settings.database_tls == "verify":
            self._tls = ssl.create_default_context()
            self._tls.sslsocket_class = type("_TlsSocket", (_BoundTlsSocket,), {"deadline": deadline})

    def connect(self) -> pg8000.native.Connection:
        """Raises pg8000's errors, ScramException, OSError, or BotoCoreError where there is nothing to sign with."""
        settings = self._settings
        password = settings.database_password
        if password is None and self._make_token is not None:
            # Each time anew: it is valid for minutes, and a connection lives for hours.
            password = self._make_token()
        return pg8000.native.Connection(
            settings.database_user,
            # For the name in the certificate; the socket is open already.
            host=settings.database_host,
            sock=self._open_socket(),
            database=settings.database_name,
            password=password,
            ssl_context=self._tls,
        )

    def _open_socket(self) -> socket.socket:
        addresses = socket.getaddrinfo(
            self._settings.database_host, self._settings.database_port, type=socket.SOCK_STREAM
        )
        failure: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            bound = _BoundSocket(family, kind, protocol)
            bound.deadline = self._deadline
            try:
                bound.settimeout(self._deadline.limit_wait())
                bound.connect(address)
                # A batch is longer than one segment, and its last one must not wait for an acknowledgement.
                bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                bound.close()
                failure = error
            else:
                return bound
        raise failure or OSError("the host has no address")
