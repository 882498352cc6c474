"""Debian's packages that tests need: looked for, and in CI installed."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from local.debian import has_programs
from tests.machine import require

SERVERS = ("postgresql", "pgbouncer")
# Without a font the browser draws no letter.
BROWSER = ("chromium", "fonts-dejavu-core")
INSTALL_SECONDS = 300
POLICY = Path("/usr/sbin/policy-rc.d")


def require_programs() -> None:
    """Skip the test where the two servers are missing."""
    _require_packages(has_programs, SERVERS)


def require_browser() -> str:
    """The path of Chromium; skip the test where it is missing."""
    _require_packages(_find_browser, BROWSER)
    return _find_browser()


def _require_packages(find: Callable[[], object], packages: Sequence[str]) -> None:
    """With REQUIRE_ALL=1 install them first, for which we must be root."""
    if not find() and os.environ.get("REQUIRE_ALL") == "1" and shutil.which("apt-get"):
        _install(packages)
    require(find(), f"Debian's {' and '.join(packages)} (apt-get install {' '.join(packages)})")


def _find_browser() -> str:
    return shutil.which("chromium") or ""


def _install(packages: Sequence[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _without_services():
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments]
            result = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
            )
            assert result.returncode == 0, result.stdout[-1000:] + result.stderr[-1000:]


@contextlib.contextmanager
def _without_services() -> Iterator[None]:
    """Debian's packages start their services as they are installed, unless the machine's policy forbids it."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
