"""An HTTP proxy before a service of AWS that forwards requests, or fails as networks and AWS do."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Literal

from local.ports import LOOPBACK
from tests.standins.server import BackgroundServer

# "lost": AWS takes the request, and its answer never arrives. "silent": nobody takes it, nor hangs up. "reset": the
# connection ends in place of an answer. "truncated": it ends within the answer.
Mode = Literal["forward", "slow", "refuse", "silent", "error", "lost", "reset", "truncated"]
# Just within what the client waits for.
SLOW_SECONDS = 0.8

ANSWER = b"HTTP/1.1 %s\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s"
ERROR_BODY = b'{"__type":"com.amazonaws#ServiceUnavailable","message":"try later"}'
ERROR = ANSWER % (b"503 Service Unavailable", len(ERROR_BODY), ERROR_BODY)


class Front(BackgroundServer):
    """Listens from `with` on, in a thread of its own; `seen` counts the requests that each mode has met.

    Requests without `target` in their first line meet no mode but "refuse".
    """

    def __init__(self, upstream_port: int, name: str = "front") -> None:
        super().__init__(name)
        self.seen: Counter[str] = Counter()
        self.target = b""
        self._upstream_port = upstream_port
        self._mode: Mode = "forward"
        self._exchanges: set[asyncio.Task[bytes]] = set()

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._call(self._change_mode(mode))

    def settle(self) -> None:
        """Return when each request that was forwarded is answered."""
        self._call(self._wait_for_exchanges())

    def _make_session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Coroutine[Any, Any, None]:
        return self._serve(reader, writer)

    async def _change_mode(self, mode: Mode) -> None:
        if mode == "refuse" and self._mode != "refuse":
            self._refuse()
        elif mode != "refuse" and self._mode == "refuse":
            await self._listen()
        self._mode = mode
        # Whoever was kept waiting must not be served later.
        await self._drop()

    async def _wait_for_exchanges(self) -> None:
        await asyncio.gather(*self._exchanges, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read_message(reader)
                mode = self._mode if self.target in request.partition(b"\r\n")[0] else "forward"
                self.seen[mode] += 1
                if mode == "silent":
                    await asyncio.Event().wait()
                if mode == "reset":
                    return
                answer = ERROR if mode == "error" else await self._forward(request)
                if mode == "lost":
                    return
                if mode == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                if mode == "truncated":
                    writer.write(answer[: -len(answer) // 4])
                    await writer.drain()
                    return
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _forward(self, request: bytes) -> bytes:
        # To its end, whether or not its client is still there: AWS does what it was asked for.
        exchange = asyncio.create_task(self._exchange(request))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(exchange)

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._upstream_port)
        try:
            writer.write(request)
            return await _read_message(reader, has_body=not request.startswith(b"HEAD "))
        finally:
            writer.transport.abort()


async def _read_message(reader: asyncio.StreamReader, *, has_body: bool = True) -> bytes:
    """A request or an answer of HTTP whose length is told, as boto and moto tell it."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 304") or not has_body:
        return head
    if head.startswith(b"HTTP/1.1 100"):
        # Only that the body may come, which it does anyway.
        return await _read_message(reader)
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0]) if lengths else 0)
