"""Database, S3 and SQS together: up for as long as the context lasts, gone after any end of it."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local.aws_services import AwsServices
from local.ports import LOOPBACK, find_free_ports, require_address, require_port
from local.postgres import Postgres

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Stack:
    """The running servers, and the port that is kept for the API."""

    http_port: int
    postgres: Postgres
    aws: AwsServices


@contextmanager
def running_stack(directory: Path, http_port: int = 8000, host: str = LOOPBACK) -> Iterator[Stack]:
    """Run both servers with their data and logs in `directory`, on the two ports after `http_port`; 0 picks free ports.

    `host` is the address that both listen on; the API keeps to the loopback interface.

    Raises StackError with one line for the user; KeyboardInterrupt or SystemExit at a signal, once all is stopped.
    """
    ports = [http_port, http_port + 1, http_port + 2] if http_port else find_free_ports(3)
    postgres = Postgres(directory / "postgres", ports[1], host)
    aws = AwsServices(directory / "aws.log", ports[2], host, directory / "s3")
    with ending_by_signal(), ExitStack() as servers:
        try:
            # Before the ports are looked at: a killed run's server would still hold one of them.
            servers.callback(postgres.stop)
            postgres.claim()
            require_free_ports(ports, host)
            servers.enter_context(postgres)
            servers.enter_context(aws)
            yield Stack(ports[0], postgres, aws)
        finally:
            ignore_ending_signals()


def require_free_ports(ports: list[int], host: str) -> None:
    require_address(host)
    purposes = {"the API": LOOPBACK, "the database": host, "S3 and SQS": host}
    for port, (purpose, address) in zip(ports, purposes.items(), strict=True):
        require_port(port, purpose, address)


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """Turn the signals that end a process into exceptions, so that what runs inside is cleaned up."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, exit_by_signal)
    if before[signal.SIGHUP] is not signal.SIG_IGN:  # that would be nohup's wish
        signal.signal(signal.SIGHUP, exit_by_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_ending_signals() -> None:
    """Everything is being stopped, in bounded time: a second Ctrl-C would only leave some of it running."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def exit_by_signal(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
