"""What a module makes, read from the state that its own tests leave, so that no expression is read twice."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.machine import require

MODULES = Path(__file__).parents[2] / "terraform" / "modules"

# A resource's values by its address.
Resources = dict[str, dict[str, Any]]


def find_terraform() -> str:
    """The program."""
    path = shutil.which("terraform")
    version = json.loads(_run(Path.cwd(), path, "version", "-json"))["terraform_version"] if path else "0.0"
    require(tuple(int(part) for part in version.split(".")[:2]) >= (1, 11), "Terraform >= 1.11")
    assert path is not None
    return path


def read_resources(module: str, file: str, run: str, directory: Path) -> Resources:
    """What the named run of one of the module's test files makes."""
    terraform = find_terraform()
    # A copy, so that neither the tree nor another test's provider directory is touched.
    copy = shutil.copytree(MODULES / module, directory / module, ignore=shutil.ignore_patterns(".terraform*"))
    _run(copy, terraform, "init", "-backend=false", "-input=false", "-no-color")
    lines = _run(copy, terraform, "test", "-json", "-verbose", f"-filter=tests/{file}.tftest.hcl").splitlines()
    messages = [json.loads(line) for line in lines]
    [state] = [message["test_state"] for message in messages if _is_state_of(message, run)]
    return {resource["address"]: resource["values"] for resource in state["root_module"]["resources"]}


def list_alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    """The alarms by their keys."""
    prefix = 'aws_cloudwatch_metric_alarm.this["'
    return {
        address.removeprefix(prefix).removesuffix('"]'): values
        for address, values in resources.items()
        if address.startswith(prefix)
    }


def list_own_alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    """Those on the service's own metrics."""
    alarms = list_alarms(resources)
    return {
        key: alarm
        for key, alarm in alarms.items()
        if not alarm["metric_query"] and not alarm["namespace"].startswith("AWS/")
    }


def _is_state_of(message: dict[str, Any], run: str) -> bool:
    return bool(message["type"] == "test_state" and message["@testrun"] == run)


def _run(directory: Path, *command: str | None) -> str:
    done = subprocess.run(
        [part for part in command if part], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
