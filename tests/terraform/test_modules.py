"""Terraform's own checks of terraform/: format, `validate` and `terraform test`, without AWS."""

import re
from concurrent.futures import Future

import pytest

from tests.terraform.program import MODULES, SOURCES, Root
from tests.terraform.rendered import Message


def test_files_are_formatted(terraform_environment: dict[str, str]) -> None:
    Root(SOURCES, terraform_environment).run("fmt", "-check", "-diff", "-recursive", "-no-color")


def test_arns_name_the_partition_of_the_account() -> None:
    sources = [path for path in SOURCES.rglob("*.tf") if ".terraform" not in path.parts]
    assert sources
    assert [path for path in sources if re.search(r"\barn:aws\b", path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("name", MODULES)
def test_directory_is_valid_and_passes_its_tests(name: str, module_tests: dict[str, Future[list[Message]]]) -> None:
    [summary] = [
        message["test_summary"] for message in module_tests[name].result() if message["type"] == "test_summary"
    ]
    # Without any test, `terraform test` succeeds too.
    assert summary["passed"] > 0
    assert summary["failed"] == summary["errored"] == summary["skipped"] == 0
