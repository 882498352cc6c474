"""docs/records.md: its table is the database's, and its queries run as the reader and give what they say."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lambda_app.log.database import Database
from lambda_app.project import READER_ROLE
from lambda_app.settings import Settings
from local.postgres import Postgres
from local.records import make_record
from tests.records import insert

DOCUMENT = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
QUERIES = re.findall(
    r"^```sql\n(.+?);\n```$", DOCUMENT.partition("\n## Exported records\n")[0], re.MULTILINE | re.DOTALL
)
COUNTS, WARNINGS, WIDTHS = QUERIES
WARNING = [{"field": "any", "message": "any"}]


def test_tables_of_the_columns_are_the_databases(query: Callable[..., list[Any]]) -> None:
    rows = query(
        "SELECT format('| `%s` | %s | %s | %s |', attname, format_type(atttypid, atttypmod),"
        " CASE WHEN attnotnull THEN 'no' ELSE 'yes' END, col_description(attrelid, attnum))"
        " FROM pg_attribute"
        " WHERE attrelid IN (CAST('predictions' AS regclass), CAST('outcomes' AS regclass)) AND attnum > 0"
        " ORDER BY attrelid = CAST('outcomes' AS regclass), attnum"
    )
    assert re.findall(r"^\| `.+$", DOCUMENT, re.MULTILINE) == [row for [row] in rows]
    assert f"`{READER_ROLE}`" in DOCUMENT


@pytest.fixture
def reader(own_postgres: tuple[Postgres, Settings]) -> Iterator[Database]:
    """The reader's, of a database with four rows of November and one of December."""
    _, settings = own_postgres
    records = [
        make_record(created_at=datetime(2026, 11, 1, tzinfo=UTC), latency_ms=1.0),
        make_record(created_at=datetime(2026, 11, 1, 23, 59, tzinfo=UTC), latency_ms=3.0, warnings=WARNING),
        make_record(created_at=datetime(2026, 11, 30, 23, 59, tzinfo=UTC), latency_ms=8.0, interval_upper=61.5),
        make_record(
            created_at=datetime(2026, 11, 30, tzinfo=UTC), model_version="v2", interval_coverage=None, warnings=WARNING
        ),
        make_record(created_at=datetime(2026, 12, 1, tzinfo=UTC)),
    ]
    with closing(Database(settings)) as database:
        insert(database, *records)
    with closing(Database(dataclasses.replace(settings, database_user=READER_ROLE))) as database:
        yield database


def test_queries_give_what_they_say(reader: Database) -> None:
    counts, warnings, widths = (
        reader.run_statement(lambda connection, query=query: connection.run(query))  # type: ignore[misc]
        for query in (COUNTS, WARNINGS, WIDTHS)
    )
    assert counts == [["v1", 3, 3.0], ["v2", 1, 1.5]]
    assert warnings == [
        [datetime(2026, 11, 1, tzinfo=UTC), Decimal("0.5")],
        [datetime(2026, 11, 30, tzinfo=UTC), Decimal("0.5")],
    ]
    assert widths == [["v1", True, 3, (180.75 * 2 + 1) / 3], ["v2", False, 1, 180.75]]
