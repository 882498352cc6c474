"""The tasks of the function maintain: the daily work, and those that `python -m records` asks for.

An event is {"task": NAME, ...}; without a task, it is the daily work. The answer is the result of the task, or
{"error": TEXT} where the request cannot be served: a wrong parameter, or a hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_app.log.database import Database
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


class TaskError(Exception):
    """A task cannot be done as asked; the text tells the operator why."""


@dataclass(frozen=True)
class Tools:
    """The services that the tasks work with."""

    settings: Settings
    database: Database
    s3: "S3Client"
    sqs: "SQSClient"
    telemetry: Telemetry


Task = Callable[[Tools, Mapping[str, Any]], dict[str, Any]]

TASKS: dict[str, Task] = {}


def make_handler(tools: Tools) -> LambdaHandler:
    """Return the Lambda handler that runs the task of an event."""

    def maintain(event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Run a task; return its result, or {"error": TEXT}."""
        name = event.get("task", "daily")
        task = TASKS.get(name)
        try:
            if task is None:
                raise TaskError(f"there is no task {name!r}: use {', '.join(TASKS)}")
            return task(tools, event)
        except TaskError as error:
            return {"error": str(error)}
        finally:
            tools.database.close()

    return tools.telemetry.wrap_handler(maintain)
