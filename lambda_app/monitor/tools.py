"""The services that the tasks of the function monitor work with, and their errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.settings import Settings
from lambda_app.telemetry import Telemetry

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class TaskError(Exception):
    """A task cannot be done as asked; the text tells the operator why."""


class MonitorError(Exception):
    """A task failed; the text has no value of a record."""


@dataclass(frozen=True)
class Tools:
    """The services that the tasks work with."""

    settings: Settings
    database: Database
    s3: "S3Client"
    telemetry: Telemetry

    def select(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement by itself; returns its rows. Raises one of DATABASE_ERRORS."""
        return self.database.run_statement(lambda connection: connection.run(statement, **values)) or []


def describe_failure(error: Exception) -> str:
    """Name a failure without a text of PostgreSQL, which may quote a row there."""
    if isinstance(error, ClientError):
        return f"{error.operation_name} {error.response['Error']['Code']}"
    # Some of these are an OSError too, as the database's are.
    if isinstance(error, BotoCoreError) or not isinstance(error, DATABASE_ERRORS):
        return type(error).__name__
    return describe_error(error)


Task = Callable[[Tools, Mapping[str, Any]], dict[str, Any]]
