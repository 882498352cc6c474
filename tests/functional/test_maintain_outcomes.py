"""The daily work on outcomes: they find their predictions, are exported, and deleted when they are old."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.maintain import expiry, linking
from lambda_app.maintain.files import RecordsBucket
from lambda_app.tasks import TaskFailedError
from local.records import make_record
from tests.functional.exports import fold
from tests.functional.maintaining import KEPT, OLD, YESTERDAY, Stage, make_records
from tests.functional.outcomes import Outcome, count_outcomes, insert_outcomes, make_outcome

without_metrics = pytest.mark.filterwarnings("ignore:No application metrics")


class KilledError(BaseException):
    """Stands for the end of the process."""


def make_outcomes(day: date, count: int, **changed: Any) -> list[Outcome]:
    """Outcomes reported at noon of a day, of predictions that the table never had."""
    noon = datetime.combine(day, time(12), UTC)
    made = {"reported_at": noon, "observed_at": noon, **changed}
    return [make_outcome(make_record(created_at=noon), **made) for _ in range(count)]


def list_ids(outcomes: Iterable[Outcome]) -> list[str]:
    return sorted(str(outcome.outcome_id) for outcome in outcomes)


def insert_late(stage: Stage, *outcomes: Outcome) -> None:
    """Store them as if they had been replayed just after the last export."""
    [[until]] = stage.query("SELECT max(recorded_until) FROM verified_outcome_days")
    insert_outcomes(stage.query, *outcomes, recorded_at=until + timedelta(microseconds=1))


def find_links(stage: Stage, outcomes: Iterable[Outcome]) -> list[Any]:
    query = "SELECT predicted_at FROM outcomes WHERE outcome_id = :id"
    return [stage.query(query, id=outcome.outcome_id)[0][0] for outcome in outcomes]


def test_outcomes_find_the_predictions_that_came_later(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "ROWS_AT_ONCE", 2)
    records = make_records(YESTERDAY, 5)
    of_mine = [make_outcome(record) for record in (*records, records[0])]
    never = make_outcomes(YESTERDAY, 5)
    ancient = make_record(created_at=datetime.now(UTC) - timedelta(days=62))
    forgotten = make_outcome(ancient)
    stage.insert_outcomes(*of_mine, *never, forgotten)
    assert stage.run()["linked_outcomes"] == 0
    stage.insert([*records[:4], ancient])
    assert stage.run()["linked_outcomes"] == 5
    expected = [*(record.created_at for record in records[:4]), None, records[0].created_at]
    assert find_links(stage, of_mine) == expected
    assert find_links(stage, [*never, forgotten]) == [None] * 6
    assert stage.run()["linked_outcomes"] == 0


def test_day_is_exported_and_verified(stage: Stage) -> None:
    record = make_record(created_at=datetime.combine(YESTERDAY, time(1), UTC))
    stage.insert([record])
    odd = make_outcome(record, value=0.1 + 0.2, reporter='a,"b"\n', reporter_session="s")
    others = make_outcomes(YESTERDAY, 2, reporter=None)
    stage.insert_outcomes(odd, *others)
    # Today's wait for tomorrow.
    stage.insert_outcomes(*make_outcomes(datetime.now(UTC).date(), 1))
    answer = stage.run()
    assert (answer["outcome_days"], answer["exported_outcomes"]) == (1, 3)
    [key] = stage.list_files("outcomes")
    assert key == f"outcomes/date={YESTERDAY}/part-0000.parquet"
    assert stage.read_exported_ids("outcomes") == list_ids([odd, *others])
    rows = stage.read_parquet(key).to_pylist()
    [row] = [row for row in rows if row["outcome_id"] == str(odd.outcome_id)]
    # Without predicted_at, which would change.
    assert row == {
        **vars(odd),
        "outcome_id": str(odd.outcome_id),
        "request_id": str(odd.request_id),
        "recorded_at": odd.reported_at,
    }
    manifest = stage.read_manifest(YESTERDAY, "outcomes")
    [part] = manifest["parts"]
    content = stage.read(key)
    assert (part["key"], part["rows"], part["bytes"], part["model_version"]) == (key, 3, len(content), None)
    assert part["ids"] == fold([outcome.outcome_id for outcome in (odd, *others)])
    [[day, until]] = stage.query("SELECT day, recorded_until FROM verified_outcome_days")
    assert (day, until.isoformat()) == (YESTERDAY, manifest["recorded_until"])


def test_another_run_changes_nothing_and_late_rows_get_a_further_file(stage: Stage) -> None:
    first, late = make_outcomes(YESTERDAY, 2), make_outcomes(YESTERDAY, 3)
    stage.insert_outcomes(*first)
    stage.run()
    before = stage.list_versions()
    assert stage.run()["exported_outcomes"] == 0
    assert stage.list_versions() == before
    insert_late(stage, *late)
    assert stage.run()["exported_outcomes"] == 3
    assert [part["rows"] for part in stage.read_manifest(YESTERDAY, "outcomes")["parts"]] == [2, 3]
    assert stage.read_exported_ids("outcomes") == list_ids([*first, *late])


def test_old_outcomes_are_deleted_and_late_ones_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "ROWS_AT_ONCE", 2)
    old, kept, late = make_outcomes(OLD, 5), make_outcomes(KEPT, 2), make_outcomes(OLD, 3)
    stage.insert_outcomes(*old, *kept)
    assert stage.run(RETENTION_MONTHS="")["expired_outcomes"] == 0
    assert count_outcomes(stage.query, *old, *kept) == 7
    answer = stage.run()
    assert (answer["expired_outcomes"], answer["outcomes_kept_by_holds"]) == (5, 0)
    assert (count_outcomes(stage.query, *old), count_outcomes(stage.query, *kept)) == (0, 2)
    insert_late(stage, *late)
    answer = stage.run()
    assert (answer["exported_outcomes"], answer["expired_outcomes"]) == (3, 3)
    assert stage.read_exported_ids("outcomes") == list_ids([*old, *kept, *late])
    assert stage.run()["expired_outcomes"] == 0


@pytest.mark.parametrize("scope", ["subject", "caller", "period"])
def test_holds_keep_old_outcomes(scope: str, stage: Stage) -> None:
    record = make_records(OLD, 1, subject="s", caller="c")[0]
    stage.insert([record])
    held = make_outcome(record)
    free = make_outcomes(OLD + timedelta(days=1), 2)
    stage.insert_outcomes(held, *free)
    columns, values = {
        "subject": ("subject", "'s'"),
        "caller": ("caller", "'c'"),
        "period": ("starts, ends", f"'{OLD} 00:00Z', '{OLD + timedelta(days=1)} 00:00Z'"),
    }[scope]
    stage.query(f"INSERT INTO holds ({columns}, reason, placed_by) VALUES ({values}, 'a lawsuit', 'a lawyer')")
    for expired in (2, 0):
        answer = stage.run()
        assert (answer["expired_outcomes"], answer["outcomes_kept_by_holds"]) == (expired, 1)
        assert (count_outcomes(stage.query, held), count_outcomes(stage.query, *free)) == (1, 0)
    insert_late(stage, late := make_outcome(record))
    assert stage.run()["outcomes_kept_by_holds"] == 2
    stage.query("UPDATE holds SET removed_at = now(), removed_by = 'a lawyer'")
    assert stage.run()["expired_outcomes"] == 2
    assert stage.read_exported_ids("outcomes") == list_ids([held, late, *free])


def test_day_that_differs_stays_until_it_is_exported_again(stage: Stage) -> None:
    first, unseen = make_outcomes(OLD, 3), make_outcomes(OLD, 1)
    stage.insert_outcomes(*first)
    stage.run(RETENTION_MONTHS="")
    # As if it had been recorded before the export, and committed only now.
    stage.insert_outcomes(*unseen)
    with pytest.raises(TaskFailedError, match=f"outcomes of {OLD} stay: .* the table has 4 rows, the export 3"):
        stage.run()
    assert count_outcomes(stage.query, *first, *unseen) == 4
    answer = stage.ask("export_again", table="outcomes", day=str(OLD), by="ada")
    assert answer == {"rows": 4, "replaced_rows": 3, "replaced_files": 1}
    assert stage.read_exported_ids("outcomes") == list_ids([*first, *unseen])
    assert stage.run()["expired_outcomes"] == 4


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_outcomes_whose_file_is_damaged_stay(damage: str, stage: Stage) -> None:
    outcomes = make_outcomes(OLD, 3)
    stage.insert_outcomes(*outcomes)
    stage.run(RETENTION_MONTHS="")
    [key] = stage.list_files("outcomes")
    if damage == "missing":
        stage.s3.delete_object(Bucket=stage.bucket, Key=key)
    else:
        stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=b"other", ChecksumAlgorithm="SHA256")
    with pytest.raises(TaskFailedError, match=rf"{key} is (missing|not what was exported)"):
        stage.run()
    assert count_outcomes(stage.query, *outcomes) == 3


@without_metrics
def test_run_that_is_killed_is_completed_by_the_next(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = make_outcomes(OLD, 5)
    stage.insert_outcomes(*outcomes)

    def kill(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as context:
        context.setattr(RecordsBucket, "write_manifest", kill)
        with pytest.raises(KilledError):
            stage.run()
    assert count_outcomes(stage.query, *outcomes) == 5
    assert stage.run()["expired_outcomes"] == 5
    assert stage.read_exported_ids("outcomes") == list_ids(outcomes)


def test_half_deleted_day_is_finished(stage: Stage) -> None:
    outcomes = make_outcomes(OLD, 5)
    stage.insert_outcomes(*outcomes)
    stage.run(RETENTION_MONTHS="")
    # What a run does before it is killed.
    assert stage.query("SELECT expire_outcomes(:day, 2)", day=OLD) == [[2]]
    assert stage.run()["expired_outcomes"] == 3
    assert len(stage.read_exported_ids("outcomes")) == 5


def test_outcome_that_is_not_verified_is_never_deleted(stage: Stage) -> None:
    stage.insert_outcomes(*(outcomes := make_outcomes(OLD, 2)))
    assert stage.query("SELECT expire_outcomes(:day, 10)", day=OLD) == [[0]]
    stage.run(RETENTION_MONTHS="")
    insert_outcomes(stage.query, later := make_outcomes(OLD, 1)[0], recorded_at=datetime.now(UTC))
    assert stage.run()["expired_outcomes"] == 2
    assert count_outcomes(stage.query, *outcomes, later) == 1


def test_another_table_or_day_is_refused(stage: Stage) -> None:
    ask = {"table": "outcomes", "day": str(YESTERDAY), "by": "ada"}
    assert stage.ask("export_again", **{**ask, "table": str(uuid4())[:8]})["error"].startswith("table must be one of")
    assert stage.ask("export_again", **{**ask, "day": str(datetime.now(UTC).date())}) == {"error": "day must be over"}
    assert "day must be a day" in stage.ask("export_again", **{**ask, "day": "today"})["error"]
