"""Terraform: its version, its provider, and a directory to run it in."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from local.aws_services import REPOSITORY
from tests.machine import require

SOURCES = REPOSITORY / "terraform"
# Directories with tests of their own. The environments' roots are planned instead.
MODULES = ["bootstrap", *sorted(f"modules/{path.name}" for path in (SOURCES / "modules").iterdir())]
# Write-only arguments came with it.
MINIMUM = (1, 11)


@dataclass(frozen=True)
class Root:
    """A directory that Terraform is run in."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, accepted: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Fail unless Terraform ends with an accepted status."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.directory,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"terraform {' '.join(arguments)} in {self.directory.name}:\n{done.stdout}\n{done.stderr}"
        assert done.returncode in accepted, said
        return done

    def change(self, command: str, *arguments: str) -> dict[str, int]:
        """Apply or destroy, and return how many resources were added, changed and removed."""
        done = self.run(command, "-auto-approve", "-input=false", "-json", *arguments, accepted=(0, 1))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        # Of what it did, only what went wrong.
        errors = [line["diagnostic"] for line in lines if line["type"] == "diagnostic" and line["@level"] == "error"]
        said = [f"{error['summary']}: {error['detail']}" for error in errors]
        assert done.returncode == 0, "\n".join([*said, done.stderr])
        *_, summary = (line["changes"] for line in lines if line["type"] == "change_summary")
        return {name: summary[name] for name in ("add", "change", "remove")}


def copy_sources(directory: Path) -> Path:
    """Copy terraform/ and what it reads of problem/, so that Terraform leaves no files in the repository."""
    leftovers = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")
    (directory / "problem").mkdir()
    for name in ("project.json", "columns.json"):
        shutil.copy(REPOSITORY / "problem" / name, directory / "problem")
    return Path(shutil.copytree(SOURCES, directory / "terraform", ignore=leftovers))


def require_terraform() -> None:
    """Skip without a Terraform that is new enough and gets its provider."""
    require(_find_version() >= MINIMUM, "Terraform >= 1.11")
    fault = _find_fault_of_provider()
    require(not fault, f"Terraform's provider for AWS ({fault})")


def share_providers() -> dict[str, str]:
    """Return the variables that give Terraform a provider cache. Its source is the user's choice."""
    # In build/: where it is a registry, one download does for all directories and all runs.
    directory = os.environ.get("TF_PLUGIN_CACHE_DIR") or str(REPOSITORY / "build" / "terraform-plugins")
    Path(directory).mkdir(parents=True, exist_ok=True)
    return {
        "CHECKPOINT_DISABLE": "1",
        "TF_PLUGIN_CACHE_DIR": directory,
        # A copy of the sources has no lock that a cached provider could be checked against.
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
    }


def build_environment() -> dict[str, str]:
    """Return the environment of Terraform, without the user's AWS settings and Terraform variables."""
    users = ("AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(users)}
    return {
        **inherited,
        **share_providers(),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "TF_IN_AUTOMATION": "1",
    }


@cache
def _find_version() -> tuple[int, int]:
    if not shutil.which("terraform"):
        return (0, 0)
    # Whatever else it has to say of the machine goes to the same stream.
    command = ["terraform", "version", "-json"]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
    found = re.search(r'"terraform_version": "(\d+)\.(\d+)', said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@cache
def _find_fault_of_provider() -> str:
    """Return Terraform's error, in a line, if it cannot get the provider, or an empty text."""
    with TemporaryDirectory() as directory:
        shutil.copy(SOURCES / "modules" / "network" / "versions.tf", directory)
        command = ["terraform", "init", "-input=false", "-no-color"]
        environment = build_environment()
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    found = re.search(r"^Error: (.+)$", done.stderr, re.MULTILINE)
    return found[1] if found else "terraform init fails"
