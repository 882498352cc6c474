"""Execution environments from outside: start, ask, freeze between requests, kill within one."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 10.0
# When the gateway gives up.
ANSWER_SECONDS = 30.0
DOOM_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """The settings of an environment."""

    function: str
    variables: Mapping[str, str]
    log_path: Path
    open_seconds: float
    sabotage: str = ""


class Environment:
    """A process of tests/faults/function.py, replaced when it dies."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._doomed = threading.Event()
        self._died = threading.Event()

    def start(self) -> None:
        """Launch the process; `wait_until_ready` tells when it can be used."""
        self.connection, theirs = Pipe()
        plan = self._plan
        command = [sys.executable, "-u", "-m", "tests.faults.function", plan.function, str(theirs.fileno())]
        with plan.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(plan.open_seconds), plan.sabotage],
                cwd=REPOSITORY,
                env={**os.environ, **plan.variables},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # So that the end of the process is the end of the pipe.
        theirs.close()

    def wait_until_ready(self) -> None:
        if not self.connection.poll(START_SECONDS):
            raise TimeoutError(f"an environment did not start: see {self._plan.log_path}")
        assert self.connection.recv() == "ready"

    def ask(self, event: dict[str, Any], request_id: str) -> dict[str, Any] | None:
        """Return the function's response, or None if the environment was killed and replaced."""
        self.connection.send((event, request_id))
        was_doomed = self._doomed.is_set()
        if was_doomed:
            self._doomed.clear()
            # Most requests take two milliseconds, those that meet a fault far more.
            time.sleep(0.02 * random.random() ** 3)
            self._process.kill()
        try:
            if self.connection.poll(ANSWER_SECONDS):
                response: dict[str, Any] = self.connection.recv()
            else:
                response = {"statusCode": 504, "headers": {}, "body": "{}"}
        except (EOFError, OSError):
            # A death that is not our doing must not pass for one that is.
            response = {} if was_doomed else {"statusCode": 502, "headers": {}, "body": "{}"}
        if was_doomed or response.get("statusCode") in {502, 504}:
            self.restart()
        if was_doomed:
            # It may have answered just before it died.
            (self._doomed if response else self._died).set()
        return response or None

    def doom(self) -> None:
        """Kill it within one of its next requests, and return afterwards."""
        self._died.clear()
        self._doomed.set()
        self._died.wait(DOOM_SECONDS)
        self._doomed.clear()

    def restart(self) -> None:
        self.stop()
        self.start()
        self.wait_until_ready()

    def freeze(self) -> None:
        """Stop the process where it is, as Lambda does between requests."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """End the process in any state."""
        self.connection.close()
        self.kill()
