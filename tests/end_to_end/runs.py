"""`make run` in a clone of its own, and the commands that it prints."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pg8000.native

from tests.machine import require

ROOT = Path(__file__).parents[2]
# The first start trains, on cores that others may need.
START_SECONDS = 300
LINKED = (".venv", "Makefile", "deploy", "local", "lambda_app", "problem", "stacks", "training")


def copy_tracked_files(target: Path) -> None:
    """Copy the tracked files as they are now, and no other."""
    require(shutil.which("git") and (ROOT / ".git").exists(), "a git repository")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.rstrip("\0").split("\0"):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            # With its times, by which builders know what they have built before.
            shutil.copy2(ROOT / name, target / name)


class Clone:
    """A directory like a clone of the repository, with build/ of its own."""

    def __init__(self, directory: Path, linked: Iterable[str] = LINKED) -> None:
        self.directory = directory
        require((ROOT / ".venv" / "bin" / "python").exists(), ".venv: run make test")
        for name in linked:
            (directory / name).symlink_to(ROOT / name)
        self.models = directory / "build" / "models"
        self.models.mkdir(parents=True)

    @property
    def shell(self) -> dict[str, str]:
        """The environment of a shell without further variables."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory / "build")}

    def do(self, script: str, variables: Mapping[str, str] | None = None) -> str:
        """Run the lines in a shell in the clone and return the output; they must succeed."""
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=self.directory,
            env=self.shell | dict(variables or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout


class Run:
    """A command that runs the stack, with its output in a file."""

    def __init__(self, clone: Clone, command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        self.log_path = clone.directory / "build" / "output.txt"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=clone.directory,
                env=clone.shell | dict(variables or {}),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def read(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def wait_until_ready(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C stops everything" not in self.read():
            assert self.process.poll() is None, self.read()
            assert time.monotonic() < deadline, self.read()
            time.sleep(0.1)
        return self.read()

    def interrupt(self) -> int:
        """Press Ctrl-C: a terminal signals the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)


def run_printed_curl(output: str) -> dict[str, Any]:
    """Run the curl command of the output, once the server listens, and return the answer."""
    require(shutil.which("curl"), "curl")
    [line] = re.findall(r"^  (curl .*)$", output, re.MULTILINE)
    command = [*shlex.split(line), "--noproxy", "*", "--retry", "20", "--retry-connrefused", "--retry-delay", "1"]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return answer


def find_registry_command(output: str) -> str:
    """Return the command for the registry, of two lines, from the output."""
    [command] = re.findall(r"^  (env -i .*\\\n.*training list.*)$", output, re.MULTILINE)
    return str(command)


def query(output: str, statement: str) -> list[Any]:
    """Ask the database by the address in the output."""
    [(user, password, host, port, name)] = re.findall(r"postgresql://(\w+):(\w+)@([\d.]+):(\d+)/(\w+)", output)
    connection = pg8000.native.Connection(user, password=password, host=host, port=int(port), database=name)
    rows: list[Any] = connection.run(statement)
    connection.close()
    return rows


def count_rows(output: str) -> int:
    [[count]] = query(output, "SELECT count(*) FROM predictions")
    return int(count)
