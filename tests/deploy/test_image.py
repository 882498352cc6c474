"""The step `image`: the commands of docker and the digests of ECR. Nothing is built or pushed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws_services import ACCOUNT, REGION
from tests.deploy.conftest import Clone

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.mark.usefixtures("bootstrap")
def test_images_are_built_once_pushed_by_their_commit_and_named_by_their_digests(
    clone: Clone, connect_service: Callable[[str], Any]
) -> None:
    done = clone.deploy("image", "--env", "dev")
    assert done.returncode == 0, done.stderr

    commit = clone.git("rev-parse", "HEAD")
    name = f"{REGISTRY}/diabetes:{commit}"
    serve, analyse, login, *pushes = clone.read_docker_log()
    build = ("build", "--platform", "linux/amd64", "--file", "Dockerfile.lambda")
    assert serve == [*build, "--tag", name, ".", ""]
    assert analyse == [*build, "--build-arg", "PACKAGES=analyse", "--tag", f"{name}-analyse", ".", ""]
    # The password comes by standard input, since everybody on the machine can read arguments.
    password = login.pop()
    assert login == ["login", "--username", "AWS", "--password-stdin", REGISTRY]
    assert password
    assert pushes == [["push", name, ""], ["push", f"{name}-analyse", ""]]
    known = {
        tag: image["imageDigest"]
        for image in connect_service("ecr").describe_images(repositoryName="diabetes")["imageDetails"]
        for tag in image["imageTags"]
    }
    assert known.keys() == {commit, f"{commit}-analyse"}
    assert done.stdout.splitlines()[-2:] == [
        f"Image serve {REGISTRY}/diabetes@{known[commit]}",
        f"Image analyse {REGISTRY}/diabetes@{known[f'{commit}-analyse']}",
    ]
    assert password not in done.stdout + done.stderr

    # A commit that changes nothing in the image is not built again.
    (clone.path / "README.md").write_text("This file is not in the image.")
    clone.git("add", "README.md")
    clone.git("commit", "--quiet", "--message", "second")
    again = clone.deploy("image", "--env", "dev")
    assert again.stdout.splitlines()[-2:] == done.stdout.splitlines()[-2:]
    assert len(clone.read_docker_log()) == 5


@pytest.mark.usefixtures("bootstrap")
def test_only_the_image_that_is_missing_is_built(clone: Clone, connect_service: Callable[[str], Any]) -> None:
    assert clone.deploy("image", "--env", "dev").returncode == 0
    commit = clone.git("rev-parse", "HEAD")
    tag = f"{commit}-analyse"
    connect_service("ecr").batch_delete_image(repositoryName="diabetes", imageIds=[{"imageTag": tag}])
    assert clone.refuse("plan", "--env", "dev") == (
        f"ECR has no image of this commit ({tag}): run `python -m deploy image --env dev`"
    )
    done = clone.read_docker_log()
    assert clone.deploy("image", "--env", "dev").returncode == 0
    assert [arguments[0] for arguments in clone.read_docker_log()[len(done) :]] == ["build", "login", "push"]
    assert clone.read_docker_log()[-1] == ["push", f"{REGISTRY}/diabetes:{tag}", ""]


@pytest.mark.usefixtures("bootstrap")
def test_what_is_not_committed_gets_no_image(clone: Clone) -> None:
    (clone.path / "lambda_app" / "new.py").write_text("")
    line = clone.refuse("image", "--env", "dev")
    assert line == (
        "not committed: lambda_app/new.py. The image is called by its commit, so commit or stash these first"
    )
    assert clone.read_docker_log() == []


@pytest.mark.usefixtures("bootstrap")
def test_a_step_of_docker_that_fails_ends_it(clone: Clone) -> None:
    for command in ("build", "login", "push"):
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
    assert line == "building an image needs docker or podman, and neither is on PATH"


def test_without_bootstrap_there_is_no_repository(clone: Clone) -> None:
    line = clone.refuse("image", "--env", "dev")
    assert line == "there is no repository diabetes in ECR: apply terraform/bootstrap to this account first"
