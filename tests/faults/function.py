"""A Lambda execution environment: a process that wires one function from its environment variables and runs it.

What the function prints goes to a log. `api` answers the events that come through a pipe; `replay` polls the queue,
and says through the pipe how far it is.
"""

import functools
import os
import random
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

import lambda_app.handler
import lambda_app.log.database
from lambda_app.log.breaker import CircuitBreaker
from lambda_app.telemetry import LambdaHandler
from local.poller import CLIENT_CONFIG, poll_once
from tests.events import Context
from tests.faults.sabotage import SABOTAGES
from tests.faults.trials import misbehave

# Of how many batches one is delivered twice.
TWICE = 5
RETRY_SECONDS = 0.5


def main() -> None:
    name, descriptor, open_seconds, sabotage = sys.argv[1:]
    connection: Connection[Any, Any] = Connection(int(descriptor))
    # A drill of minutes is to see a database that is asked, and not only open breakers; the breaker is the same one.
    breaker = functools.partial(CircuitBreaker, open_seconds=float(open_seconds))
    vars(lambda_app.log.database)["CircuitBreaker"] = breaker
    misbehave()
    if sabotage:
        SABOTAGES[sabotage]()
    handler: LambdaHandler = getattr(lambda_app.handler, name)
    try:
        connection.send("ready")
        serve(connection, handler) if name == "api" else poll(connection, handler)
    except (EOFError, OSError):
        # Nobody is at the other end any longer.
        pass


def serve(connection: "Connection[Any, Any]", handler: LambdaHandler) -> None:
    """Answer one event after the other, until the pipe is closed."""
    while True:
        event, request_id = connection.recv()
        try:
            response = handler(event, Context(aws_request_id=request_id))
        except Exception as error:
            # As the gateway answers when a function fails.
            response = {"statusCode": 500, "headers": {}, "body": f'{{"error": "{type(error).__name__}"}}'}
        connection.send(response)


def poll(connection: "Connection[Any, Any]", handler: LambdaHandler) -> None:
    """Replay what is in the queue, until the pipe is closed."""
    # The poller is AWS's own, and no fault of ours comes between it and the queue.
    client = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=CLIENT_CONFIG)

    def replay(event: dict[str, Any], context: Any) -> Any:
        connection.send(("received", len(event["Records"])))
        answer = handler(event, context)
        if random.randrange(TWICE) == 0:
            answer = handler(event, context)
            connection.send(("repeated", len(event["Records"])))
        connection.send(("stored", len(event["Records"])))
        return answer

    while not connection.poll():
        try:
            polled = poll_once(client, os.environ["QUEUE_URL"], replay)
        except (BotoCoreError, ClientError):
            time.sleep(RETRY_SECONDS)
        else:
            connection.send(("deleted", polled.received - polled.failed))


if __name__ == "__main__":
    main()
