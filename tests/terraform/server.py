"""A stand-in for AWS as a child process."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.aws_services import REPOSITORY, START_SECONDS, STOP_STEPS
from local.ports import LOOPBACK, find_free_ports
from local.process import start_process, stop_process


@contextmanager
def serve_aws(module: str, log_path: Path) -> Iterator[str]:
    """Start a server by running the module, and return its address; stop it at the end."""
    [port] = find_free_ports(1)
    command = [sys.executable, "-m", module, LOOPBACK, str(port)]
    process = start_process(command, log_path, directory=REPOSITORY)
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Running on" not in (log := log_path.read_text(errors="replace")):
            assert process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.05)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        stop_process(process, STOP_STEPS)
