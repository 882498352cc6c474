"""The base of the stand-ins: an asyncio server in a thread of its own that can refuse connections."""

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Self

from local.ports import LOOPBACK

START_SECONDS = 10


class BackgroundServer(ABC):
    """Listens on `port` of the loopback address from `with` on. `_make_session` serves one client until it is over."""

    def __init__(self, name: str) -> None:
        self.port = 0
        self._faults: list[BaseException] = []
        self._sessions: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=name)

    @abstractmethod
    def _make_session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Coroutine[Any, Any, None]:
        """Serve one client that has connected."""

    def __enter__(self) -> Self:
        self._socket = _bind(0)
        self.port = int(self._socket.getsockname()[1])
        self._thread.start()
        assert self._started.wait(START_SECONDS)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        # A fault of the stand-in itself must not pass for one of the client's.
        if self._faults and kind is None:
            raise self._faults[0]

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(
            lambda _, context: self._faults.append(context.get("exception") or RuntimeError(context["message"]))
        )
        self._stopping = asyncio.Event()
        await self._listen()
        self._started.set()
        await self._stopping.wait()
        self._server.close()
        self._socket.close()
        await self._drop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._socket, backlog=256)

    def _refuse(self) -> None:
        self._server.close()
        # A bound socket that does not listen refuses connections, and keeps the port for us.
        self._socket = _bind(self.port)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the one that asyncio makes for a coroutine complains when it is cancelled.
        task = asyncio.create_task(self._make_session(reader, writer))
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


def _bind(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off for sockets that name their protocol, and for no others.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((LOOPBACK, port))
    return bound
