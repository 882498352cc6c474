"""The images of Dockerfile.lambda, built and run for real, alone and by SAM."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lambda_app.project import MAINTAIN_ROLE
from lambda_app.settings import Settings
from local.aws_services import AwsServices
from local.ports import LOOPBACK, describe_port_problem, find_free_ports
from local.postgres import Postgres
from local.seed import prepare_service
from local.stack import Stack
from tests.conftest import connect_database
from tests.events import EVENTS, check_answer, load_event

ROOT = Path(__file__).parents[2]
MAX_PACKAGES_MB = 250

Invoke = Callable[[str, str], dict[str, Any]]

pytestmark = pytest.mark.containers

# Runs inside the image; prints one JSON object.
INSPECT = """
import importlib.util, json, os, pathlib, ssl, sys
task = pathlib.Path(os.environ["LAMBDA_TASK_ROOT"])
sources = [path for path in task.rglob("*.py") if "lambda_app" in path.parts or "fastapi" in path.parts]
flags = [pathlib.Path(importlib.util.cache_from_source(str(path))).read_bytes()[4] for path in sources]
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "runtime": os.environ["MODEL_RUNTIME"],
    "authorities": [str(told["subject"]) for told in ssl.create_default_context().get_ca_certs()],
    "bytecode_flags": sorted(set(flags)),
    "sources": len(sources),
    "size_mb": sum(path.stat().st_size for path in task.rglob("*") if path.is_file()) / 1e6,
    "top": sorted(path.name for path in task.iterdir()),
}))
"""

# Invokes a function once with the event on standard input, as the runtime client would.
INVOKE = """
import importlib, json, sys, types, uuid
function = getattr(importlib.import_module("lambda_app.handler"), sys.argv[1])
context = types.SimpleNamespace(aws_request_id=str(uuid.uuid4()), function_name="f", function_version="1",
                                memory_limit_in_mb=1024, invoked_function_arn="arn")
print(json.dumps(function(json.load(sys.stdin), context)))
"""


def run(command: list[str], env: dict[str, str] | None = None, text: str | None = None) -> str:
    """Run a command with `text` as its input and return its output."""
    done = subprocess.run(command, cwd=ROOT, env=env, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])} …\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def build(engine: str) -> Callable[[str], str]:
    """Build the image serve for a runtime, or the image analyse, and return its name."""
    builder = "podman" if engine.startswith("Podman") else "docker"

    def build_image(name: str) -> str:
        image = f"localhost/diabetes-ml-test:{name}"
        argument = "PACKAGES=analyse" if name == "analyse" else f"RUNTIME={name}"
        run([builder, "build", "-q", "-f", "Dockerfile.lambda", "--build-arg", argument, "-t", image, "."])
        return image

    return build_image


@pytest.fixture(scope="module")
def sam(engine: str, sam_venv: Path) -> Callable[..., str]:
    """Run SAM in a shell without variables, except those that lead to the engine."""
    shell = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    program = str(sam_venv / "bin" / "sam")
    return lambda *arguments: run([program, *arguments], env={**shell, "SAM_CLI_TELEMETRY": "0"})


@pytest.fixture(scope="module")
def built_template(sam: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sam")
    sam("build", "--build-dir", str(directory))
    return directory / "template.yaml"


@pytest.fixture(scope="module")
def bridge_environment(
    build: Callable[[str], str], bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of a service whose database, S3 and SQS a container on the bridge can reach."""
    # Podman's bridge has its address on this machine as long as a container is on it.
    holder = ["docker", "run", "--detach", "--rm", "--network", "bridge", "--entrypoint", "python", build("litert")]
    container = run([*holder, "-c", "import time; time.sleep(1800)"]).strip()
    gateway = run(["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]).strip()
    http_port, database_port, aws_port = find_free_ports(3)
    # Docker Desktop has the bridge in its virtual machine, and leads containers to the loopback interface.
    host = LOOPBACK if describe_port_problem(database_port, gateway) else gateway
    directory = tmp_path_factory.mktemp("bridge")
    with (
        Postgres(directory / "postgres", database_port, host) as postgres,
        AwsServices(directory / "aws.log", aws_port, host) as aws,
    ):
        yield prepare_service(Stack(http_port, postgres, aws), bundle)
    run(["docker", "kill", container])


def inspect(image: str) -> dict[str, Any]:
    """Look into an image, and check what both kinds have in common."""
    found: dict[str, Any] = json.loads(run(["docker", "run", "--rm", "--entrypoint", "python", image, "-c", INSPECT]))
    assert found["python"] == "3.13"
    # 1 is hash-based and unchecked: Python takes the bytecode without a look at the source.
    assert found["bytecode_flags"] == [1]
    assert found["sources"] > 50
    assert len(found["authorities"]) >= 5
    assert all("Amazon" in name or "Starfield" in name for name in found["authorities"])
    assert not {"training", "local", "tests", "bin"} & set(found["top"])
    return found


def invoke_in(image: str, function: str, event: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    command = ["docker", "run", "--rm", "-i", "--network", "host", *variables, "--entrypoint", "python", image]
    output = run([*command, "-c", INVOKE, function], text=json.dumps(event))
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


def test_image_analyse_holds_what_maintain_needs_and_works(
    build: Callable[[str], str], environment: dict[str, str], bucket: str
) -> None:
    image = build("analyse")
    found = inspect(image)
    assert {"numpy", "pyarrow"} <= set(found["top"])
    assert not {"ai_edge_litert", "tensorflow", "pip", "setuptools", "wheel", "uv"} & set(found["top"])
    own = {"DATABASE_USER": MAINTAIN_ROLE, "RECORDS_BUCKET": bucket}
    answer = invoke_in(image, "maintain", load_event("maintain_daily"), environment | own)
    assert answer["default_rows"] == answer["expired_keys"] == 0


@pytest.mark.parametrize("runtime", ["litert", "tensorflow"])
def test_image_holds_what_serving_needs_and_answers(
    runtime: str, build: Callable[[str], str], environment: dict[str, str]
) -> None:
    image = build(runtime)
    found = inspect(image)
    assert found["runtime"] == runtime
    assert ("tensorflow" in found["top"]) == (runtime == "tensorflow")
    if runtime == "litert":  # TensorFlow itself asks for setuptools and wheel
        assert not {"pip", "setuptools", "wheel", "uv"} & set(found["top"])
        assert found["size_mb"] <= MAX_PACKAGES_MB
    check_answer("predict", invoke_in(image, "api", load_event("predict"), environment))


def test_template_is_valid(sam: Callable[..., str]) -> None:
    assert "is a valid SAM Template" in sam("validate", "--lint")


def test_template_names_every_variable_of_the_environment_file() -> None:
    # SAM passes on no others.
    given = json.loads((EVENTS / "env.json").read_text(encoding="utf-8"))
    named = re.findall(r'^ {8}([A-Z_]+): ""$', (ROOT / "template.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) == {*given["Parameters"], *given["ApiFunction"]}


@pytest.fixture
def invoke_by_sam(
    sam: Callable[..., str], built_template: Path, bridge_environment: dict[str, str], tmp_path: Path
) -> Invoke:
    """Let SAM invoke a function with one of the sample events."""
    settings = Settings.from_env(bridge_environment)
    aws_port = bridge_environment["AWS_ENDPOINT_URL"].rpartition(":")[2]
    # The file as it is, but for the ports, which are those of `make run`.
    text = (EVENTS / "env.json").read_text(encoding="utf-8")
    variables = tmp_path / "env.json"
    variables.write_text(text.replace("8001", str(settings.database_port)).replace("8002", aws_port))

    def invoke(function: str, name: str) -> dict[str, Any]:
        options = ["--template", str(built_template), "--env-vars", str(variables), "--event", f"events/{name}.json"]
        if settings.database_host != LOOPBACK:
            options += ["--add-host", f"host.docker.internal:{settings.database_host}"]
        answer: dict[str, Any] = json.loads(sam("local", "invoke", function, *options).splitlines()[-1])
        return answer

    return invoke


def count_rows(environment: dict[str, str], request_id: str) -> int:
    connection = connect_database(Settings.from_env(environment))
    [[count]] = connection.run("SELECT count(*) FROM predictions WHERE request_id = :id", id=UUID(request_id))
    connection.close()
    return int(count)


# Text, an error, and a page in base64. The other events get the same answers without a container.
@pytest.mark.parametrize("name", ["predict", "predict_batch", "predict_invalid", "page"])
def test_sam_local_invoke_gets_the_answer(name: str, invoke_by_sam: Invoke, bridge_environment: dict[str, str]) -> None:
    answer = invoke_by_sam("ApiFunction", name)
    check_answer(name, answer)
    if answer["statusCode"] == 200 and name.startswith("predict"):
        body = json.loads(answer["body"])
        for prediction in body.get("predictions", [body]):
            assert count_rows(bridge_environment, prediction["request_id"]) == 1


def test_sam_local_invoke_runs_the_other_functions(invoke_by_sam: Invoke, bridge_environment: dict[str, str]) -> None:
    assert invoke_by_sam("ReplayFunction", "replay") == load_event("replay.answer")
    [record] = json.loads(load_event("replay")["Records"][0]["body"])["records"]
    assert count_rows(bridge_environment, record["request_id"]) == 1
    assert invoke_by_sam("MigrateFunction", "health") == {"applied": []}
    assert invoke_by_sam("MaintainFunction", "maintain_daily")["default_rows"] == 0
