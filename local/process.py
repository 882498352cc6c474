"""Child processes of the stack: in a plain environment and a session of their own, and ended by their id."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

# What a shell may say about the machine. The last is for a Python whose library lies outside the usual places.
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "TERM", "LD_LIBRARY_PATH")


def build_environment(**variables: str) -> dict[str, str]:
    """The environment of a child process: nothing else of this shell may change what it does or whom it talks to."""
    return {
        "PATH": os.defpath,
        **{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
        # We read messages in English. Python takes UTF-8 with it all the same.
        "LC_ALL": "C",
        "TZ": "UTC",
        # boto3 would look for settings and credentials there, and then ask the network for them.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **variables,
    }


def start_process(command: Sequence[str], log_path: Path, *, directory: Path) -> subprocess.Popen[bytes]:
    """Start a server whose output replaces the log of its last run; its standard input closes when we end."""
    with log_path.open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=directory,
            env=build_environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches only us.
            start_new_session=True,
        )


def stop_process(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn until the process has ended, and give it that many seconds to do so."""
    for number, patience_seconds in steps:
        process.send_signal(number)
        try:
            process.wait(patience_seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.stdin:
        process.stdin.close()


def read_last_fault(log: str) -> str:
    """The last line that names an error, without its time and process id; else the last line of all."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        for level in ("PANIC:", "FATAL:", "ERROR:", "error:"):
            if level in line:
                return level + line.partition(level)[2].replace("  ", " ")
    return lines[-1] if lines else "it ended without a word"
