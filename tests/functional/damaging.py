"""Either exported table of a stage, for the tests that damage its files and manifests."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from lambda_app.log.record import PredictionRecord
from lambda_app.tasks import TaskFailedError
from local.records import make_record
from tests.functional.maintaining import Stage
from tests.functional.outcomes import insert_outcomes, make_outcome

TABLES = ("predictions", "outcomes")

Ask = Callable[..., dict[str, Any]]


class KilledError(BaseException):
    """Stands for the end of the process."""


@dataclass(frozen=True)
class Row:
    """A prediction, or the outcome of one that the table of predictions never had."""

    id: str
    prediction: PredictionRecord


class Table:
    """One of the tables. Rows are made at noon, and recorded then, or late: just after the last export."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self.id_column = {"predictions": "request_id", "outcomes": "outcome_id"}[name]

    def insert(self, day: date, count: int, *, late: bool = False, recorded_at: datetime | None = None) -> list[Row]:
        noon = datetime.combine(day, time(12), UTC)
        records = [make_record(created_at=noon + timedelta(seconds=n)) for n in range(count)]
        if late:
            days = {"predictions": "verified_days", "outcomes": "verified_outcome_days"}[self.name]
            [[until]] = self.stage.query(f"SELECT max(recorded_until) FROM {days}")
            recorded_at = until + timedelta(microseconds=1)
        if self.name == "predictions":
            self.stage.insert(records, recorded_at=recorded_at)
            return [Row(str(record.request_id), record) for record in records]
        outcomes = [make_outcome(record, reported_at=noon) for record in records]
        insert_outcomes(self.stage.query, *outcomes, recorded_at=recorded_at or noon)
        return [Row(str(outcome.outcome_id), row) for outcome, row in zip(outcomes, records, strict=True)]

    def count(self) -> int:
        [[count]] = self.stage.query(f"SELECT count(*) FROM {self.name}")
        return int(count)

    def list_lost(self, *rows: Iterable[Row]) -> list[str]:
        """The ids that no exported file has."""
        return sorted({row.id for some in rows for row in some} - set(self.stage.read_exported_ids(self.name)))

    def name_manifest(self, day: date) -> str:
        return f"manifests/{self.name}/{day}.json"

    def read_manifest(self, day: date) -> dict[str, Any]:
        return self.stage.read_manifest(day, self.name)

    def put_manifest(self, day: date, body: str | bytes | dict[str, Any]) -> None:
        content = json.dumps(body) if isinstance(body, dict) else body
        self.stage.s3.put_object(Bucket=self.stage.bucket, Key=self.name_manifest(day), Body=content)

    def delete_manifest(self, day: date) -> None:
        self.stage.s3.delete_object(Bucket=self.stage.bucket, Key=self.name_manifest(day))


def ask_for_fault(ask: Ask, task: str, **event: Any) -> str:
    """The text of a failure; empty without one."""
    try:
        answer = ask(task, **event)
    except TaskFailedError as error:
        return str(error)
    return str(answer.get("error", ""))
