"""The columns of `predictions` follow problem/table.py, and no row is lost or refused on the way."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.migrations import MigrationError, apply_migrations
from lambda_app.settings import Settings
from lambda_app.table import Feature, Table, choices, integer, real
from problem.table import TABLE

DOSE = real("dose", "Dose 'per day'", "µg/m²", 0, 10, example=1)
VISITS = integer("visits", "Visits", "", 0, 10, example=1)
WARD = choices("ward", "Ward", {1: "north", -2: "süd"}, example=1)

Migrate = Callable[[Table], list[str]]


def change(*features: Feature, without: str = "") -> Table:
    """The table with further features, and without one of its own."""
    kept = tuple(feature for feature in TABLE.features if feature.name != without)
    return dataclasses.replace(TABLE, features=kept + features)


@pytest.fixture
def database(admin_settings: Settings, query: Callable[..., list[Any]]) -> Iterator[Database]:
    """A superuser's, with nothing in it."""
    name = f"columns_{uuid4().hex}"
    query(f"CREATE DATABASE {name}")
    database = Database(dataclasses.replace(admin_settings, database_name=name))
    yield database
    database.close()


@pytest.fixture
def migrate(database: Database, monkeypatch: pytest.MonkeyPatch) -> Migrate:
    def migrate_to(table: Table) -> list[str]:
        monkeypatch.setattr("lambda_app.log.migrations.TABLE", table)
        return database.run_transaction(apply_migrations)

    return migrate_to


def insert(database: Database, table: Table, **changed: Any) -> dict[str, Any]:
    """Insert a row with an example of each feature; returns the row."""
    row = {"request_id": uuid4(), "prediction": 1.0, "model_version": "v", "latency_ms": 0, **table.example, **changed}
    names = ", ".join(f'"{name}"' for name in row)
    statement = f"INSERT INTO predictions (created_at, {names}) VALUES (now(), {', '.join(f':{name}' for name in row)})"
    database.run_transaction(lambda c: c.run(statement, **row))
    return row


def read(database: Database, statement: str) -> list[list[Any]]:
    return database.run_transaction(lambda c: c.run(statement)) or []


def test_further_feature_becomes_a_column_that_may_be_null(database: Database, migrate: Migrate) -> None:
    assert migrate(TABLE) == ["0001_baseline.sql", "0002_life_of_a_record.sql", "0003_outcomes.sql", "0004_shadow.sql"]
    assert migrate(TABLE) == []
    insert(database, TABLE)
    table = change(DOSE, VISITS, WARD)
    assert migrate(table) == [f"added the column {name}" for name in ("dose", "visits", "ward")]
    assert migrate(table) == []
    insert(database, table)
    # The code that was deployed before writes until the new one takes its place.
    insert(database, TABLE)
    rows = read(database, "SELECT dose, visits, ward FROM predictions ORDER BY created_at")
    assert rows == [[None, None, None], [1.0, 1, 1], [None, None, None]]
    comments = read(
        database,
        "SELECT format_type(atttypid, -1), col_description(attrelid, attnum) FROM pg_attribute"
        " WHERE attrelid = CAST('predictions' AS regclass) AND attname IN ('dose', 'visits', 'ward') ORDER BY attnum",
    )
    assert comments == [
        ["double precision", "Dose 'per day' (µg/m²)"],
        ["bigint", "Visits"],
        ["smallint", "Ward (1: north, -2: süd)"],
    ]
    with pytest.raises(pg8000.native.DatabaseError, match="predictions_ward_choices"):
        insert(database, table, ward=2)


def test_column_of_a_former_feature_stays_and_is_left_empty(database: Database, migrate: Migrate) -> None:
    migrate(TABLE)
    former, *_ = TABLE.names
    kept = insert(database, TABLE)[former]
    table = change(without=former)
    assert migrate(table) == [f"kept the column {former} of a former feature"]
    assert migrate(table) == []
    insert(database, table)
    assert read(database, f'SELECT "{former}" FROM predictions ORDER BY created_at') == [[kept], [None]]
    # It may come back.
    assert migrate(TABLE) == []
    insert(database, TABLE)


def test_choices_follow_the_table_and_older_rows_keep_theirs(database: Database, migrate: Migrate) -> None:
    migrate(change(WARD))
    insert(database, change(WARD), ward=-2)
    table = change(choices("ward", "Ward", {1: "north", 3: "west"}, example=3))
    assert migrate(table) == ["changed the choices of the column ward"]
    assert migrate(table) == []
    insert(database, table)
    with pytest.raises(pg8000.native.DatabaseError, match="predictions_ward_choices"):
        insert(database, table, ward=-2)
    assert read(database, "SELECT ward FROM predictions ORDER BY created_at") == [[-2], [3]]


@pytest.mark.parametrize(
    ("feature", "fault"),
    [
        (
            integer("dose", "Dose", "", 0, 10, example=1),
            "column dose is double precision, but the feature needs bigint",
        ),
        (
            choices("visits", "Visits", {0: "0", 1: "1"}, example=1),
            "column visits is bigint, but the feature needs sma",
        ),
    ],
)
def test_feature_whose_column_has_another_type_is_refused(
    feature: Feature, fault: str, database: Database, migrate: Migrate
) -> None:
    migrate(change(DOSE, VISITS))
    with pytest.raises(MigrationError, match=fault):
        migrate(change(WARD, feature))
    # Nothing of it was kept.
    assert read(database, "SELECT FROM pg_attribute WHERE attname = 'ward'") == []


def test_replay_knows_its_records_again_after_a_feature_was_added(database: Database, migrate: Migrate) -> None:
    migrate(TABLE)
    migrate(change(VISITS))
    row = insert(database, change(VISITS))
    [[created_at]] = read(database, "SELECT created_at FROM predictions")
    stored = row | {"request_id": str(row["request_id"]), "created_at": created_at.isoformat()}
    records = json.dumps([stored, stored | {"visits": 2}, stored | {"request_id": str(uuid4())}])
    found = database.run_transaction(lambda c: c.run("SELECT unstored_predictions(CAST(:r AS json))", r=records))
    assert found == [[1], [2]]
