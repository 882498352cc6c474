"""One client of the RDS Proxy stand-in: its login, and the bytes in both directions."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import NamedTuple

from local.cluster import PASSWORD
from local.ports import LOOPBACK
from tests.standins import wire
from tests.standins.iam import TokenCheck

CHUNK_BYTES = 65536


@dataclass
class Login:
    """A startup message and what became of it; `fault` says why it was refused."""

    encrypted: bool
    parameters: dict[str, str]
    password: str | None = field(default=None, repr=False)
    fault: str | None = None


class Frame(NamedTuple):
    """A client's message after its login; `status` is the transaction status that the server had told it last."""

    session: int
    kind: str
    payload: bytes
    status: str


class Behaviour:
    """The state that all sessions share. A test may change it and read it while they run."""

    def __init__(
        self,
        *,
        upstream_port: int,
        tls: ssl.SSLContext | None,
        token_check: TokenCheck | None,
        recording: bool,
    ) -> None:
        self.upstream_port = upstream_port
        self.tls = tls
        self.token_check = token_check
        # The address that tokens must be made for.
        self.address = ""
        # Before each answer of the login, and before each chunk of the server's answers.
        self.delay_seconds = 0.0
        # So many of the next commits are done, and their clients lose the connection in place of an answer.
        self.lose_commit_answers = 0
        # Up to this number, sessions hear nothing and say nothing any longer, and nobody hangs up.
        self.forgotten = 0
        self.recording = recording
        self.frames: list[Frame] = []
        self.logins: list[Login] = []
        # All that came in the clear until the login was over, so in the best case nothing but requests for TLS.
        self.plain_text = bytearray()
        # While this is clear nobody gets an answer, and nothing reaches the server.
        self.speaking = asyncio.Event()


class Session:
    """One client's connection and the one that it has to the server."""

    def __init__(
        self, behaviour: Behaviour, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._behaviour = behaviour
        self._number = number
        self._reader, self._writer = reader, writer
        self._encrypted = False
        self._status = wire.IDLE

    async def run(self) -> None:
        """Serve the client until one side hangs up; nothing is left open then, or when the task is cancelled."""
        try:
            login = await self._read_login()
            await self._serve(login)
        except (OSError, asyncio.IncompleteReadError):
            # Hanging up, or refusing our certificate, is the client's right.
            pass
        finally:
            self._writer.transport.abort()

    async def _read_login(self) -> Login:
        packet = await self._read_packet()
        if packet == wire.SSL_REQUEST:
            await self._answer(b"N" if self._behaviour.tls is None else b"S")
            if self._behaviour.tls is not None:
                await self._start_tls(self._behaviour.tls)
            packet = await self._read_packet()
        login = Login(self._encrypted, wire.read_startup(packet))
        self._behaviour.logins.append(login)
        return login

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        # StreamWriter.start_tls is younger than our oldest Python and leaves the reader behind in some versions.
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = await loop.start_tls(self._writer.transport, protocol, context, server_side=True)
        assert transport is not None
        protocol.connection_made(transport)
        # A writer that nobody holds any longer closes its transport, which now carries the TLS.
        self._plain_writer = self._writer
        self._reader, self._writer = reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        self._encrypted = True

    async def _serve(self, login: Login) -> None:
        behaviour = self._behaviour
        if behaviour.tls is not None and not self._encrypted:
            login.fault = "it came without TLS"
            return await self._answer(wire.build_error("28000", "This RDS proxy requires TLS connections"))
        await self._answer(wire.build_authentication(wire.AUTHENTICATION_CLEARTEXT_PASSWORD))
        password = login.password = (await self._read_packet(kind_bytes=1))[5:-1].decode()
        user = login.parameters["user"]
        if behaviour.token_check is not None:
            login.fault = behaviour.token_check.find_fault(password, user, behaviour.address)
            if login.fault is not None:
                text = f"The IAM authentication failed for the role {user}."
                advice = "Check the IAM token for this role and try again."
                return await self._answer(wire.build_error("28000", f"{text} {advice}"))
            password = PASSWORD
        server_reader, server_writer = await asyncio.open_connection(LOOPBACK, behaviour.upstream_port)
        try:
            error = await wire.log_in(server_reader, server_writer, login.parameters, password)
            if error is not None:
                login.fault = "the server refused it"
                return await self._answer(error)
            await self._answer(wire.build_authentication(wire.AUTHENTICATION_OK))
            await self._relay(server_reader, server_writer)
        finally:
            server_writer.transport.abort()

    async def _relay(self, server_reader: asyncio.StreamReader, server_writer: asyncio.StreamWriter) -> None:
        pumps = [
            asyncio.create_task(self._pump_requests(server_writer)),
            asyncio.create_task(self._pump_answers(server_reader)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            results = await asyncio.gather(*pumps, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _pump_requests(self, server: asyncio.StreamWriter) -> None:
        framer = wire.Framer()
        while data := await self._reader.read(CHUNK_BYTES):
            for kind, payload in framer.feed(data):
                if self._behaviour.recording:
                    self._behaviour.frames.append(Frame(self._number, kind, payload, self._status))
            await self._wait_until_heard()
            if self._writer.is_closing():
                # The client gave up while we kept silent: what it asked for must not be done later.
                return
            server.write(data)
            await server.drain()

    async def _pump_answers(self, server: asyncio.StreamReader) -> None:
        framer = wire.Framer()
        commits = False
        while data := await server.read(CHUNK_BYTES):
            for kind, payload in framer.feed(data):
                if kind == "C":
                    # A statement outside a transaction is one by itself.
                    commits = payload == b"COMMIT\0" or (self._status == wire.IDLE and payload.startswith(b"INSERT "))
                elif kind == "E":
                    commits = False
                elif kind == "Z":
                    self._status = payload.decode()
                    if commits and self._behaviour.lose_commit_answers > 0:
                        self._behaviour.lose_commit_answers -= 1
                        return
                    commits = False
            await self._answer(data)

    async def _wait_until_heard(self) -> None:
        if self._number <= self._behaviour.forgotten:
            await asyncio.Event().wait()
        await self._behaviour.speaking.wait()

    async def _answer(self, data: bytes) -> None:
        await self._wait_until_heard()
        if self._behaviour.delay_seconds:
            await asyncio.sleep(self._behaviour.delay_seconds)
        self._writer.write(data)
        await self._writer.drain()

    async def _read_packet(self, kind_bytes: int = 0) -> bytes:
        """A whole message of the login; all but the password's have no byte for their kind."""
        head = await self._read(kind_bytes + 4)
        return head + await self._read(int.from_bytes(head[kind_bytes:]) - 4)

    async def _read(self, size: int) -> bytes:
        try:
            data = await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            self._note_plain_text(error.partial)
            raise
        self._note_plain_text(data)
        return data

    def _note_plain_text(self, data: bytes) -> None:
        if not self._encrypted:
            self._behaviour.plain_text += data
