"""Erasure from exported files, with all their versions."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.events import Context
from tests.functional.erasing import DAY, LONG_AGO, Erase, make_counts
from tests.functional.exports import Exports, fold
from tests.functional.helpers import Query, Queues
from tests.functional.test_replay import encode

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def test_files_lose_every_version_of_the_erased_rows(
    erase: Erase, exports: Exports, subject: str, query: Query
) -> None:
    made = {"created_at": LONG_AGO}
    mine = [make_record(subject=subject, batch_id=uuid4(), batch_index=0, **made) for _ in range(4)]
    others = [make_record(subject=name, **made) for name in ("ü", None, "other")]
    mixed, alone, foreign = exports.put(DAY, [others[0], *mine[:2], others[1]], mine[2:3], others[2:])
    # An old version, and what a killed export has left.
    exports.put("2026-03-02", mine[3:])
    exports.put("2026-03-02", others[2:])
    stray = "predictions/model_version=v1/date=2026-03-03/part-0000.parquet"
    exports.s3.copy_object(Bucket=exports.bucket, Key=stray, CopySource={"Bucket": exports.bucket, "Key": alone})
    untouched = exports.read_manifest("2026-03-02")
    answer = erase(subject=subject)
    assert "waits_for" not in answer
    assert answer["erased"]["exported_rows"] == 3
    manifest = exports.read_manifest(DAY)
    [kept, new] = manifest["parts"]
    assert kept["key"] == foreign
    assert new["key"] == f"{mixed[:-12]}0003.parquet"
    body = exports.read_all_versions()[new["key"]][0]
    assert new == exports.describe(new["key"], body, others[:2])
    assert manifest == {"date": DAY, "recorded_until": f"{DAY}T23:00:00+00:00", "parts": [kept, new]}
    assert [row["request_id"] for row in exports.read_rows(new["key"])] == [str(r.request_id) for r in others[:2]]
    assert exports.list_subjects() == {"ü", None, "other"}
    assert exports.read_manifest("2026-03-02") == untouched
    # A manifest of one row would show its id.
    assert len(exports.read_all_versions()[f"manifests/predictions/{DAY}.json"]) == 1
    assert sorted(key for key in exports.read_all_versions() if key.endswith("parquet")) == sorted(
        [foreign, new["key"], untouched["parts"][0]["key"]]
    )
    # What only the files had does not come back either.
    [[found]] = query("SELECT count(*) FROM tombstones WHERE digest = digest_request(:id)", id=mine[0].request_id)
    assert found == 1


def test_later_rows_of_the_subject_stay_in_the_files(erase: Erase, exports: Exports, subject: str) -> None:
    later = make_record(subject=subject, created_at=datetime.now(UTC) + timedelta(hours=1))
    earlier = make_record(subject=subject, created_at=LONG_AGO)
    exports.put(DAY, [later, earlier])
    erase(subject=subject)
    [part] = exports.read_manifest(DAY)["parts"]
    assert (part["rows"], part["ids"]) == (1, fold([later.request_id]))


def test_row_of_a_clock_that_was_ahead_goes(erase: Erase, exports: Exports, subject: str) -> None:
    ahead = make_record(subject=subject, created_at=datetime.now(UTC) + timedelta(hours=1))
    exports.put(DAY, [ahead], recorded_at=datetime.now(UTC))
    assert erase(subject=subject)["erased"] == make_counts(exported_rows=1)
    assert exports.list_subjects() == set()


def test_a_request_goes_from_files_and_messages(
    erase: Erase, exports: Exports, queues: Queues, sqs: "SQSClient"
) -> None:
    batch_id = uuid4()
    records = [make_record(batch_id=batch_id, batch_index=n, created_at=LONG_AGO) for n in range(3)]
    other = make_record(created_at=LONG_AGO)
    exports.put(DAY, [*records, other])
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(*records, other))
    assert erase(request_id=str(records[1].request_id))["erased"] == make_counts(messages=1, exported_rows=1)
    assert erase(request_id=str(batch_id))["erased"]["exported_rows"] == 2
    [part] = exports.read_manifest(DAY)["parts"]
    assert [row["request_id"] for row in exports.read_rows(part["key"])] == [str(other.request_id)]
    assert queues.drain_dead_letters() == [encode(other)]


def test_files_that_were_replaced_lose_the_rows_too(
    erase: Erase, maintain: LambdaHandler, exports: Exports, subject: str
) -> None:
    mine, other = (make_record(subject=name, created_at=LONG_AGO - timedelta(days=7)) for name in (subject, "other"))
    day = f"{mine.created_at:%Y-%m-%d}"
    [key] = exports.put(day, [mine, other])
    again = {"task": "export_again", "table": "predictions", "day": day, "by": "ada"}
    assert "error" not in maintain(again, Context())
    assert exports.list_subjects() >= {subject, "other"}
    assert "waits_for" not in erase(subject=subject)
    assert subject not in exports.list_subjects()
    assert key not in exports.read_all_versions()
