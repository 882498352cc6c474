"""A database and a bucket of models of a test's own, and the function monitor before them."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import numpy as np
import pg8000.native

from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import insert_predictions
from lambda_app.settings import Settings
from local.records import make_record
from problem.table import TABLE
from tests.bundles import Registry
from tests.conftest import connect_database
from tests.events import Context
from tests.functional.helpers import Wire

NOW = datetime.now(UTC)
LAST_WEEK = NOW - timedelta(days=7)

Record = PredictionRecord


class Watched:
    """The database and the bucket, for the tests to fill. `connection` is the superuser's."""

    def __init__(self, settings: Settings, registry: Registry, wire: Wire) -> None:
        self.settings = settings
        self.registry = registry
        self._wire = wire
        self.connection = connect_database(settings)

    @property
    def version(self) -> str:
        """The current version."""
        return self.registry.version

    def run(self, event: dict[str, Any] | None = None, /, **changed: str) -> dict[str, Any]:
        """The answer of a new execution environment of monitor."""
        own = {"DATABASE_NAME": self.settings.database_name, "MODEL_BUCKET": self.registry.bucket}
        answer: dict[str, Any] = self._wire("monitor", **{**own, **changed})(event or {}, Context())
        # Lambda sends it as JSON.
        return dict(json.loads(json.dumps(answer, allow_nan=False)))

    def report(self, **changed: str) -> dict[str, Any]:
        """The newest report in S3, after a run."""
        answer = self.run(**changed)
        newest = self.registry.read("reports/performance.json")
        assert newest == self.registry.read(answer["report_key"])
        return dict(json.loads(newest, parse_constant=refuse))

    def describe(self, version: str | None = None) -> dict[str, Any]:
        """The part of a new report about a version, by default the current one."""
        found = {part["model_version"]: part for part in self.report()["versions"]}
        return dict(found[version or self.version])

    def query(self, statement: str, **parameters: Any) -> list[Any]:
        rows: list[Any] = self.connection.run(statement, **parameters)
        return rows

    def predict(self, predictions: Iterable[float], **changed: Any) -> list[Record]:
        """Store predictions of the current version, a second apart, with intervals of 50 to either side."""
        records = [
            make_record(
                **{
                    "model_version": self.version,
                    "created_at": LAST_WEEK + timedelta(seconds=place),
                    "prediction": float(value),
                    "interval_lower": float(value) - 50,
                    "interval_upper": float(value) + 50,
                    **changed,
                }
            )
            for place, value in enumerate(predictions)
        ]
        self.store(records)
        return records

    def store(self, records: Sequence[Record]) -> None:
        self.connection.run("BEGIN")
        insert_predictions(self.connection, records)
        self.connection.run("COMMIT")

    def observe(
        self,
        record: Record | UUID,
        value: float,
        *,
        after: timedelta = timedelta(days=1),
        observed_at: datetime | None = None,
        reported_at: datetime | None = None,
    ) -> None:
        """Store an outcome; by default it was observed a day after the prediction, and reported at once."""
        request_id = record if isinstance(record, UUID) else record.request_id
        if observed_at is None:
            observed_at = (LAST_WEEK if isinstance(record, UUID) else record.created_at) + after
        self.query(
            "INSERT INTO outcomes (outcome_id, request_id, value, observed_at, reported_at)"
            " VALUES (:outcome_id, :request_id, :value, :observed_at, :reported_at)",
            outcome_id=uuid5(request_id, f"{value!r} {observed_at.isoformat()}"),
            request_id=request_id,
            value=value,
            observed_at=observed_at,
            reported_at=reported_at or observed_at,
        )

    def observe_all(self, records: Sequence[Record], values: Iterable[float]) -> None:
        for record, value in zip(records, values, strict=True):
            self.observe(record, float(value))

    def close(self) -> None:
        self.connection.close()


def refuse(constant: str) -> float:
    """No NaN and no infinity is JSON."""
    raise AssertionError(f"the report holds {constant}")


def create_watched(admin_settings: Settings, registry: Registry, wire: Wire) -> Watched:
    """A new database in the run's server, and the promoted model."""
    settings = dataclasses.replace(admin_settings, database_name=f"watched_{uuid4().hex}")
    server = connect_database(admin_settings)
    server.run(f"CREATE DATABASE {pg8000.native.identifier(settings.database_name)}")
    server.close()
    database = Database(settings, wait_seconds=30)
    database.run_transaction(apply_migrations)
    database.close()
    return Watched(settings, registry, wire)


def draw_cases(reference: dict[str, Any], count: int, seed: int) -> list[dict[str, float]]:
    """Cases that are spread over the reference bins as the training was, with a value at an edge of each bin."""
    generator = np.random.default_rng(seed)
    columns = {name: draw_column(reference["features"][name], count, generator) for name in TABLE.names}
    return [{name: columns[name][place] for name in TABLE.names} for place in range(count)]


def draw_column(entry: dict[str, Any], count: int, generator: np.random.Generator) -> list[float]:
    shares = np.array(entry["counts"]) / sum(entry["counts"])
    marks = entry["values"] if "values" in entry else [entry["edges"][0] - 1, *entry["edges"]]
    return [float(marks[place]) for place in generator.choice(len(shares), count, p=shares)]


Describe = Callable[..., dict[str, Any]]
