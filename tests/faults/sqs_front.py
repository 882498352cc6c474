"""An HTTP proxy before SQS that forwards requests, or fails as networks and SQS do."""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Literal
from uuid import uuid4

from local.ports import LOOPBACK
from tests.faults.witness import Witness
from tests.standins.server import BackgroundServer

# "lost": SQS takes the request, and its answer never arrives. "silent": nobody takes it, nor hangs up.
SqsMode = Literal["forward", "slow", "refuse", "silent", "error", "lost"]
# Just within what the client waits for.
SLOW_SECONDS = 0.8

ANSWER = b"HTTP/1.1 %s\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s"
ERROR_BODY = b'{"__type":"com.amazonaws.sqs#ServiceUnavailable","message":"try later"}'
ERROR = ANSWER % (b"503 Service Unavailable", len(ERROR_BODY), ERROR_BODY)


class SqsFront(BackgroundServer):
    """Listens from `with` on, in a thread of its own; `seen` counts the requests that each mode has met.

    With `drops_a_message` it is a bad SQS, which accepts one message and forgets it.
    """

    def __init__(self, upstream_port: int, witness: Witness, *, drops_a_message: bool = False) -> None:
        super().__init__("sqs-front")
        self.seen: Counter[str] = Counter()
        self._upstream_port = upstream_port
        self._witness = witness
        self._drops_a_message = drops_a_message
        self._mode: SqsMode = "forward"
        self._exchanges: set[asyncio.Task[bytes]] = set()

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def mode(self) -> SqsMode:
        return self._mode

    @mode.setter
    def mode(self, mode: SqsMode) -> None:
        self._call(self._change_mode(mode))

    def settle(self) -> None:
        """Return when the witness has heard the answer to each request that was forwarded."""
        self._call(self._wait_for_exchanges())

    def _make_session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Coroutine[Any, Any, None]:
        return self._serve(reader, writer)

    async def _change_mode(self, mode: SqsMode) -> None:
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
        # To its end, whether or not its client is still there: SQS does what it was asked for.
        exchange = asyncio.create_task(self._exchange(request))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(exchange)

    async def _exchange(self, request: bytes) -> bytes:
        began_at = self._witness.note_moment()
        # Not a dead letter: it is the api's that is to be missed.
        if self._drops_a_message and b"AmazonSQS.SendMessage\r\n" in request and b'-dead"' not in request:
            self._drops_a_message = False
            body = json.dumps({"MessageId": str(uuid4())}).encode()
            answer = ANSWER % (b"200 OK", len(body), body)
        else:
            answer = await self._ask_upstream(request)
        self._witness.note_answer(began_at, request, answer)
        return answer

    async def _ask_upstream(self, request: bytes) -> bytes:
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
