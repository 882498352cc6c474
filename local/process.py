"""Child processes of the stack: each in a session of its own, so that Ctrl-C reaches only us, and ended by its id."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def start_process(
    command: Sequence[str], log_path: Path, *, directory: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a server whose output replaces the log of its last run; its standard input closes when we end."""
    with log_path.open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
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
        for level in ("PANIC:", "FATAL:", "ERROR:"):
            if level in line:
                return level + line.partition(level)[2].replace("  ", " ")
    return lines[-1] if lines else "it ended without a word"
