"""Functions that run a task at a time for their operators: their services, their errors and their Lambda handler.

An event is {"task": NAME, ...}. The answer is the result of the task, or {"error": TEXT} if it cannot be done as asked.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pg8000.native
from botocore.exceptions import BotoCoreError, ClientError

from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# The SQLSTATE of RAISE EXCEPTION.
_RAISED = "P0001"


class TaskError(Exception):
    """A task cannot be done as asked; the text tells the operator why."""


class TaskFailedError(Exception):
    """A task, or a part of it, failed; the text has no value of a record."""


def _never_ends() -> float:
    return math.inf


@dataclass(frozen=True)
class Tools:
    """The services that the tasks work with. `seconds_left` is the time until Lambda ends the invocation."""

    settings: Settings
    database: Database
    s3: "S3Client"
    telemetry: Telemetry
    seconds_left: Callable[[], float] = dataclasses.field(default=_never_ends, kw_only=True)

    def select(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement by itself; returns its rows. Raises one of DATABASE_ERRORS."""
        return self.database.run_statement(lambda connection: connection.run(statement, **values)) or []


_AnyTools = TypeVar("_AnyTools", bound=Tools)
Task = Callable[[_AnyTools, Mapping[str, Any]], dict[str, Any]]


def make_task_handler(
    tools: _AnyTools,
    tasks: Mapping[str, Task[_AnyTools]],
    default: str,
    report_end: Callable[[str, str | None], None],
) -> LambdaHandler:
    """Return the Lambda handler that runs the task of an event, or the default one.

    `report_end` gets the name of each task, and the reason if it failed.
    """

    def run_task(event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Run a task; return its result, or {"error": TEXT}. Raises TaskFailedError."""
        name = event.get("task", default)
        failure = None
        try:
            if not isinstance(name, str) or name not in tasks:
                raise TaskError(f"there is no task {name!r}: use {', '.join(tasks)}")
            return tasks[name](_limit_time(tools, context), event)
        except TaskError as error:
            return {"error": str(error)}
        except Exception as error:
            failure = describe_failure(error)
            # Lambda logs the text of an exception.
            raise TaskFailedError(f"{name}: {failure}") from None
        finally:
            tools.database.close()
            report_end(str(name), failure)

    return tools.telemetry.wrap_handler(run_task)


def _limit_time(tools: _AnyTools, context: Any) -> _AnyTools:
    """Return the tools with the time of this invocation, which only Lambda limits."""
    read_milliseconds = getattr(context, "get_remaining_time_in_millis", None)
    if read_milliseconds is None:
        return tools
    return dataclasses.replace(tools, seconds_left=lambda: read_milliseconds() / 1000)


def describe_failure(error: Exception) -> str:
    """Name a failure without a text of PostgreSQL, which may quote a row there."""
    if isinstance(error, TaskFailedError | TaskError):
        return str(error)
    if isinstance(error, ClientError):
        return f"{error.operation_name} {error.response['Error']['Code']}"
    # Some of these are an OSError too, as the database's are.
    if isinstance(error, BotoCoreError):
        return type(error).__name__
    if isinstance(error, pg8000.native.DatabaseError) and error.args and isinstance(error.args[0], dict):
        fields = error.args[0]
        if fields.get("C") == _RAISED:
            # By a function of the migrations, which names no value of a row.
            return str(fields.get("M"))
    return describe_error(error) if isinstance(error, DATABASE_ERRORS) else type(error).__name__
