"""A manifest that is missing, wrong or old: no file goes that may be the only one, and the day is named."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.functional.damaging import TABLES, Ask, Table, ask_for_fault
from tests.functional.maintaining import OLD, YESTERDAY, Stage

# Powertools says so when a run ends without any, as a failed one does.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

OTHER_DAY = OLD + timedelta(days=19)


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest, stage: Stage) -> Table:
    return Table(stage, request.param)


def drop(table: Table, ask: Ask) -> None:
    """Export all rows and delete them from the table; from then on the files alone have them."""
    ask("daily")
    assert table.count() == 0


def test_late_row_of_a_day_without_its_manifest_loses_no_other(table: Table, ask: Ask) -> None:
    others = table.insert(OLD, 5)
    drop(table, ask)
    table.delete_manifest(OLD)
    late = table.insert(OLD, 1, late=True)
    told = ask_for_fault(ask, "daily")
    assert table.list_lost(others) == []
    assert f"{table.name_manifest(OLD)} is missing" in told
    assert table.count() == 1
    # Nor is it lost when somebody tries to export the day again.
    told = ask_for_fault(ask, "export_again", table=table.name, day=str(OLD))
    assert f"{table.name_manifest(OLD)} is missing" in told
    assert table.list_lost(others) == []
    # With its manifest the day goes on, although nothing was recorded since.
    restore(table, OLD)
    assert ask_for_fault(ask, "daily") == ""
    assert table.list_lost(others, late) == []
    assert table.count() == 0


def restore(table: Table, day: date) -> None:
    """Bring the manifest back from its old version, as docs/operations.md says."""
    s3, bucket = table.stage.s3, table.stage.bucket
    [marker] = s3.list_object_versions(Bucket=bucket, Prefix=table.name_manifest(day))["DeleteMarkers"]
    s3.delete_object(Bucket=bucket, Key=marker["Key"], VersionId=marker["VersionId"])


def test_old_version_of_a_manifest_loses_no_file(table: Table, ask: Ask, stage: Stage) -> None:
    first = table.insert(OLD, 5)
    stage.run(RETENTION_MONTHS="")
    body = stage.read(table.name_manifest(OLD))
    second = table.insert(OLD, 3, late=True)
    drop(table, ask)
    table.put_manifest(OLD, body)
    table.insert(OLD, 1, late=True)
    told = ask_for_fault(ask, "daily")
    assert table.list_lost(first, second) == []
    assert f"{table.name_manifest(OLD)} is older than what was verified" in told


def test_manifest_of_another_date_loses_no_file(table: Table, ask: Ask) -> None:
    rows = [*table.insert(OLD, 2), *table.insert(OTHER_DAY, 5)]
    drop(table, ask)
    table.put_manifest(OLD, table.read_manifest(OLD) | {"date": str(OTHER_DAY)})
    table.insert(OLD, 1, late=True)
    told = ask_for_fault(ask, "daily")
    assert table.list_lost(rows) == []
    assert f"{table.name_manifest(OLD)} is of {OTHER_DAY}" in told


def test_manifest_that_names_a_file_that_is_gone_loses_no_other(table: Table, ask: Ask, stage: Stage) -> None:
    """As if somebody had brought back the manifest from before an erasure."""
    others = table.insert(OLD, 5)
    drop(table, ask)
    manifest = table.read_manifest(OLD)
    [part] = manifest["parts"]
    gone = part["key"].replace("0000", "0007")
    table.put_manifest(OLD, manifest | {"parts": [part | {"key": gone}]})
    table.insert(OLD, 1, late=True)
    assert f"{gone} is missing" in ask_for_fault(ask, "daily")
    assert table.list_lost(others) == []


BODIES: dict[str, dict[str, Any] | str] = {
    "garbage": "garbage",
    "an empty object": "{}",
    "nothing": "",
    "null": "null",
    "the future": {"recorded_until": "2099-01-01T00:00:00+00:00"},
    "another date": {"date": str(OTHER_DAY)},
    "no zone": {"recorded_until": "2026-01-01T00:00:00"},
    "no list": {"parts": 7},
    "another day's file": {"parts": "another day's file"},
}


@pytest.mark.parametrize("kind", BODIES)
def test_bad_manifest_is_named_and_stops_its_day_alone(kind: str, table: Table, stage: Stage, ask: Ask) -> None:
    table.insert(OLD, 5)
    other_month = table.insert(month_before := (OLD - timedelta(days=1)).replace(day=1), 2)
    stage.run(RETENTION_MONTHS="")
    document, change = table.read_manifest(OLD), BODIES[kind]
    if kind == "another day's file":
        change = {"parts": table.read_manifest(month_before)["parts"]}
    table.put_manifest(OLD, change if isinstance(change, str) else document | change)
    late = table.insert(OLD, 1, late=True)
    others = table.insert(YESTERDAY, 2, late=True)
    for _ in range(2):
        told = ask_for_fault(ask, "daily")
        assert table.name_manifest(OLD) in told
        # The other day is exported, the other month has expired.
        assert table.count() == 8
        assert table.list_lost(others, other_month) == []
    table.put_manifest(OLD, document)
    assert ask_for_fault(ask, "daily") == ""
    assert table.count() == 2
    assert table.list_lost(late) == []
    assert stage.query("SELECT count(*) FROM stopped_days") == [[0]]


def test_day_whose_file_is_gone_is_exported_again_on_demand(table: Table, ask: Ask, stage: Stage) -> None:
    rows = table.insert(OLD, 3)
    stage.run(RETENTION_MONTHS="")
    [key] = stage.list_files(table.name)
    stage.s3.delete_object(Bucket=stage.bucket, Key=key)
    late = table.insert(OLD, 1, late=True)
    assert f"{key} is missing" in ask_for_fault(ask, "daily")
    assert table.count() == 4
    answer = ask("export_again", table=table.name, day=str(OLD))
    assert (answer["rows"], answer["replaced_rows"]) == (4, 3)
    assert ask_for_fault(ask, "daily") == ""
    assert table.list_lost(rows, late) == []
    assert table.count() == 0


def test_day_of_only_late_rows_needs_no_manifest(table: Table, ask: Ask, stage: Stage) -> None:
    """All days of a month are verified before it goes, those without rows too."""
    table.insert(OLD, 1)
    drop(table, ask)
    late = table.insert(OTHER_DAY, 2, late=True)
    assert ask_for_fault(ask, "daily") == ""
    assert table.list_lost(late) == []
