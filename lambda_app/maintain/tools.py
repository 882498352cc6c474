"""The services that the tasks of the function maintain work with, and their errors."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pg8000.native
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.settings import Settings
from lambda_app.telemetry import Telemetry

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

# The SQLSTATE of RAISE EXCEPTION.
_RAISED = "P0001"
# What SQLSTATEs of outages begin with: no connection, a server that is read-only, in a failover, a deadlock, too many
# connections, a lock that was not free, a shutdown.
_OUTAGES = ("08", "25006", "40", "53", "55P03", "57P")


class TaskError(Exception):
    """A task cannot be done as asked; the text tells the operator why."""


class MaintenanceError(Exception):
    """Some work failed; the text has no value of a record."""


def _never_ends() -> float:
    return math.inf


@dataclass(frozen=True)
class Tools:
    """The services that the tasks work with. `seconds_left` is the time until Lambda ends the invocation.

    `holder` names this execution environment, which does one task at a time.
    """

    settings: Settings
    database: Database
    s3: "S3Client"
    sqs: "SQSClient"
    telemetry: Telemetry
    seconds_left: Callable[[], float] = _never_ends
    holder: UUID = field(default_factory=uuid4)

    def select(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement by itself; returns its rows. Raises one of DATABASE_ERRORS."""
        return self.database.run_statement(lambda connection: connection.run(statement, **values)) or []

    def list_queues(self) -> list[tuple[str, str]]:
        """The queues by their names for people, with their URLs. A message may move from the first to the second."""
        return [("queue", self.settings.queue_url), ("dead letters", self.settings.dead_letter_queue_url)]


def describe_failure(error: Exception) -> str:
    """Name a failure without a text of PostgreSQL, which may quote a row there."""
    if isinstance(error, MaintenanceError | TaskError):
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


def is_outage(error: Exception) -> bool:
    """Return True if a service could not be reached, or was too busy, so that the same again may work soon."""
    if isinstance(error, ClientError):
        # SQS and S3 say by 5xx that it is their fault, or that they want fewer requests.
        return error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, pg8000.native.DatabaseError) and error.args and isinstance(error.args[0], dict):
        return str(error.args[0].get("C", "")).startswith(_OUTAGES)
    return isinstance(
        error, (HTTPClientError, BotoConnectionError, pg8000.native.InterfaceError, ConnectionError, TimeoutError)
    )


def forget_failures(database: Database) -> None:
    """Let the next statement try the database, whatever the last one met: nobody waits for this function."""
    database.breaker.record_success()


Task = Callable[[Tools, Mapping[str, Any]], dict[str, Any]]
