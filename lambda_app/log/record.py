"""What is kept of every answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class PredictionRecord:
    """One answered prediction. `latency_ms` runs from the request's arrival to this record's making."""

    request_id: UUID
    created_at: datetime
    features: Mapping[str, float]
    prediction: float
    interval_lower: float
    interval_upper: float
    interval_coverage: float
    model_version: str
    latency_ms: float
