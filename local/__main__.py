"""`make run`: the whole service on this machine, from training to a prediction that is in the table."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

import lambda_app.handler
from lambda_app.settings import Settings
from lambda_app.telemetry import Telemetry
from local.environment import Function, build_service_environment
from local.errors import StackError
from local.furnish import find_or_train_bundle
from local.http_server import describe_api, serve_http
from local.poller import create_client, running_poller
from local.ports import LOOPBACK
from local.stack import Stack, running_stack
from training.errors import TrainingError
from training.native_log import silence_native_log
from training.registry import promote_version, publish_bundle

MODELS = Path("build/models")
STACK = Path("build/local")


def main() -> int:
    """Run until Ctrl-C; the exit code is 1, with one line, when the stack cannot run."""
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Run the whole service on this machine until Ctrl-C: database, S3, SQS, a model, and the API.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8000, help="of the API; the database and S3/SQS take the next two")
    parser.add_argument("--listen", default=LOOPBACK, help="where the database and S3/SQS listen, for containers")
    options = parser.parse_args()
    try:
        with running_stack(STACK, options.port, options.listen) as stack:
            serve(stack)
    except (StackError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    print("Stopped. The predictions are kept for the next run.")
    return 0


def serve(stack: Stack) -> None:
    """Bring schema and model in place, then answer requests."""
    enter_environment(stack, "migrate")
    bundle = find_or_train_bundle(MODELS)
    with timed("Publishing the model"):
        client = boto3.client("s3")
        version = publish_bundle(client, stack.aws.bucket, bundle)
        promote_version(client, stack.aws.bucket, version)
    with timed("Migrating the database"):
        lambda_app.handler.migrate({}, None)
        stack.postgres.set_role_passwords()
    enter_environment(stack, "replay")
    settings = Settings.from_env(os.environ)
    replay = lambda_app.handler.build_replay(settings, Telemetry(settings, emit_emf=False))
    with timed("Loading the model"), silence_native_log():
        enter_environment(stack, "api")
        settings = Settings.from_env(os.environ)
        app = lambda_app.handler.build_app(settings, Telemetry(settings, emit_emf=False))
    # What the api recorded in the queue, because the database was away, reaches the table.
    with running_poller(create_client(), stack.aws.queue_url, replay):
        print(describe(stack), flush=True)
        serve_http(app, LOOPBACK, stack.http_port)


def enter_environment(stack: Stack, function: Function) -> None:
    """Make the process's environment that of one function, as on Lambda, which is read when the function is wired."""
    own = {
        # Requests show in uvicorn's own lines, so of the service's there are only those that matter.
        "LOG_LEVEL": "WARNING",
        # Powertools keeps a logger for each name, and api and replay run in threads of one process.
        "SERVICE_NAME": f"diabetes-{function}",
    }
    os.environ.update(own | build_service_environment(stack, function))


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    started = time.perf_counter()
    print(f"{stage} ... ", end="", flush=True)
    yield
    print(f"{time.perf_counter() - started:.1f} s", flush=True)


def describe(stack: Stack) -> str:
    """What a person can do now."""
    url = f"http://{LOOPBACK}:{stack.http_port}"
    login = stack.postgres.login
    return f"""
{describe_api(url)}
Database postgresql://{login.user}:{login.password}@{login.host}:{login.port}/{login.database} (table predictions)
Ctrl-C stops everything.
"""


if __name__ == "__main__":
    sys.exit(main())
