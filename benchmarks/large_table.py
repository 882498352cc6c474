"""A database with millions of rows, and a function of the image analyse that works on it in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pg8000.native

from lambda_app.log.migrations import apply_migrations
from lambda_app.table import Feature, Kind
from local.aws_services import IDENTITY, REGION, AwsServices
from local.errors import StackError
from local.ports import find_free_ports
from local.postgres import Postgres
from local.process import build_environment
from problem.table import TABLE

FILL_AT_ONCE = 1_000_000
VERSION = "20260301T120000Z-0a1b2c3d"

# Prints the answer, how long the task took and the most memory that the process used, before it and at all.
PROGRAM = """
import json, resource, sys, time
from types import SimpleNamespace
from lambda_app import handler
name, task = sys.argv[1:]
function = getattr(handler, name)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.monotonic()
answer = function({"task": task}, SimpleNamespace(
    aws_request_id="1", function_name=name, function_version="1", memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:" + name))
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "answer": answer, "seconds": time.monotonic() - began, "cpu_seconds": used.ru_utime + used.ru_stime,
    "start_mb": before / 1024, "peak_mb": used.ru_maxrss / 1024,
}), file=sys.stderr)
"""


@dataclass(frozen=True)
class Cost:
    """The cost of a task. Memory is the peak, before the work and of the whole process."""

    seconds: float
    cpu_seconds: float
    start_mb: float
    peak_mb: float


@dataclass(frozen=True)
class LargeTable:
    """A migrated database, a session of its owner, and S3 with SQS."""

    postgres: Postgres
    aws: AwsServices
    connection: pg8000.native.Connection

    def ask(self, statement: str) -> int:
        """Return the only number that a statement selects."""
        [[number]] = self.connection.run(statement)
        return int(number)

    def run_task(self, function: str, task: str, role: str) -> tuple[dict[str, Any], Cost]:
        """Return the answer of a task, which runs in a process of its own as in Lambda, and its cost."""
        login = self.postgres.login
        environment = build_environment(
            **IDENTITY,
            AWS_REGION=REGION,
            AWS_ENDPOINT_URL=self.aws.endpoint_url,
            MODEL_BUCKET=self.aws.bucket,
            RECORDS_BUCKET=self.aws.bucket,
            DATABASE_HOST=login.host,
            DATABASE_PORT=str(login.port),
            DATABASE_NAME=login.database,
            DATABASE_USER=role,
            DATABASE_PASSWORD=login.password,
            DATABASE_TLS="off",
            QUEUE_URL=self.aws.queue_url,
            DEAD_LETTER_QUEUE_URL=self.aws.dead_letter_queue_url,
        )
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, function, task],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"{function} failed: {done.stderr[-2000:]}")
        figures: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
        answer: dict[str, Any] = figures.pop("answer")
        return answer, Cost(**figures)


@contextmanager
def open_large_table(directory: Path) -> Iterator[LargeTable]:
    """Start PostgreSQL and AWS's services under a directory."""
    postgres_port, aws_port = find_free_ports(2)
    with (
        Postgres(directory / "postgres", postgres_port) as postgres,
        AwsServices(directory / "aws.log", aws_port) as aws,
    ):
        login = postgres.login
        with closing(
            pg8000.native.Connection(
                login.user, host=login.host, port=login.port, password=login.password, database=login.database
            )
        ) as connection:
            connection.run("BEGIN")
            apply_migrations(connection)
            connection.run("COMMIT")
            postgres.set_role_passwords()
            yield LargeTable(postgres, aws, connection)


def fill_table(connection: pg8000.native.Connection, rows: int, first_time: str, next_time: str) -> None:
    """Make predictions, evenly between two times in SQL: random measurements, ids and predictions."""
    time = f"{first_time} + ({next_time} - {first_time}) * (n / {rows}.0::double precision)"
    made = {
        "request_id": "gen_random_uuid()",
        "created_at": time,
        "recorded_at": time,
        "prediction": "150 + 100 * random()",
        "interval_lower": "50 + 100 * random()",
        "interval_upper": "250 + 100 * random()",
        "interval_coverage": "0.9",
        "latency_ms": "1 + random()",
        "model_version": f"'{VERSION}'",
        "caller": "'arn:aws:iam::123456789012:role/clinic'",
        "subject": "'subject-' || (n % 1000000)",
        "warnings": "'[]'",
        **{feature.name: _make_value(feature) for feature in TABLE.features},
    }
    values = ", ".join(made.values())
    for start in range(0, rows, FILL_AT_ONCE):
        end = min(start + FILL_AT_ONCE, rows)
        run_without_triggers(
            connection,
            f"INSERT INTO predictions ({', '.join(made)}) "  # noqa: S608 (our own names and numbers)
            f"SELECT {values} FROM generate_series({start}, {end - 1}) AS n",
        )
    connection.run("VACUUM ANALYZE predictions")


def run_without_triggers(connection: pg8000.native.Connection, statement: str) -> None:
    """Run a statement on many rows, for each of which a trigger would hold a lock until its end."""
    connection.run("SET session_replication_role = replica")
    connection.run(statement)
    connection.run("SET session_replication_role = origin")


def _make_value(feature: Feature) -> str:
    if feature.kind is Kind.CHOICES:
        return f"(ARRAY[{', '.join(map(str, feature.choices))}])[1 + floor(random() * {len(feature.choices)})::integer]"
    spread = f"{feature.minimum} + random() * ({feature.maximum} - {feature.minimum})"
    # As measured: with few digits.
    return f"round(({spread})::numeric, {2 if feature.kind is Kind.REAL else 0})"
