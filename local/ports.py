"""TCP ports of this machine."""

import errno
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"


def find_free_ports(count: int) -> list[int]:
    """Different ports that the system has just found free; held together, so that none is given twice."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def describe_port_problem(port: int, host: str = LOOPBACK) -> str | None:
    """Why no server can listen on this port, or None where one can."""
    with socket.socket() as probe:
        # As the servers do: a connection that a past server closed doesn't keep its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            return "doesn't exist"
        except OSError as error:
            return "is taken" if error.errno == errno.EADDRINUSE else f"can't be opened ({error.strerror})"
    return None
