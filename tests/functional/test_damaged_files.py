"""Erasure where files or manifests are damaged: nobody else's rows go, what is damaged is named, all else is erased."""

import io
from typing import Any
from unittest.mock import Mock

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lambda_app.maintain.exported import ExportedFiles
from lambda_app.maintain.files import RecordsBucket
from tests.functional.damaging import TABLES, Ask, KilledError, Row, Table, ask_for_fault
from tests.functional.maintaining import OLD, YESTERDAY, Stage, make_records

# Powertools says so when a run ends without any, as a failed one does.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest, stage: Stage) -> Table:
    return Table(stage, request.param)


def erase(ask: Ask, row: Row) -> dict[str, Any]:
    return ask("erase", request_id=str(row.prediction.request_id))


def erase_for_fault(ask: Ask, row: Row) -> str:
    return ask_for_fault(ask, "erase", request_id=str(row.prediction.request_id))


def test_erasure_without_a_manifest_loses_nobody_else(table: Table, stage: Stage, ask: Ask) -> None:
    mine, *others = table.insert(OLD, 6)
    ask("daily")
    assert table.count() == 0
    body = stage.read(table.name_manifest(OLD))
    table.delete_manifest(OLD)
    told = erase_for_fault(ask, mine)
    assert f"{table.name_manifest(OLD)} is missing" in told
    assert table.list_lost([mine, *others]) == []
    table.put_manifest(OLD, body)
    assert erase(ask, mine)["erased"]["exported_rows"] == 1
    assert table.list_lost([mine, *others]) == [mine.id]


def test_erasure_keeps_the_other_rows_of_a_file_that_no_manifest_names(
    table: Table, stage: Stage, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, *others = table.insert(YESTERDAY, 3)
    with monkeypatch.context() as context:
        context.setattr(RecordsBucket, "write_manifest", Mock(side_effect=KilledError))
        with pytest.raises(KilledError):
            ask("daily")
    stage.query("UPDATE lease SET ends_at = '-infinity'")
    assert "waits_for" not in erase(ask, mine)
    assert stage.read_exported_ids(table.name) == sorted(row.id for row in others)
    [key] = stage.list_files(table.name)
    assert len(stage.list_versions()[key]) == 1
    assert ask_for_fault(ask, "daily") == ""
    assert stage.read_exported_ids(table.name) == sorted(row.id for row in others)


def test_old_version_stays_while_the_current_one_is_damaged(table: Table, stage: Stage, ask: Ask) -> None:
    """It may be the only good one."""
    mine, *others = table.insert(OLD, 3)
    ask("daily")
    [key] = stage.list_files(table.name)
    content = stage.read(key)
    stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=b"garbage", ChecksumAlgorithm="SHA256")
    told = erase_for_fault(ask, mine)
    assert f"{key} cannot be read" in told
    assert f"{key} is not what was exported" in told
    assert len(stage.list_versions()[key]) == 2
    stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=content, ChecksumAlgorithm="SHA256")
    assert "waits_for" not in erase(ask, mine)
    assert key not in stage.list_versions()
    assert stage.read_exported_ids(table.name) == sorted(row.id for row in others)


def test_another_file_in_place_of_an_exported_one_is_not_rewritten(table: Table, stage: Stage, ask: Ask) -> None:
    mine, *others = table.insert(OLD, 3)
    [first] = table.insert(YESTERDAY, 1)
    ask("daily")
    [key, other_key] = stage.list_files(table.name)
    content = stage.read(key)
    # Somebody has left only the erased row in it.
    rows = stage.read_parquet(key)
    only_mine = rows.filter(pc.equal(rows[table.id_column], mine.id))
    pq.write_table(only_mine, body := io.BytesIO())
    stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=body.getvalue(), ChecksumAlgorithm="SHA256")
    assert f"{key} is not what was exported" in erase_for_fault(ask, mine)
    stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=content, ChecksumAlgorithm="SHA256")
    assert table.list_lost([mine, *others, first]) == []
    assert other_key in stage.list_files(table.name)


@pytest.mark.parametrize("body", ["", "garbage"])
def test_bad_file_is_named_and_hinders_no_other_erasure(body: str, table: Table, stage: Stage, ask: Ask) -> None:
    [other] = table.insert(OLD, 1)
    mine, third = table.insert(YESTERDAY, 2)
    stage.run(RETENTION_MONTHS="")
    [first, second] = stage.list_files(table.name)
    stage.s3.put_object(Bucket=stage.bucket, Key=first, Body=body)
    told = erase_for_fault(ask, mine)
    # What can be searched has lost it, and what cannot is named.
    assert second not in stage.list_files(table.name)
    assert first in told
    versions = stage.s3.list_object_versions(Bucket=stage.bucket, Prefix=first)["Versions"]
    [bad] = [version["VersionId"] for version in versions if version["IsLatest"]]
    stage.s3.delete_object(Bucket=stage.bucket, Key=first, VersionId=bad)
    done = ask("daily")
    assert (done["completed_erasures"], done["open_erasures"]) == (1, 0)
    assert table.list_lost([other, mine, third]) == [mine.id]


def test_erasure_that_was_killed_after_a_bad_file_searches_it_again(
    stage: Stage, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.insert([record for day in (OLD, YESTERDAY) for record in make_records(day, 1, subject="ada")])
    stage.run(RETENTION_MONTHS="")
    table = Table(stage, "predictions")
    body = stage.read(table.name_manifest(OLD))
    table.put_manifest(OLD, "garbage")
    with monkeypatch.context() as context:
        context.setattr(ExportedFiles, "delete", Mock(side_effect=KilledError))
        with pytest.raises(KilledError):
            ask("erase", subject="ada")
    stage.query("UPDATE lease SET ends_at = '-infinity'")
    table.put_manifest(OLD, body)
    assert ask("erase", subject="ada")["waits_for"] == "a file that an earlier call has passed over"
    answer = ask("erase", subject="ada")
    assert ("waits_for" in answer, answer["erased"]["exported_rows"]) == (False, 2)
    assert stage.read_exported_ids() == []


def test_one_erasure_that_fails_hinders_no_other(table: Table, stage: Stage, ask: Ask) -> None:
    first, second = table.insert(OLD, 1) + table.insert(YESTERDAY, 1)
    stage.run(RETENTION_MONTHS="")
    stage.query("UPDATE lease SET holder = gen_random_uuid(), ends_at = now() + interval '1 minute'")
    numbers = [erase(ask, row)["erasure"] for row in (first, second)]
    stage.query("UPDATE lease SET holder = NULL, ends_at = '-infinity'")
    body = stage.read(table.name_manifest(OLD))
    table.put_manifest(OLD, "garbage")
    told = ask_for_fault(ask, "daily")
    assert f"erasure {numbers[0]}: {table.name_manifest(OLD)} is no manifest" in told
    assert stage.query("SELECT id FROM erasures WHERE completed_at IS NULL") == [[numbers[0]]]
    table.put_manifest(OLD, body)
    assert ask("daily")["completed_erasures"] == 1
    assert stage.read_exported_ids(table.name) == []


def test_killed_erasure_leaves_no_old_manifest(
    table: Table, stage: Stage, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old manifest of a file with one row shows its id."""
    [mine] = table.insert(YESTERDAY, 1)
    ask("daily")
    with monkeypatch.context() as context:
        context.setattr(ExportedFiles, "_delete_versions", Mock(side_effect=KilledError))
        with pytest.raises(KilledError):
            erase(ask, mine)
    stage.query("UPDATE lease SET ends_at = '-infinity'")
    assert "waits_for" not in erase(ask, mine)
    assert len(stage.list_versions()[table.name_manifest(YESTERDAY)]) == 1


def test_completed_erasure_names_no_file(stage: Stage, ask: Ask) -> None:
    """It would tell the day of a record of the erased person."""
    stage.insert(make_records(YESTERDAY, 1, subject="ada"))
    ask("daily")
    ask("erase", subject="ada")
    assert stage.query("SELECT searched_file FROM erasures") == [[None]]
