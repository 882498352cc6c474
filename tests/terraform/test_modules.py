"""Terraform's own checks in every directory under terraform/: format, `validate` and `terraform test`, without AWS."""

import re
from pathlib import Path

import pytest

from tests.terraform.program import SOURCES, Root, copy_sources

DIRECTORIES = sorted(
    {path.parent.relative_to(SOURCES).as_posix() for path in SOURCES.glob("**/*.tf") if ".terraform" not in path.parts}
)


@pytest.fixture(scope="session")
def copy(terraform: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, each directory of which is initialised and tested."""
    return copy_sources(tmp_path_factory.mktemp("modules"))


def test_files_are_formatted(terraform: None, terraform_environment: dict[str, str]) -> None:
    Root(SOURCES, terraform_environment).run("fmt", "-check", "-diff", "-recursive", "-no-color")


@pytest.mark.parametrize("name", DIRECTORIES)
def test_directory_is_valid_and_passes_its_tests(name: str, copy: Path, terraform_environment: dict[str, str]) -> None:
    root = Root(copy / name, terraform_environment)
    root.run("init", "-backend=false", "-input=false", "-no-color")
    root.run("validate", "-no-color")
    output = root.run("test", "-no-color").stdout
    # Without any test, `terraform test` succeeds too. What only wires modules together may have none.
    passed = re.search(r"(\d+) passed, 0 failed", output)
    assert passed, output
    assert int(passed[1]) > 0 or name.startswith("environments/"), f"{name} has no tests"
