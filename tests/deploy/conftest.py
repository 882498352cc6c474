"""A clone to deploy from, and an AWS account by moto's server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.aws_services import ACCOUNT, REGION, AwsServices
from local.certificates import Certificates, make_certificates
from local.ports import find_free_ports
from tests.machine import require
from tests.terraform.program import share_providers

REPOSITORY = Path(__file__).parents[2]
STATE_BUCKET = f"diabetes-states-{ACCOUNT}"
KEY_ID, SECRET = "AKIDEXAMPLE", "secret-of-the-test"

# A stand-in for docker: it logs its arguments, and a push makes ECR know the image. There is no registry.
DOCKER = """#!{python}
import hashlib, json, os, sys
import boto3
arguments = sys.argv[1:]
said = sys.stdin.read() if "--password-stdin" in arguments else ""
with open(os.environ["DOCKER_LOG"], "a") as log:
    log.write(json.dumps([*arguments, said]) + "\\n")
if arguments[0] == os.environ.get("DOCKER_FAILS"):
    sys.exit(1)
if arguments[0] == "push":
    repository, tag = arguments[1].partition("/")[2].split(":")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    layer = {{"mediaType": kind, "size": 1, "digest": "sha256:" + hashlib.sha256(tag.encode()).hexdigest()}}
    manifest = {{"schemaVersion": 2, "mediaType": kind, "config": layer, "layers": [layer]}}
    boto3.client("ecr").put_image(repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest))
"""


@dataclass
class Clone:
    """A clone of the repository on a deployer's machine; `environment` is that of the deployer's shell."""

    path: Path
    environment: dict[str, str]

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL, **changed: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.path,
            env=self.environment | changed,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def deploy(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        process = self.start("deploy", *arguments, stdin=subprocess.DEVNULL, **changed)
        output, errors = process.communicate(timeout=600)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def refuse(self, *arguments: str, **changed: str) -> str:
        """Return the error of a deployment that must fail: its last line."""
        done = self.deploy(*arguments, **changed)
        assert done.returncode == 1, done.stdout + done.stderr
        line = done.stderr.splitlines()[-1]
        assert line.startswith("Error: ")
        assert "Traceback" not in done.stdout + done.stderr
        return line.removeprefix("Error: ")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def read_docker_log(self) -> list[list[str]]:
        """Return the arguments of each command of docker, with its standard input as the last."""
        log = Path(self.environment["DOCKER_LOG"])
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServices]:
    """Start an empty account."""
    [port] = find_free_ports(1)
    with AwsServices(tmp_path_factory.mktemp("cloud") / "aws.log", port) as cloud:
        yield cloud


@pytest.fixture
def connect_service(cloud: AwsServices) -> Callable[[str], Any]:
    """Connect to a service of the account, whatever the environment variables are."""

    def connect(service: str) -> Any:
        session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name=REGION)
        # By a variable, since the stubs know only literals.
        create: Callable[..., Any] = session.client
        return create(service, endpoint_url=cloud.endpoint_url)

    return connect


@pytest.fixture
def bootstrap(connect_service: Callable[[str], Any]) -> Iterator[None]:
    """Make what a deployment needs of terraform/bootstrap: the bucket of the states and the repository."""
    s3, ecr = connect_service("s3"), connect_service("ecr")
    s3.create_bucket(Bucket=STATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    ecr.create_repository(repositoryName="diabetes", imageTagMutability="IMMUTABLE")
    yield
    ecr.delete_repository(repositoryName="diabetes", force=True)
    for stored in s3.list_objects_v2(Bucket=STATE_BUCKET).get("Contents", []):
        s3.delete_object(Bucket=STATE_BUCKET, Key=stored["Key"])
    s3.delete_bucket(Bucket=STATE_BUCKET)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def clone(tmp_path: Path, cloud: AwsServices, certificates: Certificates) -> Clone:
    """Return a committed clone with the account of dev."""
    require(shutil.which("git"), "git")
    path = tmp_path / "clone"
    leftovers = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", "terraform.tfvars*")
    for name in ("deploy", "events", "lambda_app", "local", "problem", "requirements", "terraform", "training"):
        shutil.copytree(REPOSITORY / name, path / name, ignore=leftovers)
    for name in ("Dockerfile.lambda", ".dockerignore", ".gitignore", "Makefile"):
        shutil.copy(REPOSITORY / name, path)
    environment = _make_environment(tmp_path, cloud.endpoint_url, certificates.ca_path)
    clone = Clone(path, environment)
    clone.git("init", "--quiet")
    clone.git("add", ".")
    clone.git("commit", "--quiet", "--message", "first")
    variables = path / "terraform" / "environments" / "dev" / "terraform.tfvars.json"
    variables.write_text(json.dumps({"account_id": ACCOUNT, "region": REGION}))
    return clone


def _make_environment(directory: Path, endpoint_url: str, ca_path: Path) -> dict[str, str]:
    programs = directory / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(DOCKER.format(python=sys.executable))
    docker.chmod(0o755)
    own = ("AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE", "GIT_", "API_TOKEN", "COV")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {
        **inherited,
        **share_providers(),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "DOCKER_LOG": str(directory / "docker.log"),
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CA_BUNDLE": str(ca_path),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # moto knows buckets by path alone; the names of hosts are AWS's.
        "TF_CLI_ARGS_init": "-backend-config=use_path_style=true",
    }
