"""Makes .venv hold exactly the hashed locks. Make runs it with the system's Python, so it needs no package at all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
UV_LOCK = ROOT / "requirements" / "uv.txt"
LOCK = ROOT / "requirements" / "dev.txt"
# What .venv was filled from. Written last: where it is missing, .venv is half-made and is made again.
STAMP = VENV / "installed.txt"
LOG = ROOT / "build" / "set-up.log"
SILENCE_SECONDS = 25
UNREACHABLE = re.compile(r"from versions: none|Retrying \(|Failed to fetch|error sending request|dns error", re.I)


def main() -> int:
    only_uv = "--only-uv" in sys.argv[1:]
    locks = UV_LOCK.read_text() + LOCK.read_text() if LOCK.exists() else ""
    stamp = STAMP.read_text() if STAMP.exists() else None
    if runs(UV if only_uv else PYTHON) and (only_uv or stamp == locks):
        return 0
    started = time.monotonic()
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("")
    if stamp is None or not runs(UV):
        make_environment()
    else:
        say("Updating .venv: the locked packages have changed ...")
    if not only_uv:
        sync_packages()
        STAMP.write_text(locks)
    say(f".venv is ready after {time.monotonic() - started:.0f} s.")
    return 0


def make_environment() -> None:
    """An empty environment with the locked uv in it."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise SystemExit(
            f"This needs Python 3.11, 3.12 or 3.13, and {sys.executable} is {sys.version.split()[0]}: "
            "name another, for example make PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError:
        raise SystemExit(
            f"{sys.executable} has no venv module: install it (Debian, Ubuntu: apt install "
            f"python3.{sys.version_info[1]}-venv), or name another Python: make PYTHON=..."
        ) from None
    say("Setting up .venv (once, about a minute) ...")
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    # "Downloading" comes when the registry has answered; until then only retries can be going on.
    run(
        [*pip, "install", "--require-hashes", "--retries", "2", "--timeout", "10", "-r", str(UV_LOCK)],
        sign_of_life="Downloading|cached",
    )


def sync_packages() -> None:
    """Install what is missing or different and remove what isn't locked."""
    say("Installing the locked packages ...")
    STAMP.unlink(missing_ok=True)
    environment = {"UV_HTTP_RETRIES": "2", **find_registry(), **os.environ}
    command = [str(UV), "pip", "sync", "--require-hashes", "--no-build", "--no-progress", "--python", str(PYTHON)]
    run([*command, str(UV_LOCK), str(LOCK)], environment=environment)


def find_registry() -> dict[str, str]:
    """The registry of pip's settings, which uv doesn't read, for uv."""
    result = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=False
    )
    found = dict(re.findall(r"^\S*\.(index-url|cert|trusted-host)='(.*)'$", result.stdout, re.M))
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "trusted-host": "UV_INSECURE_HOST"}
    return {names[key]: value for key, value in found.items()}


def run(command: list[str], sign_of_life: str = "", environment: dict[str, str] | None = None) -> None:
    """Run a step with its output in the log; end with one line where it fails, or stays silent for too long."""
    start = LOG.stat().st_size
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + SILENCE_SECONDS
    while process.poll() is None:
        time.sleep(0.05)
        if sign_of_life and time.monotonic() > deadline and not re.search(sign_of_life, read_log(start)):
            process.kill()
    output = read_log(start)
    if process.returncode == 0:
        return
    if UNREACHABLE.search(output) or process.returncode < 0:
        raise SystemExit(f"The package registry can't be reached: {describe(output)}. All of it: {LOG}")
    raise SystemExit(f"Setting up .venv failed: {describe(output)}. All of it: {LOG}")


def read_log(start: int) -> str:
    return LOG.read_bytes()[start:].decode(errors="replace")


def describe(output: str) -> str:
    """The most telling part of what pip or uv said; of several causes, the last is the first in time."""
    for pattern in (r"\[Errno -?\d+\] ([^'\")\n]+)", r"(Read timed out)", r"cause: (.+)", r"error: (.+)"):
        reasons: list[str] = re.findall(pattern, output, re.I)
        if reasons:
            return reasons[-1].strip().rstrip(".")
    return "no answer"


def runs(program: Path) -> bool:
    """True when a program of .venv starts; one of a removed Python doesn't."""
    try:
        return subprocess.run([str(program), "--version"], stdout=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
