"""Terraform's own checks of terraform/: format, `validate` and `terraform test`, without AWS."""

from concurrent.futures import Future

import pytest

from tests.terraform.program import MODULES, SOURCES, Root
from tests.terraform.rendered import Message


def test_files_are_formatted(terraform_environment: dict[str, str]) -> None:
    Root(SOURCES, terraform_environment).run("fmt", "-check", "-diff", "-recursive", "-no-color")


@pytest.mark.parametrize("name", MODULES)
def test_directory_is_valid_and_passes_its_tests(name: str, module_tests: dict[str, Future[list[Message]]]) -> None:
    [summary] = [
        message["test_summary"] for message in module_tests[name].result() if message["type"] == "test_summary"
    ]
    # Without any test, `terraform test` succeeds too.
    assert summary["passed"] > 0
    assert summary["failed"] == summary["errored"] == summary["skipped"] == 0
