"""PostgreSQL's wire protocol, version 3, as far as a server in the middle must read and write it."""

import asyncio
import struct
from collections.abc import Iterator, Mapping

import scramp

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
PROTOCOL_3 = struct.pack("!i", 196608)

AUTHENTICATION_OK = 0
AUTHENTICATION_CLEARTEXT_PASSWORD = 3
AUTHENTICATION_SASL, AUTHENTICATION_SASL_CONTINUE, AUTHENTICATION_SASL_FINAL = 10, 11, 12

# The transaction status of ReadyForQuery.
IDLE = "I"


class Framer:
    """Cuts one direction of a connection, after the startup message, into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The type and the payload of each message that these bytes complete."""
        self._buffer += data
        start = 0
        while len(self._buffer) >= start + 5:
            end = start + 1 + struct.unpack_from("!i", self._buffer, start + 1)[0]
            if len(self._buffer) < end:
                break
            yield chr(self._buffer[start]), bytes(self._buffer[start + 5 : end])
            start = end
        del self._buffer[:start]


def build_message(kind: str, payload: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", len(payload) + 4) + payload


def build_startup(parameters: Mapping[str, str]) -> bytes:
    payload = PROTOCOL_3 + b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!i", len(payload) + 4) + payload


def build_authentication(code: int) -> bytes:
    return build_message("R", struct.pack("!i", code))


def build_error(sqlstate: str, text: str) -> bytes:
    """An ErrorResponse that ends the connection."""
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": text}
    return build_message("E", b"".join(f"{key}{value}\0".encode() for key, value in fields.items()) + b"\0")


def read_startup(packet: bytes) -> dict[str, str]:
    """The parameters of a startup message."""
    words = packet[8:].decode().split("\0")
    return {name: value for name, value in zip(words[::2], words[1::2], strict=False) if name}


def read_strings(payload: bytes, count: int) -> list[str]:
    """The first null-terminated strings of a message, such as the name and the text of a Parse."""
    return [part.decode() for part in payload.split(b"\0", count)[:count]]


async def read_message(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    kind, length = struct.unpack("!ci", await reader.readexactly(5))
    return kind.decode(), await reader.readexactly(length - 4)


async def log_in(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parameters: Mapping[str, str], password: str
) -> bytes | None:
    """Log in to a server, and leave what follows its AuthenticationOk unread; returns its ErrorResponse if it has one.

    pg8000 does not serve here: it would keep from us what the server says after the login.
    """
    writer.write(build_startup(parameters))
    scram = scramp.ScramClient(["SCRAM-SHA-256"], parameters["user"], password)
    while True:
        kind, payload = await read_message(reader)
        if kind == "E":
            return build_message(kind, payload)
        code, words = struct.unpack_from("!i", payload)[0], payload[4:].decode()
        if code == AUTHENTICATION_OK:
            return None
        if code == AUTHENTICATION_SASL:
            first = scram.get_client_first().encode()
            writer.write(build_message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
        elif code == AUTHENTICATION_SASL_CONTINUE:
            scram.set_server_first(words)
            writer.write(build_message("p", scram.get_client_final().encode()))
        elif code == AUTHENTICATION_SASL_FINAL:
            scram.set_server_final(words)
        else:
            raise NotImplementedError(f"the server asks for authentication {code}")
