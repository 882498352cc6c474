"""A stand-in for AWS RDS Proxy with IAM authentication, before a real PostgreSQL, with the faults of a real network.

It is strict where RDS Proxy is strict (TLS, tokens) and generous in nothing else: each client has a connection of its
own to the server.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Coroutine
from typing import Any, Literal, Self

from local.cluster import PASSWORD
from local.ports import LOOPBACK
from tests.standins.certificates import Certificate
from tests.standins.iam import TokenCheck
from tests.standins.session import Behaviour, Session

Mode = Literal["forward", "refuse", "silent"]

START_SECONDS = 10


class RdsProxy(Behaviour):
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
        upstream_password: str = PASSWORD,
        host_name: str = "localhost",
        recording: bool = False,
    ) -> None:
        super().__init__(
            upstream_port=upstream_port,
            upstream_password=upstream_password,
            tls=None if certificate is None else _build_context(certificate),
            token_check=token_check,
            recording=recording,
        )
        self.host_name = host_name
        self.port = 0
        self._mode: Mode = "forward"
        self._faults: list[BaseException] = []
        self._sessions: set[asyncio.Task[None]] = set()
        self._session_count = 0
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="rds-proxy")

    def __enter__(self) -> Self:
        self._socket = _bind(0)
        self.port = self._socket.getsockname()[1]
        self.address = f"{self.host_name}:{self.port}"
        self._thread.start()
        assert self._started.wait(START_SECONDS)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        # A fault of the stand-in itself must not pass for one of the client's.
        if self._faults and kind is None:
            raise self._faults[0]

    @property
    def mode(self) -> Mode:
        """What clients meet: a server that answers, one that is gone, or one that has fallen silent."""
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

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(
            lambda _, context: self._faults.append(context.get("exception") or RuntimeError(context["message"]))
        )
        self._stopping = asyncio.Event()
        self.speaking.set()
        await self._listen()
        self._started.set()
        await self._stopping.wait()
        self._server.close()
        self._socket.close()
        await self._drop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._socket, backlog=256)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the one that asyncio makes for a coroutine complains when it is cancelled.
        self._session_count += 1
        task = asyncio.create_task(Session(self, self._session_count, reader, writer).run())
        self._sessions.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._sessions.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._faults.append(error)

    async def _drop(self) -> None:
        sessions = list(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def _change_mode(self, mode: Mode) -> None:
        if mode == "refuse" and self._mode != "refuse":
            self._server.close()
            # A bound socket that does not listen refuses connections, and keeps the port for us.
            self._socket = _bind(self.port)
            await self._drop()
        elif mode != "refuse" and self._mode == "refuse":
            await self._listen()
        if mode == "silent":
            self.speaking.clear()
        else:
            self.speaking.set()
        self._mode = mode


def _bind(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off for sockets that name their protocol, and for no others.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((LOOPBACK, port))
    return bound


def _build_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_path, certificate.key_path)
    return context
