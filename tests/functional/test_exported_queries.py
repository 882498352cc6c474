"""docs/records.md: its queries of the exported records run on files of maintain, and give what they say."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from local.records import make_record
from tests.functional.maintaining import YESTERDAY, Stage
from tests.functional.outcomes import make_outcome

DOCUMENT = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.partition("\n## Exported records\n")[2]
VIEW, OUTCOMES_VIEW, COUNTS, HISTORY, LATENCIES, ERRORS = re.findall(
    r"^```sql\n(.+?);\n```$", SECTION, re.MULTILINE | re.DOTALL
)
FIRST, SECOND = re.findall(r"'(\d{8}T\d{6}Z-\w+)'", COUNTS)
MIDNIGHT = datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, tzinfo=UTC)


@pytest.fixture
def ask(stage: Stage, tmp_path: Path) -> Any:
    """Run a query of the document on the exported files, with yesterday in place of its days."""
    patient = {"subject": "patient-4711"}
    records = [
        make_record(created_at=MIDNIGHT, model_version=FIRST, latency_ms=1.0, prediction=100.0, **patient),
        make_record(created_at=MIDNIGHT.replace(hour=23, minute=59), model_version=FIRST, latency_ms=9.0),
        make_record(
            created_at=MIDNIGHT.replace(hour=12), model_version=SECOND, latency_ms=2.0, prediction=120.5, **patient
        ),
        make_record(created_at=MIDNIGHT.replace(hour=13), model_version="another", subject="another"),
    ]
    stage.insert(records)
    first, last, second, other = records
    midday = MIDNIGHT.replace(hour=12)
    stage.insert_outcomes(
        make_outcome(first, value=999.0, reported_at=MIDNIGHT.replace(hour=1)),
        make_outcome(first, value=110.0, reported_at=midday),
        make_outcome(last, value=161.0, reported_at=midday),
        make_outcome(second, value=250.5, reported_at=midday),
        make_outcome(other, reported_at=midday),
    )
    stage.run()
    for key in [*stage.list_files(), f"outcomes/date={YESTERDAY}/part-0000.parquet"]:
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stage.read(key))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for view in (VIEW, OUTCOMES_VIEW):
        connection.execute(view.replace("'exports/", f"'{tmp_path}/"))

    def run(query: str) -> list[Any]:
        return connection.execute(re.sub(r"'\d{4}-\d\d-\d\d'", f"'{YESTERDAY}'", query)).fetchall()

    yield run
    connection.close()


def test_counts(ask: Any) -> None:
    assert ask(COUNTS) == [(FIRST, YESTERDAY, 2), (SECOND, YESTERDAY, 1)]
    assert isinstance(ask(COUNTS)[0][1], date)


def test_history(ask: Any) -> None:
    found = [(time.astimezone(UTC), *rest) for time, *rest in ask(HISTORY)]
    assert found == [(MIDNIGHT, 100.0, 60.5, 241.25), (MIDNIGHT.replace(hour=12), 120.5, 60.5, 241.25)]


def test_latencies(ask: Any) -> None:
    assert ask(LATENCIES) == [(YESTERDAY, 2.0)]


def test_errors(ask: Any) -> None:
    # The last outcome of each prediction counts: 110 for 100, 161 for 151, and 250.5, which is outside, for 120.5.
    assert ask(ERRORS) == [(FIRST, 2, 10.0, 1.0), (SECOND, 1, 130.0, 0.0)]
