"""Measures the load that one PostgreSQL takes from many functions: python -m benchmarks.scaling, about ten minutes.

Writes build/scaling.json and the plots of docs/scaling.md.
"""

import dataclasses
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.scaling_load import (
    RANDOM_KEY,
    TIME_ORDERED_KEY,
    LoadError,
    Point,
    fill_table,
    run_pgbench,
    write_script,
)
from benchmarks.scaling_plot import draw_plots
from benchmarks.scaling_servers import Servers, run_servers
from benchmarks.scaling_writer import run_python
from local import debian
from local.errors import StackError
from training.options import make_app, report_errors

BUILD = Path("build")
CLIENTS, POOLS, BATCHES = (50, 100, 200), (10, 20, 50), (1, 10, 100)
SECONDS = 4.0
# How long PostgreSQL waits before each fsync, as if the disk took that much longer.
SLOWER_DISK_MICROSECONDS = (1000, 3000)
SLOWER_DISK_CLIENTS = 100
# A hundred kilobytes are the most that Linux takes as one argument of a command.
FILL_BATCH = 100
TABLE_ROWS = (0, 1_000_000, 3_000_000)
FREE_GB = 8
MISSING = "Debian's postgresql and pgbouncer on Linux: apt-get install postgresql pgbouncer"

app = make_app()


class Run:
    """The servers, and what is measured on them one thing after the other."""

    def __init__(self, servers: Servers, directory: Path) -> None:
        self._servers = servers
        self._script = directory / "transaction.sql"
        self._began = time.monotonic()

    def measure(
        self, name: str, clients: int, pool: int, batch: int, *, key: str = RANDOM_KEY, statement: str | None = None
    ) -> dict[str, Any]:
        options = write_script(self._script, batch, as_batch=batch > 1, key=key)
        if statement:
            self._script.write_text(f"{statement};\n")
        point = run_pgbench(
            self._servers, self._script, options, clients=clients, pool=pool, batch=batch, seconds=SECONDS
        )
        return self._tell(name, point)

    def measure_python(self, clients: int, pool: int) -> dict[str, Any]:
        point = run_python(self._servers, clients=clients, pool=pool, batch=1, seconds=SECONDS)
        return self._tell("the service's own writer", point)

    def measure_matrix(self) -> Iterator[dict[str, Any]]:
        for batch in BATCHES:
            self.empty_table()
            for clients in CLIENTS:
                for pool in POOLS:
                    yield self.measure("pgbench", clients, pool, batch)

    def measure_controls(self) -> dict[str, Any]:
        """Controls: clients and pooler without work, no pooler, no wait for the disk, the service's own writer."""
        self.empty_table()
        controls = {
            "nothing_written": self.measure("SELECT 1 instead", 100, 20, 1, statement="SELECT 1"),
            "without_pooler": self.measure("no PgBouncer", 20, 0, 1),
            "pgbench_4": self.measure("pgbench", 4, 20, 1),
            "python_4": self.measure_python(4, 20),
        }
        self._servers.set_parameter("synchronous_commit", "off")
        controls["without_fsync"] = self.measure("no wait for fsync", 100, 20, 1)
        self._servers.set_parameter("synchronous_commit", "on")
        return controls

    def measure_slower_disk(self) -> Iterator[dict[str, Any]]:
        self._servers.set_parameter("commit_siblings", "0")
        for microseconds in SLOWER_DISK_MICROSECONDS:
            self._servers.set_parameter("commit_delay", str(microseconds))
            for pool in POOLS:
                point = self.measure(f"fsync {microseconds / 1000:g} ms slower", SLOWER_DISK_CLIENTS, pool, 1)
                yield {"delay_ms": microseconds / 1000, **point}
        self._servers.set_parameter("commit_delay", "0")

    def measure_growth(self) -> Iterator[dict[str, Any]]:
        """The cost of a commit in tables of growing size, just after a checkpoint."""
        self.empty_table()
        rows = 0
        for target in TABLE_ROWS:
            self._fill(target - rows)
            rows = target
            sizes = self._read_sizes(target)
            for name, key in (("random", RANDOM_KEY), ("time-ordered", TIME_ORDERED_KEY)):
                self._checkpoint()
                point = self.measure(f"{target / 1e6:g} million rows, {name} key", 20, 20, 1, key=key)
                yield {"table_rows": target, "key": name, **sizes, **point}

    def empty_table(self) -> None:
        with self._servers.connect() as connection:
            connection.run("TRUNCATE predictions")
        self._checkpoint()

    def _checkpoint(self) -> None:
        with self._servers.connect() as connection:
            connection.run("CHECKPOINT")

    def _fill(self, rows: int) -> None:
        if not rows:
            return
        self._say(f"inserting {rows:,} rows ...")
        options = write_script(self._script, FILL_BATCH, as_batch=False)
        fill_table(self._servers, self._script, options, transactions=rows // FILL_BATCH)

    def _read_sizes(self, least_rows: int) -> dict[str, Any]:
        """Bytes a row, of the table and of each index."""
        with self._servers.connect() as connection:
            [[rows]] = connection.run("SELECT count(*) FROM predictions")
            if rows < least_rows:
                raise LoadError(f"{rows:,} rows are in the table, and {least_rows:,} were inserted")
            if not rows:
                return {}
            [[heap, total]] = connection.run(
                "SELECT sum(pg_relation_size(relid)), sum(pg_total_relation_size(relid)) "
                "FROM pg_partition_tree('predictions') WHERE isleaf"
            )
            indexes = connection.run(
                "SELECT indexrelid::regclass::text, sum(pg_relation_size(relid)) "
                "FROM pg_index, pg_partition_tree(indexrelid) "
                "WHERE indrelid = 'predictions'::regclass AND isleaf GROUP BY 1"
            )
        bytes_per_row = {name: float(size) / rows for name, size in (("heap", heap), *indexes, ("total", total))}
        return {"bytes_per_row": bytes_per_row}

    def _tell(self, name: str, point: Point) -> dict[str, Any]:
        cpu = point.postgres_cpu_ms + point.pgbouncer_cpu_ms + point.client_cpu_ms
        self._say(
            f"{name}, {point.clients} clients, pool {point.pool}, batch {point.batch}: "
            f"{point.commits_per_second:,.0f} commits/s, {point.rows_per_second:,.0f} rows/s, "
            f"p50 {point.p50_ms:.1f} ms, p99 {point.p99_ms:.1f} ms, "
            f"{point.commits_per_sync:.1f} commits a sync, "
            f"CPU {point.postgres_cpu_ms:.2f} of {cpu:.2f} ms, {point.other_cores:.1f} cores busy with others"
        )
        return dataclasses.asdict(point)

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:5.0f} s  {text}", flush=True)


@app.command(epilog=f"Needs {MISSING}. Writes build/scaling.json and docs/images/scaling.png.")
def main() -> None:
    """Measure the load that one PostgreSQL takes from many functions; takes about ten minutes."""
    with report_errors(LoadError, StackError):
        if not debian.has_programs() or not debian.find_server("pgbench") or not Path("/proc/stat").exists():
            raise LoadError(f"missing: {MISSING}")
        BUILD.mkdir(exist_ok=True)
        if shutil.disk_usage(BUILD).free < FREE_GB * 1e9:
            raise LoadError(f"{BUILD.resolve()} needs {FREE_GB} GB of room")
        # Beside us, not in /tmp, which may be in memory.
        with tempfile.TemporaryDirectory(prefix="scaling-", dir=BUILD.resolve()) as name:
            machine = describe_machine()
            with run_servers(Path(name)) as servers:
                run = Run(servers, Path(name))
                result = {
                    "machine": machine,
                    "controls": run.measure_controls(),
                    "matrix": list(run.measure_matrix()),
                    "slower_disk": list(run.measure_slower_disk()),
                    "growth": list(run.measure_growth()),
                }
    (BUILD / "scaling.json").write_text(json.dumps(result, indent=1))
    draw_plots(result, Path("docs/images"))
    print("build/scaling.json and docs/images/scaling.png are written.")


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.scaling")
