"""The functions maintain and monitor beside the stack of `make run`, each in a process of its own."""

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lambda_app.handler import MAINTENANCE_SECONDS
from lambda_app.log.database import Database
from lambda_app.project import PREFIX
from lambda_app.settings import Settings
from lambda_app.tasks import TaskFailedError, Tools
from lambda_app.telemetry import Telemetry
from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.environment import build_service_environment
from local.errors import StackError
from local.poller import Context
from local.postgres import Postgres
from local.stack import Stack

if TYPE_CHECKING:
    from lambda_app.telemetry import LambdaHandler

STACK = Path("build/local")
PORTS = "ports.json"
NOT_UP = "the local stack is not up: start it by `make run`"

FunctionName = Literal["maintain", "monitor"]


def write_ports(stack: Stack, directory: Path = STACK) -> None:
    """Note where the servers of a running stack are, for other processes."""
    ports = {
        "host": stack.postgres.host,
        "api": stack.http_port,
        "database": stack.postgres.port,
        "aws": stack.aws.port,
    }
    (directory / PORTS).write_text(json.dumps(ports))


def remove_ports(directory: Path = STACK) -> None:
    """The stack is going down."""
    (directory / PORTS).unlink(missing_ok=True)


def is_up(directory: Path = STACK) -> bool:
    """Return True if the servers of a stack answer."""
    ports = _read_ports(directory)
    return ports is not None and all(_answers(ports["host"], ports[name]) for name in ("database", "aws"))


def find_servers(directory: Path = STACK) -> Stack:
    """The servers of the running stack, which another process runs; StackError when there are none."""
    ports = _read_ports(directory)
    if ports is None or not is_up(directory):
        raise StackError(NOT_UP)
    postgres = Postgres(directory / "postgres", ports["database"], ports["host"])
    return Stack(ports["api"], postgres, AwsServices(directory / "aws.log", ports["aws"], ports["host"]))


def connect_local(name: FunctionName, directory: Path = STACK) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return what runs a task of the function on the running stack; raises StackError, as do its calls."""
    return run_beside(find_servers(directory), name)


def run_beside(stack: Stack, name: FunctionName) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return what runs a task of the function on this stack; its calls raise StackError."""
    # What fails is told by the exception.
    own = {"LOG_LEVEL": "CRITICAL", "SERVICE_NAME": f"{PREFIX}-{name}"}
    settings = Settings.from_env(own | build_service_environment(stack, name))
    wait = MAINTENANCE_SECONDS
    database = Database(settings, wait_seconds=wait, deadline_seconds=wait, skips_failing=False)
    handler = _BUILDERS[name](stack, settings, database, Telemetry(settings, emit_emf=False))

    def run(event: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return dict(handler(dict(event), Context(function_name=f"{PREFIX}-{name}")))
        except TaskFailedError as error:
            raise StackError(f"the local stack failed: {error}") from error

    return run


def _build_maintain(stack: Stack, settings: Settings, database: Database, telemetry: Telemetry) -> "LambdaHandler":
    # Imported here, because only these need what the image analyse has.
    from lambda_app.maintain.function import make_handler  # noqa: PLC0415
    from lambda_app.maintain.tools import MaintenanceTools  # noqa: PLC0415

    s3, sqs = (connect_aws(service, stack.aws.endpoint_url) for service in ("s3", "sqs"))
    return make_handler(MaintenanceTools(settings, database, s3, telemetry, sqs))


def _build_monitor(stack: Stack, settings: Settings, database: Database, telemetry: Telemetry) -> "LambdaHandler":
    from lambda_app.monitor.function import make_handler  # noqa: PLC0415

    return make_handler(Tools(settings, database, connect_aws("s3", stack.aws.endpoint_url), telemetry))


_BUILDERS: dict[FunctionName, Callable[[Stack, Settings, Database, Telemetry], "LambdaHandler"]] = {
    "maintain": _build_maintain,
    "monitor": _build_monitor,
}


def _read_ports(directory: Path) -> dict[str, Any] | None:
    try:
        ports: dict[str, Any] = json.loads((directory / PORTS).read_bytes())
    except (FileNotFoundError, ValueError):
        # No stack, or one that is just writing it.
        return None
    return ports


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
