"""Terraform's program, run in a directory."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.aws_services import REPOSITORY

SOURCES = REPOSITORY / "terraform"


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
        errors = [line["@message"] for line in lines if line["@level"] == "error"]
        assert done.returncode == 0, "\n".join([*errors, done.stderr])
        *_, summary = (line["changes"] for line in lines if line["type"] == "change_summary")
        return {name: summary[name] for name in ("add", "change", "remove")}


def copy_sources(directory: Path) -> Path:
    """The sources, whole, since roots name modules by relative paths; Terraform leaves its files in there."""
    leftovers = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")
    return Path(shutil.copytree(SOURCES, directory / "terraform", ignore=leftovers))
