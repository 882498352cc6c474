"""TCP ports of this machine."""

import errno
import itertools
import os
import socket

from local.errors import StackError

LOOPBACK = "127.0.0.1"


# Below the ports that systems give to clients, which could take one before its server listens. Each process begins
# elsewhere and gives none a second time, so that servers started side by side don't meet.
SERVER_PORTS = range(20000, 32000)
_turns = itertools.count(os.getpid() * 1009)


def find_free_ports(count: int) -> list[int]:
    """Different ports on which nothing listens now."""
    ports = (SERVER_PORTS[turn % len(SERVER_PORTS)] for turn in _turns)
    return list(itertools.islice((port for port in ports if not describe_port_problem(port)), count))


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


def make_port_error(port: int, purpose: str, problem: str) -> StackError:
    """`problem` is what `describe_port_problem` says."""
    other = port // 10 * 10 + 1000 if 1024 <= port < 60000 else 8000
    return StackError(f"Port {port}, for {purpose}, {problem}: use others, for example make run PORT={other}")


def require_port(port: int, purpose: str, host: str = LOOPBACK) -> None:
    """StackError when no server can listen on this port."""
    if problem := describe_port_problem(port, host):
        raise make_port_error(port, purpose, problem)


def require_address(host: str) -> None:
    """StackError when no server can listen on this address, whatever the port."""
    if problem := describe_port_problem(0, host):
        raise StackError(f"{host} {problem}: LISTEN must be an IPv4 address of this machine")
