"""The services that the tasks of the function maintain work with, and their outages."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pg8000.native
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from lambda_app.log.database import Database
from lambda_app.tasks import Tools

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

# What SQLSTATEs of outages begin with: no connection, a server that is read-only, in a failover, a deadlock, too many
# connections, a lock that was not free, a shutdown.
_OUTAGES = ("08", "25006", "40", "53", "55P03", "57P")


@dataclass(frozen=True)
class MaintenanceTools(Tools):
    """The services that the tasks work with. `holder` is this execution environment, which does one task at a time."""

    sqs: "SQSClient"
    holder: UUID = field(default_factory=uuid4, kw_only=True)

    def list_queues(self) -> list[tuple[str, str]]:
        """The queues by their names for people, with their URLs. A message may move from the first to the second."""
        return [("queue", self.settings.queue_url), ("dead letters", self.settings.dead_letter_queue_url)]


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
