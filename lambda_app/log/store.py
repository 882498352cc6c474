"""All SQL but the migrations."""

import pg8000.native

from lambda_app.features import FEATURE_NAMES, SEX
from lambda_app.log.record import PredictionRecord

_COLUMNS = (
    "request_id",
    "created_at",
    *FEATURE_NAMES,
    "prediction",
    "interval_lower",
    "interval_upper",
    "interval_coverage",
    "model_version",
    "latency_ms",
)

# A retry or a replay of the same request id leaves the first row as it is.
_INSERT_PREDICTION = (
    f"INSERT INTO predictions ({', '.join(_COLUMNS)}) "  # noqa: S608 (the names are this code's own)
    f"VALUES ({', '.join(f':{column}' for column in _COLUMNS)}) "
    "ON CONFLICT (request_id) DO NOTHING"
)


def insert_prediction(connection: pg8000.native.Connection, record: PredictionRecord) -> None:
    """Insert the record unless its request id is there already."""
    connection.run(
        _INSERT_PREDICTION,
        request_id=record.request_id,
        created_at=record.created_at,
        # pg8000 sends text for the server to read, and "2.0" is no smallint.
        **{**record.features, SEX: int(record.features[SEX])},
        prediction=record.prediction,
        interval_lower=record.interval_lower,
        interval_upper=record.interval_upper,
        interval_coverage=record.interval_coverage,
        model_version=record.model_version,
        latency_ms=record.latency_ms,
    )


def ping(connection: pg8000.native.Connection) -> None:
    """Make the server answer."""
    connection.run("SELECT 1")
