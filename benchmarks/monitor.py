"""Measures a report of the monitor on a large table: python -m benchmarks.monitor, about ten minutes.

PostgreSQL makes ten million predictions over a year and a million outcomes. The report runs in a process of its own as
in Lambda, and moto's server keeps the model.
"""

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.large_table import VERSION, Cost, fill_table, open_large_table, run_without_triggers
from benchmarks.machine import describe_machine
from lambda_app.model.bundle import MANIFEST, POINTER_KEY, bundle_key, sha256_hex
from lambda_app.project import MONITOR_ROLE
from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.errors import StackError
from problem.table import TABLE
from training.options import make_app, report_errors
from training.reference import BINS

BUILD = Path("build")
YEAR = ("(now() - interval '365 days')", "now()")

ADD_PAST_MONTHS = """
DO $$
DECLARE
    month timestamp;
BEGIN
    FOR n IN 1..12 LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => n);
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF predictions FOR VALUES FROM (%L) TO (%L)',
            to_char(month, '"predictions_"YYYY_MM'),
            to_char(month, 'YYYY-MM-DD"T00:00Z"'),
            to_char(month + interval '1 month', 'YYYY-MM-DD"T00:00Z"')
        );
    END LOOP;
END
$$
"""
# One in ten predictions gets an outcome, within 60 days.
FILL_OUTCOMES = """
INSERT INTO outcomes (outcome_id, request_id, value, observed_at, reported_at, predicted_at, reporter)
SELECT gen_random_uuid(), request_id, prediction + 120 * (random() - 0.5), observed_at, observed_at, created_at, 'lab'
FROM (
    SELECT request_id, prediction, created_at, created_at + random() * interval '60 days' AS observed_at
    FROM predictions TABLESAMPLE BERNOULLI (10) REPEATABLE (1)
) AS observed
WHERE observed_at < now()
"""
_LEAVES = (
    "SELECT relid FROM pg_partition_tree('predictions') WHERE isleaf UNION ALL SELECT CAST('outcomes' AS regclass)"
)
COUNT_BLOCKS = f"""
SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)
FROM pg_statio_user_tables WHERE relid IN ({_LEAVES})
"""  # noqa: S608 (our own names)
# Rows that a scan gave, whether of the table or by an index.
COUNT_ROWS = f"""
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables WHERE relid IN ({_LEAVES})
"""  # noqa: S608 (our own names)
COUNT_ALL_BLOCKS = f"SELECT sum(pg_total_relation_size(relid)) / 8192 FROM ({_LEAVES}) AS leaves"  # noqa: S608 (as above)

app = make_app()


@dataclasses.dataclass(frozen=True)
class Result:
    """A report and its cost. A block has 8 KiB."""

    predictions: int
    outcomes: int
    window_predictions: int
    evaluated: int
    cost: Cost
    rows_read: int
    blocks_read: int
    blocks: int
    report_bytes: int


def publish_model(aws: AwsServices) -> None:
    """Store a pointer and a manifest with bins over the limits of each feature."""
    features = {}
    for feature in TABLE.features:
        if feature.choices:
            features[feature.name] = {"values": sorted(feature.choices), "counts": [200] * len(feature.choices)}
        else:
            features[feature.name] = {**_spread(feature.minimum, feature.maximum)}
    manifest = {
        "version": VERSION,
        "features": [{"name": name, "minimum": 0, "maximum": 1} for name in TABLE.names],
        "files": {},
        "interval": {"coverage": 0.9},
        "metrics": {"held_out": {"rows": 400, "rmse": 35.0, "coverage": 0.9, "third_edges": [180.0, 220.0]}},
        "reference": {"features": features, "prediction": _spread(150, 250)},
    }
    content = json.dumps(manifest).encode()
    pointer = json.dumps({"version": VERSION, "manifest_sha256": sha256_hex(content)}).encode()
    client = connect_aws("s3", aws.endpoint_url)
    for key, body in ((bundle_key(VERSION, MANIFEST), content), (POINTER_KEY, pointer)):
        client.put_object(Bucket=aws.bucket, Key=key, Body=body)


def _spread(lowest: float, highest: float) -> dict[str, Any]:
    edges = [lowest + (highest - lowest) * place / BINS for place in range(1, BINS)]
    return {"edges": edges, "counts": [44] * BINS}


def measure_report(rows: int, directory: Path) -> Result:
    """Fill a year and make a report."""
    with open_large_table(directory) as table:
        table.connection.run(ADD_PAST_MONTHS)
        fill_table(table.connection, rows, *YEAR)
        run_without_triggers(table.connection, FILL_OUTCOMES)
        table.connection.run("VACUUM ANALYZE outcomes")
        print(f"{rows:,} rows made", flush=True)
        publish_model(table.aws)
        table.connection.run("SELECT pg_stat_reset()")
        # Statistics reach the views when a session ends, or after a second.
        time.sleep(2)
        _, cost = table.run_task("monitor", "report", MONITOR_ROLE)
        time.sleep(2)
        rows_read, blocks_read = table.ask(COUNT_ROWS), table.ask(COUNT_BLOCKS)
        client = connect_aws("s3", table.aws.endpoint_url)
        content = client.get_object(Bucket=table.aws.bucket, Key="reports/performance.json")["Body"].read()
        [version] = json.loads(content)["versions"]
        return Result(
            predictions=table.ask("SELECT count(*) FROM predictions"),
            outcomes=table.ask("SELECT count(*) FROM outcomes"),
            window_predictions=version["predictions"]["count"],
            evaluated=version["live"]["outcomes"],
            cost=cost,
            rows_read=rows_read,
            blocks_read=blocks_read,
            blocks=table.ask(COUNT_ALL_BLOCKS),
            report_bytes=len(content),
        )


@app.command(epilog="Writes build/monitor.json.")
def main(rows: Annotated[int, typer.Option(help="Predictions of the year.")] = 10_000_000) -> None:
    """Measure the time, memory and reading of a report."""
    BUILD.mkdir(exist_ok=True)
    # Beside us, not in /tmp, which may be in memory.
    with report_errors(StackError), tempfile.TemporaryDirectory(prefix="monitor-", dir=BUILD.resolve()) as name:
        result = measure_report(rows, Path(name))
    document = {"machine": describe_machine(), "report": dataclasses.asdict(result)}
    (BUILD / "monitor.json").write_text(json.dumps(document, indent=1))
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.monitor")
