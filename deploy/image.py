"""The images of the functions: built from a commit, pushed once, and named by their digests from then on."""

import base64
import shutil
from typing import NamedTuple

from deploy.environment import Environment
from deploy.errors import DeployError, explain_failures
from deploy.process import run_program
from lambda_app.project import PREFIX

# As terraform/bootstrap calls it.
REPOSITORY = PREFIX
DOCKERFILE = "Dockerfile.lambda"
# All that is in the images. Whatever else a commit changes, the images stay the same.
SOURCES = (DOCKERFILE, ".dockerignore", "problem", "lambda_app", "requirements")
# Of each image: what its tag has after the commit, and the arguments of its build.
KINDS = {"serve": ("", ()), "analyse": ("-analyse", ("--build-arg", "PACKAGES=analyse"))}
BOOTSTRAP = f"there is no repository {REPOSITORY} in ECR: apply terraform/bootstrap to this account first"


class Images(NamedTuple):
    """The URIs of the images, by digest."""

    serve: str
    analyse: str


def find_images(environment: Environment) -> Images:
    """Return the images of this commit; DeployError when one was not pushed yet."""
    commit = read_tag()
    registry, _ = _log_in(environment)
    uris = {}
    for kind, (ending, _) in KINDS.items():
        tag = commit + ending
        digest = _find_digest(environment, tag)
        if digest is None:
            raise DeployError(
                f"ECR has no image of this commit ({tag}): run `python -m deploy image --env {environment.name}`"
            )
        uris[kind] = f"{registry}/{REPOSITORY}@{digest}"
    return Images(**uris)


def push_images(environment: Environment) -> Images:
    """Build and push the images of this commit, except those that ECR has; return their URIs by digest."""
    commit = read_tag()
    missing = [kind for kind, (ending, _) in KINDS.items() if _find_digest(environment, commit + ending) is None]
    if not missing:
        print(f"ECR has the images of {commit} already", flush=True)
        return find_images(environment)
    engine = find_engine()
    if engine is None:
        raise DeployError("building an image needs docker or podman, and neither is on PATH")
    registry, password = _log_in(environment)
    # Lambda runs no image with attestations beside it, which Docker would add.
    settings = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    names = []
    for kind in missing:
        ending, arguments = KINDS[kind]
        names.append(f"{registry}/{REPOSITORY}:{commit}{ending}")
        build = ("build", "--platform", "linux/amd64", "--file", DOCKERFILE, *arguments, "--tag", names[-1], ".")
        _run(engine, *build, advice="see above", settings=settings)
    login = ("login", "--username", "AWS", "--password-stdin", registry)
    _run(engine, *login, advice="may this caller push to ECR?", text=password)
    for name in names:
        _run(engine, "push", name, advice="once a tag is pushed it stays: if it is there now, run this again")
    return find_images(environment)


def read_tag() -> str:
    """The last commit that changed what is in the image; DeployError when there are changes beside it."""
    code, changed = run_program("git", "status", "--porcelain", "--", *SOURCES, capture=True)
    if code != 0:
        raise DeployError("git cannot tell which commit this is: deploy from a clone of the repository")
    if changed.strip():
        files = ", ".join(line[3:] for line in changed.splitlines())
        raise DeployError(f"not committed: {files}. The image is called by its commit, so commit or stash these first")
    _, commit = run_program("git", "log", "-1", "--format=%H", "--", *SOURCES, capture=True)
    return commit.strip()


def _find_digest(environment: Environment, tag: str) -> str | None:
    ecr = environment.session.client("ecr")
    with explain_failures("ECR", RepositoryNotFoundException=BOOTSTRAP):
        try:
            found = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])
        except ecr.exceptions.ImageNotFoundException:
            return None
    return str(found["imageDetails"][0]["imageDigest"])


def _log_in(environment: Environment) -> tuple[str, str]:
    """The registry's host name, and the password for it."""
    with explain_failures("ECR"):
        answer = environment.session.client("ecr").get_authorization_token()
    [data] = answer["authorizationData"]
    password = base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]
    return data["proxyEndpoint"].removeprefix("https://"), password


def find_engine() -> str | None:
    """Return the name of the container engine on PATH, if there is one."""
    return next((name for name in ("docker", "podman") if shutil.which(name)), None)


def _run(
    engine: str, *arguments: str, advice: str, text: str | None = None, settings: dict[str, str] | None = None
) -> None:
    code, _ = run_program(engine, *arguments, text=text, environment=settings)
    if code != 0:
        raise DeployError(f"`{engine} {arguments[0]}` failed with exit code {code}: {advice}")
