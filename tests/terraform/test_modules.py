"""Terraform's own checks in every directory under terraform/: format, `validate` and `terraform test`, without AWS."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.machine import require

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "terraform"
DIRECTORIES = sorted(
    {path.parent.relative_to(SOURCES).as_posix() for path in SOURCES.glob("**/*.tf") if ".terraform" not in path.parts}
)
# Write-only arguments came with it.
MINIMUM = (1, 11)


def run_terraform(
    *arguments: str, directory: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", *arguments], cwd=directory, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def terraform() -> None:
    """Terraform is there, and new enough."""
    version = (0, 0)
    if shutil.which("terraform"):
        # Whatever else it has to say of the machine goes to the same stream.
        said = run_terraform("version", "-json", directory=ROOT).stdout
        found = re.search(r'"terraform_version": "(\d+)\.(\d+)', said)
        version = (int(found[1]), int(found[2])) if found else version
    require(version >= MINIMUM, "Terraform >= 1.11")


@pytest.fixture(scope="session")
def copy(terraform: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, whole, since roots name modules by relative paths; Terraform leaves its files in here."""
    target = tmp_path_factory.mktemp("terraform") / "terraform"
    leftovers = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")
    shutil.copytree(SOURCES, target, ignore=leftovers)
    return target


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """What Terraform runs with; the provider comes from where the user's Terraform gets it."""
    # In build/, not in the copy: where it comes from a registry, one download does for all directories and all runs.
    cache = os.environ.get("TF_PLUGIN_CACHE_DIR") or str(ROOT / "build" / "terraform-plugins")
    Path(cache).mkdir(parents=True, exist_ok=True)
    # The user's keys, region and variables must not decide whether a test passes.
    users = ("AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE")
    return {name: value for name, value in os.environ.items() if not name.startswith(users)} | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_PLUGIN_CACHE_DIR": cache,
        # The copy has no lock that a cached provider could be checked against.
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
    }


def test_files_are_formatted(terraform: None) -> None:
    done = run_terraform("fmt", "-check", "-recursive", "-no-color", directory=SOURCES)
    assert done.returncode == 0, f"terraform fmt would change:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", DIRECTORIES)
def test_directory_is_valid_and_passes_its_tests(name: str, copy: Path, environment: dict[str, str]) -> None:
    for arguments in (["init", "-backend=false", "-input=false"], ["validate"], ["test"]):
        done = run_terraform(*arguments, "-no-color", directory=copy / name, env=environment)
        assert done.returncode == 0, f"terraform {arguments[0]} in {name}:\n{done.stdout}\n{done.stderr}"
    # Without any test, `terraform test` succeeds too. What only wires modules together may have none.
    passed = re.search(r"(\d+) passed, 0 failed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) > 0 or name.startswith("environments/"), f"{name} has no tests"
