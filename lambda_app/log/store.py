"""All SQL but the migrations."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

import pg8000.native

from lambda_app.log.record import IdempotencyKey, OutcomeRecord, PredictionRecord, Record
from lambda_app.table import Kind
from problem.table import TABLE

# The types of the columns: of a feature by its kind, and of a record's other fields.
FEATURE_TYPES = {Kind.REAL: "double precision", Kind.INTEGER: "bigint", Kind.CHOICES: "smallint"}
_RECORD_TYPES = {
    "request_id": "uuid",
    "created_at": "timestamptz",
    "prediction": "double precision",
    "interval_lower": "double precision",
    "interval_upper": "double precision",
    "interval_coverage": "double precision",
    "model_version": "text",
    "latency_ms": "double precision",
    "caller": "text",
    "caller_session": "text",
    "subject": "text",
    "batch_id": "uuid",
    "batch_index": "integer",
    "warnings": "jsonb",
}
_TYPES = _RECORD_TYPES | {feature.name: FEATURE_TYPES[feature.kind] for feature in TABLE.features}
# Only records beside which a candidate predicted have these; the others are written without them.
_SHADOW_TYPES = {
    "shadow_version": "text",
    "shadow_prediction": "double precision",
    "shadow_lower": "double precision",
    "shadow_upper": "double precision",
    "shadow_coverage": "double precision",
    "shadow_ms": "real",
}
_WHOLE = {feature.name for feature in TABLE.features if feature.kind is not Kind.REAL}
_OUTCOME_TYPES = {
    "outcome_id": "uuid",
    "request_id": "uuid",
    "value": "double precision",
    "observed_at": "timestamptz",
    "reported_at": "timestamptz",
    "reporter": "text",
    "reporter_session": "text",
}
_COLUMNS = ", ".join(_TYPES)
_OUTCOME_COLUMNS = ", ".join(_OUTCOME_TYPES)
_OUTCOME_DEFINITIONS = ", ".join(f"{name} {kind}" for name, kind in _OUTCOME_TYPES.items())

# A retry or a replay of the same request id leaves the first row as it is, with a trigger's help where created_at is
# another one; without a named conflict, because naming one needs the right to read.
_KEEP_FIRST = "ON CONFLICT DO NOTHING"


def _insert_one(types: Mapping[str, str]) -> str:
    return (
        f"INSERT INTO predictions ({', '.join(types)}) "  # noqa: S608 (our own names)
        f"VALUES ({', '.join(f':{name}' for name in types)}) {_KEEP_FIRST}"
    )


def _insert_many(types: Mapping[str, str]) -> str:
    columns = ", ".join(types)
    definitions = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return (
        f"INSERT INTO predictions ({columns}) SELECT {columns} "  # noqa: S608 (our own names)
        f"FROM json_to_recordset(CAST(:records AS json)) AS record ({definitions}) {_KEEP_FIRST}"
    )


# One row is read from parameters sooner than from JSON: 5 % of a warm request.
_INSERT_PREDICTION = _insert_one(_TYPES)
_INSERT_SHADOWED = _insert_one(_TYPES | _SHADOW_TYPES)
# Many come as JSON, because Python writes that in C: pg8000 takes 20 times as long for arrays.
_INSERT_PREDICTIONS = _insert_many(_TYPES)
_INSERT_MANY_SHADOWED = _insert_many(_TYPES | _SHADOW_TYPES)
# predicted_at tells a trigger where to look for the prediction.
_INSERT_OUTCOMES = (
    f"INSERT INTO outcomes ({_OUTCOME_COLUMNS}, predicted_at) "  # noqa: S608 (our own names)
    f"SELECT {_OUTCOME_COLUMNS}, predicted_at FROM json_to_recordset(CAST(:records AS json)) "
    f"AS record ({_OUTCOME_DEFINITIONS}, predicted_at timestamptz) {_KEEP_FIRST}"
)
_FIND_PREDICTION_TIMES = (
    "SELECT request_id, created_at "
    "FROM find_prediction_times(ARRAY(SELECT CAST(json_array_elements_text(CAST(:ids AS json)) AS uuid)))"
)

_CLAIM_KEY = (
    "INSERT INTO idempotency_keys (caller, idempotency_key, fingerprint, request_id) "
    "VALUES (:caller, :key, :fingerprint, :request_id) ON CONFLICT DO NOTHING RETURNING request_id"
)
_FIND_KEY = (
    "SELECT fingerprint, request_id, created_at FROM idempotency_keys "
    "WHERE caller IS NOT DISTINCT FROM CAST(:caller AS text) AND idempotency_key = :key"
)
# A function, because PostgreSQL keeps its plan: with 60 partitions, planning takes ten times as long as the lookup.
# Of several outcomes the one reported last counts.
_FIND_PREDICTION = (
    f"SELECT {', '.join(f'record.{name}' for name in _TYPES)}, "  # noqa: S608 (our own names)
    f"{', '.join(f'outcome.{name}' for name in _OUTCOME_TYPES)} "
    "FROM find_prediction(:request_id, CAST(:caller AS text)) AS record LEFT JOIN LATERAL ("
    "SELECT * FROM outcomes WHERE outcomes.request_id = record.request_id "
    "ORDER BY outcomes.reported_at DESC, outcomes.outcome_id DESC LIMIT 1) AS outcome ON true"
)
_FIND_UNSTORED = {
    PredictionRecord: "SELECT unstored_predictions(CAST(:records AS json))",
    OutcomeRecord: "SELECT unstored_outcomes(CAST(:records AS json))",
}
_FIND_STRAY_ROWS = "SELECT EXISTS (SELECT FROM predictions_default)"
# The times spare PostgreSQL all months but one or two.
_FIND_REQUEST = (
    f"SELECT {_COLUMNS} FROM predictions "  # noqa: S608 (our own names)
    "WHERE (request_id = :request_id OR batch_id = :request_id) AND created_at BETWEEN :earliest AND :latest "
    "ORDER BY batch_index"
)
# The same request makes its records within this time, however often it runs; keep_first_prediction has it too.
_ONE_REQUEST = timedelta(days=1)


@dataclass(frozen=True)
class KeyUse:
    """The first use of an idempotency key. `used_at` is the database's time."""

    fingerprint: bytes
    request_id: UUID
    used_at: datetime


def insert_predictions(connection: pg8000.native.Connection, records: Sequence[PredictionRecord]) -> int:
    """Insert the records but those whose request id, or place in a batch, is taken; returns how many."""
    rows = [_to_row(record) for record in records]
    is_shadowed = any(record.shadow for record in records)
    if len(rows) == 1:
        statement = _INSERT_SHADOWED if is_shadowed else _INSERT_PREDICTION
        connection.run(statement, **rows[0] | {"warnings": json.dumps(rows[0]["warnings"])})
    else:
        connection.run(_INSERT_MANY_SHADOWED if is_shadowed else _INSERT_PREDICTIONS, records=json.dumps(rows))
    count: int = connection.row_count
    return count


def insert_outcomes(
    connection: pg8000.native.Connection, outcomes: Sequence[OutcomeRecord], predicted_at: Mapping[UUID, datetime]
) -> int:
    """Insert the outcomes but those that are stored or belong to an erased prediction; returns how many.

    `predicted_at` is what `find_prediction_times` returns for them.
    """
    rows = []
    for outcome in outcomes:
        time = predicted_at.get(outcome.request_id)
        rows.append({**_to_row(outcome), "predicted_at": time.isoformat() if time else "-infinity"})
    # Two statements that insert the same rows in two orders would wait for each other.
    rows.sort(key=itemgetter("request_id", "outcome_id"))
    connection.run(_INSERT_OUTCOMES, records=json.dumps(rows))
    count: int = connection.row_count
    return count


def find_unstored(connection: pg8000.native.Connection, records: Sequence[Record]) -> list[Record]:
    """Those of the records, all of one kind, that their table does not hold; needs no right to read it."""
    statement = _FIND_UNSTORED[type(records[0])]
    rows = connection.run(statement, records=json.dumps([_to_row(record) for record in records])) or []
    return [records[place] for [place] in rows]


def find_prediction_times(connection: pg8000.native.Connection, request_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """When these predictions were made, without those that are not recorded."""
    rows = connection.run(_FIND_PREDICTION_TIMES, ids=json.dumps([str(request_id) for request_id in request_ids]))
    return dict(rows or [])


def find_prediction(
    connection: pg8000.native.Connection, request_id: UUID, caller: str | None
) -> tuple[PredictionRecord, OutcomeRecord | None] | None:
    """The caller's own record of this id, and the outcome that counts."""
    rows = connection.run(_FIND_PREDICTION, request_id=request_id, caller=caller)
    if not rows:
        return None
    record, outcome = rows[0][: len(_TYPES)], rows[0][len(_TYPES) :]
    return _from_row(record), _outcome_from_row(outcome)


def find_request(connection: pg8000.native.Connection, request_id: UUID, near: datetime) -> list[PredictionRecord]:
    """The records of one request, in its order, that were made within a day of `near`."""
    times = {"earliest": near - _ONE_REQUEST, "latest": near + _ONE_REQUEST}
    return [_from_row(row) for row in connection.run(_FIND_REQUEST, request_id=request_id, **times) or []]


def claim_key(connection: pg8000.native.Connection, key: IdempotencyKey) -> KeyUse | None:
    """Take the key for this request; None when that worked, else its first use.

    Waits for another transaction that is about to take the same key.
    """
    taken = connection.run(
        _CLAIM_KEY, caller=key.caller, key=key.key, fingerprint=key.fingerprint, request_id=key.request_id
    )
    if taken:
        return None
    [use] = connection.run(_FIND_KEY, caller=key.caller, key=key.key) or []
    return KeyUse(*use)


def has_stray_rows(connection: pg8000.native.Connection) -> bool:
    """Return True if rows are in the partition for what no month's partition takes."""
    [[found]] = connection.run(_FIND_STRAY_ROWS) or []
    return bool(found)


def _to_row(record: Record) -> dict[str, Any]:
    if isinstance(record, OutcomeRecord):
        return {
            **vars(record),
            "outcome_id": str(record.outcome_id),
            "request_id": str(record.request_id),
            "observed_at": record.observed_at.isoformat(),
            "reported_at": record.reported_at.isoformat(),
        }
    row = {
        **vars(record),
        **{name: _to_column(value) if name in _WHOLE else value for name, value in record.features.items()},
        "request_id": str(record.request_id),
        "created_at": record.created_at.isoformat(),
        "batch_id": record.batch_id and str(record.batch_id),
        "warnings": list(record.warnings),
    }
    del row["features"], row["shadow"]
    if record.shadow is not None:
        row |= {f"shadow_{name}": value for name, value in vars(record.shadow).items()}
    return row


def _to_column(value: float) -> float:
    """2.0 is no integer for PostgreSQL; nor shall 1.5 become one."""
    return int(value) if float(value).is_integer() else value


def _from_row(row: Sequence[Any]) -> PredictionRecord:
    values = dict(zip(_TYPES, row, strict=True))
    features = {name: values.pop(name) for name in TABLE.names}
    values["created_at"] = values["created_at"].astimezone(UTC)
    values["warnings"] = values["warnings"] or []
    return PredictionRecord(features=features, **values)


def _outcome_from_row(row: Sequence[Any]) -> OutcomeRecord | None:
    values = dict(zip(_OUTCOME_TYPES, row, strict=True))
    if values.pop("outcome_id") is None:
        return None
    return OutcomeRecord(**{name: _in_utc(value) for name, value in values.items()})


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
