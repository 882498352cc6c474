"""Other programs: run to their end, Ctrl-C included."""

import os
import signal
import subprocess
from collections.abc import Mapping

from deploy.errors import DeployError


def run_program(
    *command: str, text: str | None = None, capture: bool = False, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a program with `text` as its input; return its exit code and, where it is captured, its output.

    It gets every Ctrl-C once, and is waited for: Terraform, when it is killed, loses what it made and keeps its lock.
    DeployError when the program is missing.
    """
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            text=True,
            # A terminal sends Ctrl-C to a whole group, and a second one makes Terraform drop everything.
            process_group=0,
        )
    except FileNotFoundError as error:
        raise DeployError(f"{command[0]} is not installed, or not on PATH") from error
    try:
        output, _ = process.communicate(text)
    except KeyboardInterrupt:
        _stop(process)
        raise
    return process.returncode, output or ""


def _stop(process: subprocess.Popen[str]) -> None:
    while True:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate()
            return
        except KeyboardInterrupt:
            continue
