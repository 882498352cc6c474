"""Measures the export of a day of millions of rows: python -m benchmarks.maintenance, about ten minutes.

PostgreSQL makes the rows, the export runs in a process of its own as in Lambda, and moto's server takes the files.
"""

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.large_table import Cost, fill_table, open_large_table
from benchmarks.machine import describe_machine
from lambda_app.project import MAINTAIN_ROLE
from local.aws_client import connect_aws
from local.errors import StackError
from training.options import make_app, report_errors

BUILD = Path("build")
TODAY = "date_trunc('day', now(), 'UTC')"

app = make_app()


@dataclasses.dataclass(frozen=True)
class Result:
    """An export and its cost."""

    rows: int
    fill_seconds: float
    table_bytes: int
    cost: Cost
    files: int
    file_bytes: int


def measure_export(rows: int, directory: Path) -> Result:
    """Fill a day and export it."""
    with open_large_table(directory) as table:
        began = time.monotonic()
        fill_table(table.connection, rows, f"({TODAY} - interval '1 day')", TODAY)
        fill_seconds = time.monotonic() - began
        print(f"{rows:,} rows in {fill_seconds:.0f} s", flush=True)
        table_bytes = table.ask(
            "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('predictions') WHERE isleaf"
        )
        answer, cost = table.run_task("maintain", "daily", MAINTAIN_ROLE)
        if answer["exported_rows"] != rows:
            raise StackError(f"{rows} rows were made, and the answer is {answer}")
        client = connect_aws("s3", table.aws.endpoint_url)
        found = client.list_objects_v2(Bucket=table.aws.bucket, Prefix="predictions/")
        sizes = [entry["Size"] for entry in found["Contents"]]
    return Result(rows, fill_seconds, table_bytes, cost, len(sizes), sum(sizes))


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
