"""The whole service on this machine, from a model to a prediction that is in the table, until Ctrl-C."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from lambda_app.handler import build_app, build_replay
from lambda_app.project import PREFIX
from lambda_app.settings import Settings
from lambda_app.telemetry import Telemetry
from local.aws_client import connect_aws
from local.aws_services import IDENTITY
from local.environment import Function, build_service_environment
from local.errors import StackError
from local.functions import STACK, remove_ports, write_ports
from local.http_server import describe_api, serve_http
from local.poller import CLIENT_CONFIG, running_poller
from local.ports import LOOPBACK, require_port
from local.seed import migrate_database, provide_model
from local.stack import Stack, running_stack
from training import MODELS
from training.errors import TrainingError
from training.options import make_app, report_errors

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

app = make_app()


@app.command()
def main(
    port: Annotated[
        int, typer.Option(metavar="NUMBER", help="Port of the API. The database and S3 with SQS take the next two.")
    ] = 8000,
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where the database and S3 with SQS listen, for containers.")
    ] = LOOPBACK,
) -> None:
    """Run the whole service on this machine until Ctrl-C: database, S3, SQS, a model, and the API."""
    with (
        report_errors(StackError, TrainingError),
        contextlib.suppress(KeyboardInterrupt),
        running_stack(STACK, port, listen) as stack,
    ):
        serve(stack)
    print("Stopped. The predictions and the registry are kept for the next run.")


def serve(stack: Stack) -> None:
    """Bring schema and model in place, then answer requests."""
    version = provide_model(stack.aws.endpoint_url, stack.aws.bucket, MODELS)
    with timed("Migrating the database"):
        migrate_database(stack.postgres, read_settings(stack, "migrate"))
    settings = read_settings(stack, "replay")
    replay = build_replay(settings, Telemetry(settings, emit_emf=False))
    with timed("Loading the model"):
        settings = read_settings(stack, "api")
        app = build_app(settings, Telemetry(settings, emit_emf=False))
    sqs = connect_aws("sqs", stack.aws.endpoint_url, CLIENT_CONFIG)
    # What the api recorded in the queue, because the database was away, reaches the table.
    with telling_what_is_lost(sqs, stack.aws.queue_url), running_poller(sqs, stack.aws.queue_url, replay):
        # Somebody may have taken it meanwhile, and uvicorn would end the process with a line of its own.
        require_port(stack.http_port, "the API")
        write_ports(stack)
        try:
            print(describe(stack, version), flush=True)
            serve_http(app, LOOPBACK, stack.http_port)
        finally:
            remove_ports()


def read_settings(stack: Stack, function: Function) -> Settings:
    """Those of one function, as on Lambda."""
    own = {
        # Requests show in uvicorn's own lines, so of the service's there are only those that matter.
        "LOG_LEVEL": "WARNING",
        # Powertools keeps a logger for each name, and api and replay run in threads of one process.
        "SERVICE_NAME": f"{PREFIX}-{function}",
    }
    return Settings.from_env(own | build_service_environment(stack, function))


@contextmanager
def telling_what_is_lost(sqs: "SQSClient", queue_url: str) -> Iterator[None]:
    """Say at the end which records were answered and end with the queue, which lives in the server's memory."""
    try:
        yield
    finally:
        try:
            answer = sqs.get_queue_attributes(
                QueueUrl=queue_url,
                # The second are those that the replay function failed on and that would come again.
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
            count = sum(map(int, answer["Attributes"].values()))
            if count:
                print(f"The queue is not kept: lost are {count} of its messages, which the database has not taken.")
        except (BotoCoreError, ClientError):
            print("The queue is not kept, and did not say whether there were records in it.")


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    started = time.perf_counter()
    print(f"{stage} ... ", end="", flush=True)
    yield
    print(f"{time.perf_counter() - started:.1f} s", flush=True)


def describe(stack: Stack, version: str) -> str:
    """The lines that introduce the running stack."""
    login, aws = stack.postgres.login, stack.aws
    identity = " ".join(f"{name}={value}" for name, value in IDENTITY.items())
    return f"""
{describe_api(f"http://{LOOPBACK}:{stack.http_port}")}

Model {version}, which is current in bucket {aws.bucket}. Its registry, and the other commands of --help:

  env -i AWS_ENDPOINT_URL={aws.endpoint_url} {identity} \\
    .venv/bin/python -m training list --bucket {aws.bucket}

Its records: .venv/bin/python -m records status, and the other commands of --help

Port {login.port}: the database, postgresql://{login.user}:{login.password}@{login.host}:{login.port}/{login.database} \
(table predictions)
Port {aws.port}: S3 and SQS, {aws.endpoint_url}
Ctrl-C stops everything.
"""
