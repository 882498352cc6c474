"""A record with the table's example, for tests and benchmarks."""

import dataclasses
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.record import PredictionRecord


def make_record(**changed: Any) -> PredictionRecord:
    record = PredictionRecord(
        request_id=uuid4(),
        created_at=datetime.now(UTC),
        features={name: float(value) for name, value in EXAMPLE_REQUEST.items()},
        prediction=151.0,
        interval_lower=60.5,
        interval_upper=241.25,
        interval_coverage=0.9,
        model_version="v1",
        latency_ms=1.5,
        warnings=[],
    )
    return dataclasses.replace(record, **changed)
