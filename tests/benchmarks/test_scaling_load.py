"""The statement that pgbench sends is the service's, and PostgreSQL takes it."""

from pathlib import Path

import pytest

from benchmarks.scaling import FILL_BATCH
from benchmarks.scaling_load import RANDOM_KEY, TIME_ORDERED_KEY, write_script
from lambda_app.log.database import Database

# Linux's limit for one argument of a command.
MAX_ARGUMENT_BYTES = 131_072


@pytest.mark.parametrize(
    ("rows", "as_batch", "key"),
    [(1, False, RANDOM_KEY), (3, False, TIME_ORDERED_KEY), (10, True, RANDOM_KEY), (FILL_BATCH, False, RANDOM_KEY)],
)
def test_each_run_of_the_script_inserts_new_rows(
    rows: int, as_batch: bool, key: str, tmp_path: Path, database: Database
) -> None:
    options = write_script(tmp_path / "insert.sql", rows, as_batch=as_batch, key=key)
    assert max(map(len, options)) < MAX_ARGUMENT_BYTES
    defined = dict(option.removeprefix("--define=").split("=", 1) for option in options)
    statement = (tmp_path / "insert.sql").read_text().removesuffix(";\n")
    count = "SELECT count(*), count(DISTINCT batch_id) FROM predictions"
    [[rows_before, batches_before]] = database.run_statement(lambda c: c.run(count))
    for _ in range(2):
        database.run_statement(lambda c: c.run(statement, **defined))
    [[rows_after, batches_after]] = database.run_statement(lambda c: c.run(count))
    assert (rows_after - rows_before, batches_after - batches_before) == (2 * rows, 2 * as_batch)
