"""Functions under the Runtime Interface Emulator, the page in Chromium, and the engine that runs containers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from local.emulator import Emulator
from local.environment import DATABASE_USERS, Function
from local.ports import LOOPBACK, find_free_ports
from local.process import build_environment
from tests.end_to_end.browsing import OTHER_NAME, Visit, Visiting, open_context, serve
from tests.machine import require
from tests.standins import debian

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start_emulator(
    emulator_path: Path, environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Emulator]]:
    """Start a function of the handler as Lambda does, until the test ends."""
    started: list[Emulator] = []

    def start(function: Function = "api", **changed: str) -> Emulator:
        own = {**environment, "DATABASE_USER": DATABASE_USERS[function]}
        emulator = Emulator(
            emulator_path,
            [sys.executable, "-m", "awslambdaric", f"lambda_app.handler.{function}"],
            build_environment(**{**own, **changed, "PYTHONPATH": str(ROOT)}),
            find_free_ports(2),
            tmp_path / f"emulator-{len(started)}.log",
        )
        started.append(emulator)
        return emulator

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium for a module, since playwright's event loop prevents others."""
    path = debian.require_browser()
    with sync_playwright() as playwright:
        arguments = [f"--host-resolver-rules=MAP {OTHER_NAME} {LOOPBACK}"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_url(browser: Browser, environment: dict[str, str]) -> Iterator[str]:
    """Serve the page with its API. A test that breaks something serves its own."""
    with serve(environment) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, page_url: str) -> Iterator[Visiting]:
    """Open the page in a window of its own, in which no error may occur until the test ends."""
    visits: list[Visit] = []

    def open_visit(url: str = page_url, *, opened: bool = True, **options: Any) -> Visit:
        visits.append(Visit(open_context(browser, **options), url))
        if opened:
            visits[-1].open()
        return visits[-1]

    yield open_visit
    for each in visits:
        each.close()


@pytest.fixture(scope="session")
def engine() -> str:
    """Return the kind of engine behind Docker's API."""
    version = ["docker", "version", "--format", "{{(index .Server.Components 0).Name}}"]
    found = shutil.which("docker") and subprocess.run(version, capture_output=True, text=True, check=False)
    require(found and found.returncode == 0, "a container engine that answers `docker version`")
    return found.stdout.strip() if found else ""
