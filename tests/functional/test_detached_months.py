"""A run that was killed between detaching and dropping a month: its rows are erased, or kept by a hold."""

from unittest.mock import Mock

import pytest

from tests.functional.damaging import Ask, KilledError
from tests.functional.maintaining import OLD, Stage, make_records, name_partition

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def detach(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setattr("lambda_app.maintain.expiry.drop_detached", Mock(side_effect=[[], KilledError]))
        with pytest.raises(KilledError):
            stage.run()
    stage.query("UPDATE lease SET ends_at = '-infinity'")
    assert stage.has_table(OLD)
    assert name_partition(OLD) not in stage.list_partitions()


def test_erasure_drops_it(stage: Stage, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    others = make_records(OLD, 2, subject="bo")
    stage.insert([*make_records(OLD, 3, subject="ada"), *others])
    detach(stage, monkeypatch)
    assert "waits_for" not in ask("erase", subject="ada")
    assert not stage.has_table(OLD)
    assert stage.read_exported_ids() == sorted(str(record.request_id) for record in others)


@pytest.mark.parametrize(
    "hold",
    [{"subject": "bo"}, {"caller": "c"}, {"starts": str(OLD), "ends": str(OLD)}],
    ids=["subject", "caller", "period"],
)
def test_hold_that_came_since_keeps_it(
    hold: dict[str, str], stage: Stage, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = make_records(OLD, 2, subject="bo", caller="c")
    stage.insert(records)
    detach(stage, monkeypatch)
    late = make_records(OLD, 1)
    stage.insert_late(late)
    number = ask("hold_add", **hold)["hold"]
    answer = ask("daily")
    assert (answer["dropped"], answer["kept_by_holds"]) == ([], {f"{OLD:%Y-%m}": [number]})
    assert name_partition(OLD) in stage.list_partitions()
    assert stage.count_rows() == 3
    assert ask("erase", subject="bo")["kept_by_holds"] == {str(number): {"predictions": 2, "exported_rows": 2}}
    ask("hold_remove", hold=number)
    assert ask("daily")["dropped"] == [name_partition(OLD)]
    assert stage.read_exported_ids() == [str(late[0].request_id)]


def test_row_that_came_again_since_is_there_once(stage: Stage, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    records = make_records(OLD, 2, subject="bo")
    stage.insert(records)
    detach(stage, monkeypatch)
    stage.insert_late(records[:1])
    ask("hold_add", subject="bo")
    ask("daily")
    assert stage.count_rows() == 2


def test_hold_of_others_keeps_it_not(stage: Stage, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.insert(make_records(OLD, 2, subject="bo"))
    detach(stage, monkeypatch)
    ask("hold_add", subject="ada")
    assert ask("daily")["dropped"] == [name_partition(OLD)]
