"""What stands between the functions and SQS: an HTTP proxy that forwards requests, or fails as networks and SQS do."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Literal, Self

from local.ports import LOOPBACK

# "lost": SQS takes the request, and its answer never arrives. "silent": nobody takes it, nor hangs up.
SqsMode = Literal["forward", "slow", "refuse", "silent", "error", "lost"]
# Just within what the client waits for.
SLOW_SECONDS = 0.8

START_SECONDS = 10
ERROR_BODY = b'{"__type":"com.amazonaws.sqs#ServiceUnavailable","message":"try later"}'
ERROR = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s"
    % (len(ERROR_BODY), ERROR_BODY)
)


class SqsFront:
    """Listens from `with` on, in a thread of its own; `seen` counts the requests that each mode has met."""

    def __init__(self, upstream_port: int) -> None:
        self.seen: Counter[str] = Counter()
        self._upstream_port = upstream_port
        self._mode: SqsMode = "forward"
        self._clients: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="sqs-front")

    def __enter__(self) -> Self:
        self._socket = _bind(0)
        self.port = int(self._socket.getsockname()[1])
        self._thread.start()
        assert self._started.wait(START_SECONDS)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        # A fault of the proxy itself must not pass for one of SQS.
        if self._faults and kind is None:
            raise self._faults[0]

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def mode(self) -> SqsMode:
        return self._mode

    @mode.setter
    def mode(self, mode: SqsMode) -> None:
        self._call(self._change_mode(mode))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        await self._listen()
        self._started.set()
        await self._stopping.wait()
        self._server.close()
        self._socket.close()
        await self._drop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._socket, backlog=256)

    async def _change_mode(self, mode: SqsMode) -> None:
        if mode == "refuse" and self._mode != "refuse":
            self._server.close()
            # A bound socket that does not listen refuses connections, and keeps the port for us.
            self._socket = _bind(self.port)
        elif mode != "refuse" and self._mode == "refuse":
            await self._listen()
        self._mode = mode
        # Whoever was kept waiting must not be served later.
        await self._drop()

    async def _drop(self) -> None:
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._faults.append(error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read_message(reader)
                self.seen[self._mode] += 1
                if self._mode == "silent":
                    await asyncio.Event().wait()
                answer = ERROR if self._mode == "error" else await self._forward(request)
                if self._mode == "lost":
                    return
                if self._mode == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._upstream_port)
        try:
            writer.write(request)
            return await _read_message(reader)
        finally:
            writer.transport.abort()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer of HTTP whose length is told, as boto and moto tell it."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0]) if lengths else 0)


def _bind(port: int) -> socket.socket:
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((LOOPBACK, port))
    return bound
