"""The daily work of maintain: days are exported, months that are over dropped, and nothing is lost on the way."""

from datetime import UTC, datetime, timedelta

from tests.functional.maintaining import KEPT, OLD, TODAY, Stage, make_records, name_partition

NEXT_DAY = OLD + timedelta(days=1)


def test_month_is_exported_verified_and_dropped(stage: Stage) -> None:
    old = [*make_records(OLD, 3), *make_records(NEXT_DAY, 2, model_version="v2")]
    kept = make_records(KEPT, 4)
    today = make_records(TODAY, 1)
    stage.insert([*old, *kept])
    stage.insert(today, recorded_at=datetime.now(UTC))
    answer = stage.run()
    assert answer == {
        "default_rows": 9,
        "partitions": [name_partition(OLD), name_partition(KEPT)],
        "days": 3,
        "exported_rows": 9,
        "dropped": [name_partition(OLD)],
        "kept_by_holds": {},
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
    assert stage.read_exported_ids() == sorted(str(record.request_id) for record in [*old, *kept])
