"""The image's step: what docker is told, and what ECR then says. Nothing is built or pushed: there is no registry."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws_services import ACCOUNT, REGION
from tests.deploy.conftest import Clone, tell_account

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.mark.usefixtures("bootstrap")
def test_an_image_is_built_pushed_by_its_commit_and_named_by_the_digest_that_ecr_tells(
    clone: Clone, connect_service: Callable[[str], Any]
) -> None:
    done = clone.deploy("image", "--env", "dev")
    assert done.returncode == 0, done.stderr

    commit = clone.git("rev-parse", "HEAD")
    name = f"{REGISTRY}/diabetes:{commit}"
    build, login, push = clone.read_docker_log()
    assert build == [
        *("build", "--platform", "linux/amd64", "--file", "Dockerfile.lambda", "--tag", name, "."),
        "",
    ]
    # The password comes by standard input: arguments are for everybody on the machine to read.
    password = login.pop()
    assert login == ["login", "--username", "AWS", "--password-stdin", REGISTRY]
    assert password
    assert push == ["push", name, ""]
    [known] = connect_service("ecr").describe_images(repositoryName="diabetes")["imageDetails"]
    assert known["imageTags"] == [commit]
    assert done.stdout.splitlines()[-1] == f"Image {REGISTRY}/diabetes@{known['imageDigest']}"
    assert password not in done.stdout + done.stderr


@pytest.mark.usefixtures("bootstrap")
def test_an_image_that_ecr_has_is_not_built_again(clone: Clone) -> None:
    first = clone.deploy("image", "--env", "dev").stdout.splitlines()[-1]
    (clone.path / "README.md").write_text("Nothing of this is in the image.")
    clone.git("add", "README.md")
    clone.git("commit", "--quiet", "--message", "second")

    again = clone.deploy("image", "--env", "dev")
    assert again.stdout.splitlines()[-1] == first
    assert [told[0] for told in clone.read_docker_log()] == ["build", "login", "push"]


@pytest.mark.usefixtures("bootstrap")
def test_what_is_not_committed_gets_no_image(clone: Clone) -> None:
    (clone.path / "lambda_app" / "new.py").write_text("")
    line = clone.refuse("image", "--env", "dev")
    assert line == (
        "not committed: lambda_app/new.py. The image is called by its commit, so commit or stash these first"
    )
    assert clone.read_docker_log() == []


@pytest.mark.usefixtures("bootstrap")
@pytest.mark.parametrize("command", ["build", "login", "push"])
def test_a_step_of_docker_that_fails_ends_it(clone: Clone, command: str) -> None:
    line = clone.refuse("image", "--env", "dev", DOCKER_FAILS=command)
    assert line.startswith(f"`docker {command}` failed with exit code 1: ")
    assert clone.read_docker_log()[-1][0] == command


@pytest.mark.usefixtures("bootstrap")
def test_a_machine_without_an_engine_is_told_so(clone: Clone, tmp_path: Path) -> None:
    git = shutil.which("git")
    assert git
    only = tmp_path / "only"
    only.mkdir()
    (only / "git").symlink_to(git)
    line = clone.refuse("image", "--env", "dev", PATH=str(only))
    assert line == "building the image needs docker or podman, and neither is on PATH"


def test_without_bootstrap_there_is_no_repository(clone: Clone) -> None:
    line = clone.refuse("image", "--env", "dev")
    assert line == "there is no repository diabetes in ECR: apply terraform/bootstrap to this account first"


@pytest.mark.usefixtures("bootstrap")
def test_a_plan_needs_the_image_of_this_commit(clone: Clone) -> None:
    line = clone.refuse("plan", "--env", "dev")
    commit = clone.git("rev-parse", "HEAD")
    assert line == f"ECR has no image of this commit ({commit}): run `python -m deploy image --env dev`"


def test_credentials_of_another_account_go_no_further(clone: Clone) -> None:
    tell_account(clone, "999999999999")
    for step in ("all", "plan", "destroy"):
        line = clone.refuse(step, "--env", "dev")
        assert line.startswith(
            "dev belongs to account 999999999999, by terraform/environments/dev/terraform.tfvars.json, and these "
            f"credentials are of account {ACCOUNT} (arn:aws:"
        )
