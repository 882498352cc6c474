"""Schemathesis reads the API's description, sends what it allows and what it does not, and finds no contradiction."""

import dataclasses
import os
import re
import subprocess
from pathlib import Path

from lambda_app.handler import build_app
from lambda_app.settings import Settings
from lambda_app.telemetry import Telemetry
from local.aws_services import REPOSITORY
from tests.api.front import TokenFront, serve

TOKEN = "token-of-the-tester"
# At least so many; API_CASES=10000 is the long run, of some minutes.
CASES = int(os.environ.get("API_CASES", "500"))
# Each example that an operation may have comes to so many cases in all, by four operations and what follows upon them.
CASES_PER_EXAMPLE = 10


def test_the_service_answers_as_it_is_described(settings: Settings, tmp_path: Path) -> None:
    quiet = dataclasses.replace(settings, log_level="CRITICAL", service_name="described")
    app = build_app(quiet, Telemetry(quiet, emit_emf=False))
    command: list[str | Path] = [REPOSITORY / ".venv" / "bin" / "schemathesis", "--no-color", "run", "--checks", "all"]
    options = ["--max-examples", str(CASES // CASES_PER_EXAMPLE), "--header", f"Authorization: Bearer {TOKEN}"]
    with serve(TokenFront(app, TOKEN)) as url:
        done = subprocess.run(
            [*command, *options, f"{url}/openapi.json"],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "SCHEMATHESIS_HOOKS": "tests.api.hooks"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    [generated] = re.findall(r"^  ([\d,]+) generated", done.stdout, re.MULTILINE)
    assert int(generated.replace(",", "")) >= CASES, done.stdout
    print(done.stdout)
