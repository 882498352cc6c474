"""Rows of clocks that are ahead: they are exported when their day is over, and the state is told with them."""

from datetime import UTC, datetime, timedelta

import pytest

from local.records import make_record
from tests.functional.damaging import TABLES, Ask, Table
from tests.functional.maintaining import TODAY, YESTERDAY, Stage


@pytest.mark.parametrize("name", TABLES)
def test_row_of_the_future_is_exported_when_its_day_is_over(name: str, stage: Stage, ask: Ask) -> None:
    """A clock was ahead by days, and the service records nothing else on that day."""
    table = Table(stage, name)
    long_ago = datetime.combine(TODAY - timedelta(days=5), datetime.min.time(), UTC)
    rows = table.insert(YESTERDAY, 1, recorded_at=long_ago)
    until = long_ago + timedelta(days=3)
    stage.query(
        "INSERT INTO exports (table_name, recorded_until, days, exported_rows) VALUES (:name, :until, 0, 0)",
        name=name,
        until=until,
    )
    ask("daily")
    assert table.list_lost(rows) == []


def test_state_is_told_with_a_row_of_the_last_month_of_all(stage: Stage, ask: Ask) -> None:
    last = datetime(9999, 12, 31, 12, tzinfo=UTC)
    stage.insert([make_record(created_at=last)], recorded_at=datetime.now(UTC))
    ask("daily")
    status = ask("status")
    assert (status["oldest"], status["newest"]) == (last.isoformat(), last.isoformat())
