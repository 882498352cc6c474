"""The daily work of maintain: days are exported, months that are over dropped, and nothing is lost on the way."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from uuid import UUID, uuid4

import pytest

from lambda_app.log.record import Shadow
from lambda_app.maintain import expiry, export
from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.parquet import FileWriter
from lambda_app.tasks import TaskFailedError
from local.records import make_record
from tests.events import Context
from tests.faults.front import Front
from tests.functional.helpers import DEAD_DATABASE
from tests.functional.maintaining import KEPT, OLD, TODAY, YESTERDAY, Stage, make_records, name_partition

# Powertools says so when a run ends without any, as a killed one does.
without_metrics = pytest.mark.filterwarnings("ignore:No application metrics")

NEXT_DAY = OLD + timedelta(days=1)


class KilledError(BaseException):
    """Stands for the end of the process."""


def kill(*_: Any) -> None:
    raise KilledError


def list_ids(*records: Any) -> list[str]:
    return sorted(str(record.request_id) for record in records)


def fold_ids(ids: list[str]) -> list[int]:
    """The XOR of each half, by Python alone."""
    first = second = 0
    for text in ids:
        halves = UUID(text).bytes[:8], UUID(text).bytes[8:]
        first ^= int.from_bytes(halves[0], signed=True)
        second ^= int.from_bytes(halves[1], signed=True)
    return [first, second]


def test_month_is_exported_verified_and_dropped(stage: Stage) -> None:
    old = [*make_records(OLD, 3), *make_records(NEXT_DAY, 2, model_version="v2")]
    kept = make_records(KEPT, 4)
    stage.insert([*old, *kept])
    stage.insert([make_record()], recorded_at=datetime.now(UTC))
    assert stage.run() == {
        "completed_erasures": 0,
        "open_erasures": 0,
        "default_rows": 9,
        "partitions": [name_partition(OLD), name_partition(KEPT)],
        "linked_outcomes": 0,
        "days": 3,
        "exported_rows": 9,
        "outcome_days": 0,
        "exported_outcomes": 0,
        "dropped": [name_partition(OLD)],
        "kept_by_holds": {},
        "expired_outcomes": 0,
        "outcomes_kept_by_holds": 0,
        "expired_keys": 0,
    }
    assert stage.count_rows() == 5
    assert not stage.has_table(OLD)
    assert stage.has_table(KEPT)
    assert stage.list_files() == [
        f"predictions/model_version=v1/date={OLD}/part-0000.parquet",
        f"predictions/model_version=v1/date={KEPT}/part-0000.parquet",
        f"predictions/model_version=v2/date={NEXT_DAY}/part-0000.parquet",
    ]
    assert stage.read_exported_ids() == list_ids(*old, *kept)
    [[days, rows]] = stage.query("SELECT days, exported_rows FROM exports WHERE table_name = 'predictions'")
    assert [days, rows] == [3, 9]


def test_file_has_the_columns_and_values_of_the_table(stage: Stage) -> None:
    warnings = [{"field": "bmi", "message": 'is "outside",\n\\ {NULL} é'}]
    [first, second] = make_records(YESTERDAY, 2, prediction=0.1 + 0.2)
    odd = make_record(
        created_at=datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, 23, 59, 59, 999999, UTC),
        caller="",
        subject='a,"b"',
        warnings=warnings,
        interval_coverage=None,
        batch_id=uuid4(),
        batch_index=7,
        shadow=Shadow("v2", 0.1 + 0.2, -0.1, 1e300, None, 0.25),
    )
    stage.insert([first, second, odd])
    stage.run()
    [key] = stage.list_files()
    table = stage.read_parquet(key)
    rows = {row["request_id"]: row for row in table.to_pylist()}
    kinds = {
        "uuid": "string",
        "text": "string",
        "jsonb": "string",
        "double precision": "double",
        "real": "float",
        "bigint": "int64",
        "integer": "int32",
        "smallint": "int16",
        "timestamp with time zone": "timestamp[us, tz=UTC]",
    }
    columns = stage.query(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = CAST('predictions' AS regclass) AND attnum > 0 ORDER BY attnum"
    )
    assert {field.name: str(field.type) for field in table.schema} == {
        name: kinds[kind] for name, kind in columns if name != "model_version"
    }
    for record in (first, second, odd):
        row = rows[str(record.request_id)]
        assert json.loads(row.pop("warnings")) == record.warnings
        assert row == {
            **record.features,
            **{name: value for name, value in vars(record).items() if name in row},
            "request_id": str(record.request_id),
            "batch_id": record.batch_id and str(record.batch_id),
            "recorded_at": record.created_at,
            **{
                f"shadow_{name}": getattr(record.shadow, name, None)
                for name in ("version", "prediction", "lower", "upper", "coverage", "ms")
            },
        }


def test_manifest_describes_the_files(stage: Stage) -> None:
    records = make_records(YESTERDAY, 5)
    stage.insert(records)
    stage.run()
    manifest = stage.read_manifest(YESTERDAY)
    [part] = manifest.pop("parts")
    content = stage.read(part["key"])
    head = stage.s3.head_object(Bucket=stage.bucket, Key=part["key"], ChecksumMode="ENABLED")
    assert part["rows"] == 5
    assert part["bytes"] == len(content)
    assert part["ids"] == fold_ids(list_ids(*records))
    assert part["model_version"] == "v1"
    assert bytes.fromhex(part["sha256"]).hex() == part["sha256"]
    assert head["ChecksumSHA256"]
    [[until, is_past]] = stage.query(
        "SELECT recorded_until, recorded_until <= now() - interval '10 minutes' FROM verified_days"
    )
    assert is_past
    assert manifest == {"date": str(YESTERDAY), "recorded_until": until.isoformat()}


def test_another_run_changes_nothing(stage: Stage) -> None:
    stage.insert([*make_records(OLD, 3), *make_records(YESTERDAY, 3)])
    stage.run()
    before = stage.list_versions()
    answer = stage.run()
    assert answer == {
        "completed_erasures": 0,
        "open_erasures": 0,
        "default_rows": 0,
        "partitions": [],
        "linked_outcomes": 0,
        "days": 0,
        "exported_rows": 0,
        "outcome_days": 0,
        "exported_outcomes": 0,
        "dropped": [],
        "kept_by_holds": {},
        "expired_outcomes": 0,
        "outcomes_kept_by_holds": 0,
        "expired_keys": 0,
    }
    assert stage.list_versions() == before


def test_late_rows_get_a_further_file(stage: Stage) -> None:
    first, late = make_records(YESTERDAY, 2), make_records(YESTERDAY, 3)
    stage.insert(first)
    stage.run()
    [before] = stage.list_files()
    content = stage.read(before)
    stage.insert_late(late)
    assert stage.run()["exported_rows"] == 3
    assert stage.list_files() == [before, before.replace("0000", "0001")]
    assert stage.read(before) == content
    assert stage.read_exported_ids() == list_ids(*first, *late)
    assert [part["rows"] for part in stage.read_manifest(YESTERDAY)["parts"]] == [2, 3]


def test_row_that_may_not_be_committed_yet_waits(stage: Stage) -> None:
    stage.insert(make_records(YESTERDAY, 1), recorded_at=datetime.now(UTC) - timedelta(minutes=9))
    assert stage.run()["exported_rows"] == 0
    stage.query("UPDATE predictions SET recorded_at = recorded_at - interval '2 minutes'")
    assert stage.run()["exported_rows"] == 1


def test_month_with_a_row_that_may_not_be_committed_yet_stays(stage: Stage) -> None:
    stage.insert(make_records(OLD, 2))
    stage.insert(make_records(OLD, 1), recorded_at=datetime.now(UTC))
    answer = stage.run()
    assert (answer["exported_rows"], answer["dropped"]) == (2, [])
    stage.query(
        "UPDATE predictions SET recorded_at = (SELECT max(recorded_until) FROM verified_days) + interval '1 us'"
        " WHERE recorded_at > now() - interval '1 minute'"
    )
    answer = stage.run()
    assert (answer["exported_rows"], answer["dropped"]) == (1, [name_partition(OLD)])


def test_row_whose_transaction_took_too_long_keeps_its_month(stage: Stage) -> None:
    stage.insert(make_records(OLD, 2))
    stage.run(RETENTION_MONTHS="")
    # As if it had been recorded before the export, and committed only now.
    stage.insert(make_records(OLD, 1))
    with pytest.raises(TaskFailedError, match=r"stays: .* the table has 3 rows, the export 2"):
        stage.run()
    assert stage.count_rows() == 3


def test_late_rows_of_a_dropped_month_are_exported_and_dropped_too(stage: Stage) -> None:
    first, late = make_records(OLD, 3), make_records(OLD, 2)
    stage.insert(first)
    stage.run()
    assert not stage.has_table(OLD)
    stage.insert_late(late)
    answer = stage.run()
    assert answer["partitions"] == answer["dropped"] == [name_partition(OLD)]
    assert stage.read_exported_ids() == list_ids(*first, *late)
    assert stage.count_rows() == 0


def test_days_are_split_into_files(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_app.maintain.parquet.GROUP_BYTES", 2_000)
    monkeypatch.setattr("lambda_app.maintain.parquet.FILE_ROWS", 50)
    records = make_records(OLD, 230)
    stage.insert(records)
    assert stage.run()["dropped"] == [name_partition(OLD)]
    assert len(stage.list_files()) == 5
    assert stage.read_exported_ids() == list_ids(*records)
    assert sum(part["rows"] for part in stage.read_manifest(OLD)["parts"]) == 230


def test_without_a_retention_nothing_is_dropped(stage: Stage) -> None:
    stage.insert(make_records(OLD, 3))
    assert stage.run(RETENTION_MONTHS="")["dropped"] == []
    assert stage.count_rows() == 3


def test_rows_of_no_month_move_into_a_partition(stage: Stage) -> None:
    far = make_records(datetime(TODAY.year + 5, 3, 1, tzinfo=UTC).date(), 2)
    stage.insert(far, recorded_at=datetime.now(UTC))
    answer = stage.run()
    assert answer["default_rows"] == 2
    name = f"predictions_{TODAY.year + 5}_03"
    assert answer["partitions"] == [name]
    assert stage.query(f"SELECT count(*) FROM {name}") == [[2]]
    assert stage.query("SELECT count(*) FROM predictions_default") == [[0]]
    assert stage.run()["default_rows"] == 0


def test_partitions_are_made_three_months_ahead(stage: Stage) -> None:
    months = [name for name in stage.list_partitions() if name != "predictions_default"]
    for name in months[2:]:
        stage.query(f"DROP TABLE {name}")
    assert stage.run()["partitions"] == months[2:4]
    assert stage.run()["partitions"] == []


@pytest.mark.parametrize("hold", ["subject", "caller", "period"])
def test_hold_keeps_its_month(hold: str, stage: Stage) -> None:
    stage.insert(make_records(OLD, 2, subject="s", caller="c"))
    values = {
        "subject": ("subject", "'s'"),
        "caller": ("caller", "'c'"),
        "period": ("starts, ends", f"'{OLD} 00:00Z', '{NEXT_DAY} 00:00Z'"),
    }
    columns, given = values[hold]
    [[number]] = stage.query(
        f"INSERT INTO holds ({columns}, reason, placed_by) VALUES ({given}, 'a lawsuit', 'a lawyer') RETURNING id"
    )
    answer = stage.run()
    assert answer["dropped"] == []
    assert answer["kept_by_holds"] == {f"{OLD:%Y-%m}": [number]}
    assert stage.count_rows() == 2
    stage.query("UPDATE holds SET removed_at = now(), removed_by = 'a lawyer'")
    assert stage.run()["dropped"] == [name_partition(OLD)]


def test_old_idempotency_keys_expire(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_app.maintain.expiry.ROWS_AT_ONCE", 10)
    for days, count in ((29, 1), (31, 35)):
        stage.query(
            "INSERT INTO idempotency_keys (idempotency_key, fingerprint, request_id, created_at)"
            " SELECT gen_random_uuid(), '', gen_random_uuid(), now() - make_interval(days => :days)"
            " FROM generate_series(1, CAST(:count AS integer))",
            days=days,
            count=count,
        )
    assert stage.run()["expired_keys"] == 35
    assert stage.query("SELECT count(*) FROM idempotency_keys") == [[1]]
    assert stage.run(IDEMPOTENCY_DAYS="28")["expired_keys"] == 1


@without_metrics
@pytest.mark.parametrize(
    ("where", "name"),
    [
        (RecordsBucket, "write_manifest"),
        (expiry, "detach_month"),
        (export, "verify_export"),
        (FileWriter, "_finish_file"),
    ],
    ids=["before the manifest", "before the drop", "before the verification", "before the file"],
)
def test_run_that_is_killed_is_completed_by_the_next(
    where: Any, name: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [*make_records(OLD, 4), *make_records(KEPT, 3)]
    stage.insert(records)
    with monkeypatch.context() as context:
        context.setattr(where, name, kill)
        with pytest.raises(KilledError):
            stage.run()
    assert stage.count_rows() == 7
    assert stage.run()["dropped"] == [name_partition(OLD)]
    assert stage.read_exported_ids() == list_ids(*records)
    assert stage.count_rows() == 3


@without_metrics
def test_file_that_a_killed_run_left_is_no_longer_there(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    records = make_records(YESTERDAY, 4)
    stage.insert(records)
    with monkeypatch.context() as context:
        context.setattr(RecordsBucket, "write_manifest", kill)
        with pytest.raises(KilledError):
            stage.run()
    [left] = stage.list_files()
    stage.query("DELETE FROM predictions WHERE request_id <> :id", id=records[0].request_id)
    stage.run()
    assert stage.read_exported_ids() == list_ids(records[0])
    # Nor an older version of it, with rows that were erased meanwhile.
    assert [len(stage.list_versions()[key]) for key in [left]] == [1]


@without_metrics
def test_month_that_was_detached_and_not_dropped_is_dropped_by_the_next_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.insert(make_records(OLD, 4))
    with monkeypatch.context() as context:
        context.setattr("lambda_app.maintain.expiry.drop_detached", Mock(side_effect=[[], KilledError]))
        with pytest.raises(KilledError):
            stage.run()
    assert name_partition(OLD) not in stage.list_partitions()
    assert stage.has_table(OLD)
    assert stage.run()["dropped"] == [name_partition(OLD)]
    assert not stage.has_table(OLD)
    assert stage.run()["dropped"] == []


def test_table_that_somebody_else_detached_stays(stage: Stage) -> None:
    stage.insert(make_records(OLD, 4))
    stage.run(RETENTION_MONTHS="")
    stage.query(f"ALTER TABLE predictions DETACH PARTITION {name_partition(OLD)}")
    assert stage.run()["dropped"] == []
    assert stage.has_table(OLD)


def test_month_whose_rows_are_not_those_of_the_export_stays(stage: Stage) -> None:
    stage.insert(make_records(OLD, 4))
    stage.run(RETENTION_MONTHS="")
    # A row that no export could see, because its time was written by hand.
    stage.insert(make_records(OLD, 1))
    stage.query("DELETE FROM verified_days")
    with pytest.raises(TaskFailedError, match=r"stays: .* the table has 5 rows, the export 4"):
        stage.run()
    assert stage.count_rows() == 5


def test_day_that_differs_is_exported_again_on_demand(stage: Stage) -> None:
    first, unseen = make_records(OLD, 2), make_records(OLD, 1, model_version="v2")
    stage.insert(first)
    stage.run(RETENTION_MONTHS="")
    stage.insert(unseen)
    [old] = stage.list_files()
    content, before = stage.read(old), stage.read_manifest(OLD)
    with pytest.raises(TaskFailedError, match=r"the table has 3 rows, the export 2"):
        stage.run()
    answer = stage.ask("export_again", table="predictions", day=str(OLD), by="ada")
    assert answer == {"rows": 3, "replaced_rows": 2, "replaced_files": 1}
    # Readers see each row once.
    assert stage.list_files() == [old.replace("0000", "0001"), old.replace("v1", "v2")]
    assert stage.read_exported_ids() == list_ids(*first, *unseen)
    # What was there is kept, and the manifest says so.
    [version] = stage.s3.list_object_versions(Bucket=stage.bucket, Prefix=old)["Versions"]
    kept = stage.s3.get_object(Bucket=stage.bucket, Key=old, VersionId=version["VersionId"])["Body"].read()
    assert kept == content
    [part], [replaced] = before["parts"], stage.read_manifest(OLD)["replaced"]
    assert replaced == {
        **{name: part[name] for name in ("key", "rows", "sha256", "exported_at")},
        "replaced_at": replaced["replaced_at"],
        "replaced_by": "ada",
    }
    late = make_records(OLD, 1)
    stage.insert_late(late)
    assert stage.run()["dropped"] == [name_partition(OLD)]
    assert stage.read_exported_ids() == list_ids(*first, *unseen, *late)
    assert len(stage.s3.list_object_versions(Bucket=stage.bucket, Prefix=old)["Versions"]) == 1


@without_metrics
def test_killed_before_it_hides_what_it_replaced_the_same_task_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = make_records(YESTERDAY, 3)
    stage.insert(records)
    stage.run()
    with monkeypatch.context() as context:
        context.setattr(RecordsBucket, "delete_strays", Mock(side_effect=[None, KilledError]))
        with pytest.raises(KilledError):
            stage.ask("export_again", table="predictions", day=str(YESTERDAY), by="ada")
    stage.query("UPDATE lease SET ends_at = '-infinity'")
    assert stage.ask("export_again", table="predictions", day=str(YESTERDAY), by="ada")["rows"] == 3
    assert stage.read_exported_ids() == list_ids(*records)


def test_row_that_comes_at_the_last_moment_keeps_its_month(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.insert(make_records(OLD, 4))
    stage.run(RETENTION_MONTHS="")
    find_fault = RecordsBucket.find_fault

    def insert_meanwhile(*arguments: Any) -> Any:
        stage.insert(make_records(OLD, 1), recorded_at=datetime.now(UTC))
        return find_fault(*arguments)

    monkeypatch.setattr(RecordsBucket, "find_fault", insert_meanwhile)
    with pytest.raises(TaskFailedError, match=rf"{name_partition(OLD)} has rows that are not verified$"):
        stage.run()
    assert stage.count_rows() == 5
    # The work of the next steps was done, and the lease given back.
    assert "error" not in stage.run(RETENTION_MONTHS="")


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_month_whose_file_is_damaged_stays(damage: str, stage: Stage) -> None:
    stage.insert(make_records(OLD, 4))
    stage.run(RETENTION_MONTHS="")
    [key] = stage.list_files()
    if damage == "missing":
        stage.s3.delete_object(Bucket=stage.bucket, Key=key)
    else:
        stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=b"other", ChecksumAlgorithm="SHA256")
    with pytest.raises(TaskFailedError, match=rf"{OLD:%Y-%m} stays: {key} is (missing|not what was exported)"):
        stage.run()
    assert stage.count_rows() == 4


def test_nothing_happens_without_the_database(stage: Stage) -> None:
    stage.insert(make_records(OLD, 4))
    with pytest.raises(TaskFailedError, match=r"^daily: ConnectionRefusedError$"):
        stage.run(**DEAD_DATABASE)
    assert stage.list_versions() == {}


@pytest.mark.parametrize("mode", ["error", "reset"])
def test_nothing_is_dropped_while_s3_refuses(mode: Any, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise boto3 tries for half a minute.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    stage.insert(make_records(OLD, 4))
    key = {"idempotency_key": "k"}
    stage.query(
        "INSERT INTO idempotency_keys (idempotency_key, fingerprint, request_id, created_at)"
        " VALUES (:idempotency_key, '', gen_random_uuid(), now() - interval '1 year')",
        **key,
    )
    with Front(int(stage.s3.meta.endpoint_url.rpartition(":")[2])) as front:
        front.mode = mode
        with pytest.raises(TaskFailedError, match=r"^daily: export: \w+( \w+)?$"):
            stage.run(AWS_ENDPOINT_URL=front.endpoint_url)
        # The other steps have done their work.
        assert stage.query("SELECT count(*) FROM idempotency_keys") == [[0]]
        assert name_partition(OLD) in stage.list_partitions()
        assert stage.count_rows() == 4
        front.mode = "forward"
        assert stage.run(AWS_ENDPOINT_URL=front.endpoint_url)["dropped"] == [name_partition(OLD)]


def test_two_runs_do_not_work_at_once(stage: Stage) -> None:
    stage.query("UPDATE lease SET holder = gen_random_uuid(), ends_at = '9999-12-31 12:34Z'")
    answer = stage.run()
    assert answer == {
        "error": "another run is at work on the records: try again when it has ended, at 12:34 UTC at the latest"
    }
    stage.query("UPDATE lease SET ends_at = now() - interval '1 second'")
    assert "error" not in stage.run()


def test_export_ends_before_lambda_does(stage: Stage) -> None:
    class ShortContext(Context):
        def get_remaining_time_in_millis(self) -> int:
            return export.DAY_SECONDS * 1000 - 1

    stage.insert([*make_records(OLD, 1), *make_records(YESTERDAY, 1)])
    answer = stage.wire()({}, ShortContext())
    assert answer["unfinished"] is True
    assert answer["exported_rows"] == 0
    assert stage.count_rows() == 2
    assert stage.run()["exported_rows"] == 2


def test_unknown_task_is_refused(stage: Stage) -> None:
    answer = stage.wire()({"task": "sleep"}, Context())
    assert answer["error"].startswith("there is no task 'sleep': use daily")


def test_metrics_tell_what_was_done(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.insert(make_records(OLD, 4, subject="a-secret-subject"))
    stage.run()
    output = capsys.readouterr().out
    metrics = [document for line in output.splitlines() if "_aws" in (document := json.loads(line))]
    found = {name: value for document in metrics for name, value in document.items()}
    assert {name: found[name] for name in found if name.startswith(("Maint", "Rows", "Part", "Default"))} == {
        "MaintenanceRuns": [1.0],
        "MaintenanceFailures": [0.0],
        "RowsExported": [4.0],
        "PartitionsDropped": [1.0],
        "DefaultPartitionRows": [4.0],
    }
    assert "a-secret-subject" not in output
