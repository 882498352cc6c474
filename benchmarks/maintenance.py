"""Measures the export of a day of millions of rows: python -m benchmarks.maintenance, about ten minutes.

PostgreSQL makes the rows, the export runs in a process of its own as in Lambda, and moto's server takes the files.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pg8000.native
import typer

from benchmarks.machine import describe_machine
from lambda_app.log.migrations import apply_migrations
from lambda_app.project import MAINTAIN_ROLE
from lambda_app.table import Feature, Kind
from local.aws_services import IDENTITY, REGION, AwsServices
from local.errors import StackError
from local.ports import find_free_ports
from local.postgres import Postgres
from local.process import build_environment
from problem.table import TABLE
from training.options import make_app, report_errors

BUILD = Path("build")
FILL_AT_ONCE = 1_000_000
TODAY = "date_trunc('day', now(), 'UTC')"

# Prints how long the daily work took and the most memory that it used.
PROGRAM = """
import json, resource, sys, time
from types import SimpleNamespace
from lambda_app import handler
maintain = handler.maintain
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.monotonic()
answer = maintain({"task": "daily"}, SimpleNamespace(
    aws_request_id="1", function_name="maintain", function_version="1", memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:maintain"))
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "answer": answer, "seconds": time.monotonic() - began, "cpu_seconds": used.ru_utime + used.ru_stime,
    "start_mb": before / 1024, "peak_mb": used.ru_maxrss / 1024,
}), file=sys.stderr)
"""

app = make_app()


@dataclasses.dataclass(frozen=True)
class Result:
    """The cost of an export. Memory is the peak, before the work and of the whole process."""

    rows: int
    fill_seconds: float
    table_bytes: int
    seconds: float
    cpu_seconds: float
    start_mb: float
    peak_mb: float
    files: int
    file_bytes: int


def fill_table(connection: pg8000.native.Connection, rows: int, first_time: str, next_time: str) -> None:
    """Make rows, evenly between two times in SQL: random measurements, ids and predictions."""
    columns = {feature.name: _make_value(feature) for feature in TABLE.features}
    made = {
        "request_id": "gen_random_uuid()",
        "created_at": f"{first_time} + ({next_time} - {first_time}) * (n / {rows}.0::double precision)",
        "recorded_at": f"{first_time} + ({next_time} - {first_time}) * (n / {rows}.0::double precision)",
        "prediction": "150 + 100 * random()",
        "interval_lower": "50 + 100 * random()",
        "interval_upper": "250 + 100 * random()",
        "interval_coverage": "0.9",
        "latency_ms": "1 + random()",
        "model_version": "'20260301T120000Z-0a1b2c3d'",
        "caller": "'arn:aws:iam::123456789012:role/clinic'",
        "subject": "'subject-' || (n % 1000000)",
        "warnings": "'[]'",
        **columns,
    }
    # Without the trigger, which would hold a lock for each row of the transaction.
    connection.run("SET session_replication_role = replica")
    for start in range(0, rows, FILL_AT_ONCE):
        end = min(start + FILL_AT_ONCE, rows)
        values = ", ".join(made.values())
        connection.run(
            f"INSERT INTO predictions ({', '.join(made)}) "  # noqa: S608 (our own names and numbers)
            f"SELECT {values} FROM generate_series({start}, {end - 1}) AS n"
        )
    connection.run("SET session_replication_role = origin")
    connection.run("VACUUM ANALYZE predictions")


def _make_value(feature: Feature) -> str:
    if feature.kind is Kind.CHOICES:
        return f"(ARRAY[{', '.join(map(str, feature.choices))}])[1 + floor(random() * {len(feature.choices)})::integer]"
    spread = f"{feature.minimum} + random() * ({feature.maximum} - {feature.minimum})"
    # As measured: with few digits.
    return f"round(({spread})::numeric, {2 if feature.kind is Kind.REAL else 0})"


def measure_export(rows: int, directory: Path) -> Result:
    """Fill a day and export it."""
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
            began = time.monotonic()
            fill_table(connection, rows, f"({TODAY} - interval '1 day')", TODAY)
            fill_seconds = time.monotonic() - began
            print(f"{rows:,} rows in {fill_seconds:.0f} s", flush=True)
            [[table_bytes]] = connection.run(
                "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('predictions') WHERE isleaf"
            )
            environment = build_environment(
                **IDENTITY,
                AWS_REGION=REGION,
                AWS_ENDPOINT_URL=aws.endpoint_url,
                RECORDS_BUCKET=aws.bucket,
                DATABASE_HOST=login.host,
                DATABASE_PORT=str(login.port),
                DATABASE_NAME=login.database,
                DATABASE_USER=MAINTAIN_ROLE,
                DATABASE_PASSWORD=login.password,
                DATABASE_TLS="off",
                QUEUE_URL=aws.queue_url,
                DEAD_LETTER_QUEUE_URL=aws.dead_letter_queue_url,
            )
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM], env=environment, stderr=subprocess.PIPE, text=True, check=False
            )
            if done.returncode:
                raise StackError(f"the export failed: {done.stderr[-2000:]}")
            figures: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
            answer = figures.pop("answer")
            if answer["exported_rows"] != rows:
                raise StackError(f"{rows} rows were made, and the answer is {answer}")
            sizes = _list_sizes(aws)
    return Result(rows, fill_seconds, int(table_bytes), **figures, files=len(sizes), file_bytes=sum(sizes))


def _list_sizes(aws: AwsServices) -> list[int]:
    from local.aws_client import connect_aws  # noqa: PLC0415

    found = connect_aws("s3", aws.endpoint_url).list_objects_v2(Bucket=aws.bucket, Prefix="predictions/")
    return [entry["Size"] for entry in found["Contents"]]


@app.command(epilog="Writes build/maintenance.json.")
def main(rows: Annotated[int, typer.Option(help="Rows of the day.")] = 10_000_000) -> None:
    """Measure the time and memory of the export of a day."""
    BUILD.mkdir(exist_ok=True)
    # Beside us, not in /tmp, which may be in memory.
    with report_errors(StackError), tempfile.TemporaryDirectory(prefix="maintenance-", dir=BUILD.resolve()) as name:
        result = measure_export(rows, Path(name))
    document = {"machine": describe_machine(), "export": dataclasses.asdict(result)}
    (BUILD / "maintenance.json").write_text(json.dumps(document, indent=1))
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.maintenance")
