"""A stand-in for AWS RDS Proxy with IAM authentication, before a real PostgreSQL, with the faults of a real network.

It is strict where RDS Proxy is strict (TLS, tokens) and generous in nothing else: each client has a connection of its
own to the server.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, Literal, Self

from local.certificates import Certificate
from tests.standins.iam import TokenCheck
from tests.standins.server import BackgroundServer
from tests.standins.session import Behaviour, Session

Mode = Literal["forward", "refuse", "silent"]


class RdsProxy(BackgroundServer, Behaviour):
    """Listens on `port` of the loopback address from `with` on, in a thread of its own.

    Without a certificate it is a server that knows no TLS. Without a token check the client's password is the
    server's own.
    """

    def __init__(
        self,
        *,
        upstream_port: int,
        certificate: Certificate | None,
        token_check: TokenCheck | None = None,
        recording: bool = False,
    ) -> None:
        BackgroundServer.__init__(self, "rds-proxy")
        Behaviour.__init__(
            self,
            upstream_port=upstream_port,
            tls=None if certificate is None else _build_context(certificate),
            token_check=token_check,
            recording=recording,
        )
        self.host_name = "localhost"
        self.speaking.set()
        self._mode: Mode = "forward"
        self._session_count = 0

    def __enter__(self) -> Self:
        super().__enter__()
        self.address = f"{self.host_name}:{self.port}"
        return self

    @property
    def mode(self) -> Mode:
        """The server answers (forward), is gone (refuse), or has fallen silent (silent)."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._call(self._change_mode(mode))

    def drop_connections(self) -> None:
        """Close every connection; clients may come back at once."""
        self._call(self._drop())

    def forget_connections(self) -> None:
        """Let every connection die without a word, as a network does that lost track of it; new ones are served."""
        self.forgotten = self._session_count

    def _make_session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Coroutine[Any, Any, None]:
        self._session_count += 1
        return Session(self, self._session_count, reader, writer).run()

    async def _change_mode(self, mode: Mode) -> None:
        if mode == "refuse" and self._mode != "refuse":
            self._refuse()
            await self._drop()
        elif mode != "refuse" and self._mode == "refuse":
            await self._listen()
        if mode == "silent":
            self.speaking.clear()
        else:
            self.speaking.set()
        self._mode = mode


def _build_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_path, certificate.key_path)
    return context
