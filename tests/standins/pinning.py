"""Finds messages that make RDS Proxy pin a client to one connection, or that break behind a pooler."""

import re
from collections.abc import Iterable, Iterator

from tests.standins.session import Frame, Login
from tests.standins.wire import IDLE, read_strings

# The only parameters that RDS Proxy and PgBouncer both take from every client.
STARTUP_PARAMETERS = {"user", "database"}

# Statements whose effect outlives the transaction.
SESSION_COMMANDS = {"SET", "RESET", "PREPARE", "EXECUTE", "DEALLOCATE", "DISCARD", "LISTEN", "DECLARE", "LOAD"}

QUERY, PARSE, DESCRIBE, BIND, EXECUTE, SYNC = "Q", "P", "D", "B", "E", "S"


def find_offences(logins: Iterable[Login], frames: Iterable[Frame]) -> list[str]:
    """Every recorded message that a client of RDS Proxy must not send, in words."""
    offences = [
        f"the startup parameter {name}" for login in logins for name in login.parameters.keys() - STARTUP_PARAMETERS
    ]
    # Who has sent a Parse since their last Sync.
    parsed: set[int] = set()
    for frame in frames:
        offences += _judge(frame)
        # At a Sync outside a transaction the server's turn with this client is over, and the next message may reach
        # another server connection, which has no such statement.
        if frame.kind in (DESCRIBE, BIND, EXECUTE) and frame.status == IDLE and frame.session not in parsed:
            offences.append(f"{frame.kind} of an earlier turn's statement")
        if frame.kind == PARSE:
            parsed.add(frame.session)
        elif frame.kind == SYNC:
            parsed.discard(frame.session)
    return offences


def _judge(frame: Frame) -> Iterator[str]:
    commands: list[str] = []
    if frame.kind == QUERY:
        commands = _read_commands(read_strings(frame.payload, 1)[0])
    elif frame.kind == PARSE:
        name, text = read_strings(frame.payload, 2)
        commands = _read_commands(text)
        if name:
            yield f"the statement name {name}"
    for command in commands:
        if command in SESSION_COMMANDS:
            yield f"the session command {command}"


def _read_commands(text: str) -> list[str]:
    """The first word of each statement. A semicolon within a literal makes one too many, which does no harm."""
    statements = (re.search(r"[A-Za-z]+", part) for part in re.sub(r"--.*|(?s:/\*.*?\*/)", " ", text).split(";"))
    return [match[0].upper() for match in statements if match]
