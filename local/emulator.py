"""A Lambda execution environment: AWS's Runtime Interface Emulator with the runtime client under it."""

import http.client
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.errors import StackError

INVOKE = "/2015-03-31/functions/function/invocations"


def find_emulator(sam_venv: Path) -> Path:
    """The emulator that SAM's wheel ships, in the environment that `make sam` fills."""
    if sys.platform != "linux":
        raise StackError("the Runtime Interface Emulator is built for Linux alone")
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    found = list(sam_venv.glob(f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))
    if not found:
        raise StackError(f"no Runtime Interface Emulator for {machine} in {sam_venv}: run make sam")
    return found[0]


def post_event(host: str, port: int, event: bytes, timeout_seconds: float) -> bytes:
    """Hand an event to the emulator that listens there, and return what the function, or the emulator, answers."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        connection.request("POST", INVOKE, event)
        return connection.getresponse().read()
    finally:
        connection.close()


class Emulator:
    """Runs `command` as the runtime; the first invocation starts it, as a cold start does.

    Python finds the function's code in `directory`, else in the current one, before all else.
    """

    def __init__(
        self,
        path: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        ports: Sequence[int],
        log_path: Path,
        directory: Path | None = None,
    ) -> None:
        self._port, runtime_port = ports
        self._log_path = log_path
        addresses = [
            "--runtime-interface-emulator-address",
            f"127.0.0.1:{self._port}",
            "--runtime-api-address",
            f"127.0.0.1:{runtime_port}",
        ]
        with log_path.open("wb") as log:
            # Its own session, so that the runtime that it starts can be stopped with it.
            self._process = subprocess.Popen(
                [str(path), *addresses, *command],
                cwd=directory,
                env=dict(environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_listening()

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Send one event and return the function's answer."""
        answer: dict[str, Any] = json.loads(self.send(json.dumps(event).encode()))
        return answer

    def send(self, event: bytes) -> bytes:
        """The same in JSON."""
        return post_event("127.0.0.1", self._port, event, timeout_seconds=60)

    def find_runtime(self) -> int:
        """The process id of the runtime, once an invocation has started it."""
        children = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        [runtime] = {int(child) for path in children for child in path.read_text().split()}
        return runtime

    def read_log(self) -> str:
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def read_lines(self) -> list[dict[str, Any]]:
        """The JSON lines that the function wrote so far."""
        return [json.loads(line) for line in self.read_log().splitlines() if line.startswith("{")]

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait_until_listening(self) -> None:
        for _ in range(200):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
            try:
                connection.connect()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
            finally:
                connection.close()
        raise TimeoutError(self.read_log())
