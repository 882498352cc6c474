"""Sockets with a deadline, plain or with verified TLS."""

import functools
import socket
import ssl
import time
from typing import Any


class Deadline:
    """The time limit for all waits on a connection. A timeout limits only one wait, and many short ones add up."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._ends_at = 0.0

    def start(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def limit_wait(self) -> float:
        """Return the seconds that the next wait may take; raise TimeoutError after the deadline."""
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the deadline has passed")
        return min(self._wait_seconds, remaining)


class _BoundSocket(socket.socket):
    """A socket that never waits beyond its deadline."""

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

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(self.deadline.limit_wait())
        super().sendall(data, flags)


class _BoundTlsSocket(_BoundSocket, ssl.SSLSocket):
    """The same with TLS. The complete handshake counts as one wait."""


class _TlsContext(ssl.SSLContext):
    """A TLS context whose sockets keep their deadline."""

    sslsocket_class = _BoundTlsSocket

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        if isinstance(sock, _BoundSocket) and isinstance(wrapped, _BoundTlsSocket):
            wrapped.deadline = sock.deadline
        return wrapped


@functools.cache
def make_tls_context() -> ssl.SSLContext:
    """Return one context for all connections: reading the certificates takes longer than connecting."""
    context = _TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    # ssl.create_default_context does the same since Python 3.13.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.load_default_certs()
    return context


def open_socket(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that accepts; raises OSError. Name resolution has no time limit."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        bound = _BoundSocket(family, kind, protocol)
        bound.deadline = deadline
        try:
            bound.settimeout(deadline.limit_wait())
            bound.connect(address)
            # Without it, the last segment of a long message would wait for an acknowledgement.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            bound.close()
            failure = error
        else:
            return bound
    raise failure or OSError("the host has no address")
