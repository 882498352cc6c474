"""The configuration. No other module reads environment variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambda_app.errors import SettingsError
from lambda_app.project import METRICS_NAMESPACE, NAME

RUNTIMES = ("litert", "tensorflow")
TLS_MODES = ("verify", "off")
SWITCH = ("on", "off")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Settings:
    """The settings of the service. Each field is the environment variable of the same name in capitals."""

    model_bucket: str
    records_bucket: str
    retention_months: int | None
    idempotency_days: int
    model_runtime: str
    model_refresh_seconds: int
    candidate_max_ms: int
    monitor_window_days: int
    coverage_tolerance: float
    drift_false_alarms_per_year: float
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    database_password: str | None = field(repr=False)
    database_tls: str
    database_storage_gb: int | None
    role_secret_arns: tuple[str, ...]
    queue_url: str
    dead_letter_queue_url: str
    pages: bool
    service_name: str
    metrics_namespace: str
    log_level: str
    aws_endpoint_url: str | None
    aws_lambda_log_stream_name: str
    aws_region: str
    aws_access_key_id: str
    aws_secret_access_key: str = field(repr=False)
    aws_session_token: str | None = field(repr=False)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "Settings":
        """Read and check the variables; SettingsError lists every missing or wrong one."""
        reader = _Reader(environment)
        records_bucket = reader.text("RECORDS_BUCKET", default="")
        settings = cls(
            # The function maintain has RECORDS_BUCKET in its place.
            model_bucket=reader.text("MODEL_BUCKET", default="" if records_bucket else None),
            records_bucket=records_bucket,
            retention_months=reader.optional_number("RETENTION_MONTHS", 1, 1200),
            idempotency_days=reader.number("IDEMPOTENCY_DAYS", 1, 3650, default="30"),
            model_runtime=reader.choice("MODEL_RUNTIME", RUNTIMES, default="litert"),
            model_refresh_seconds=reader.number("MODEL_REFRESH_SECONDS", 1, 86400, default="60"),
            candidate_max_ms=reader.number("CANDIDATE_MAX_MS", 1, 10_000, default="250"),
            monitor_window_days=reader.number("MONITOR_WINDOW_DAYS", 1, 366, default="30"),
            coverage_tolerance=reader.decimal("COVERAGE_TOLERANCE", 0, 0.25, default="0.04"),
            drift_false_alarms_per_year=reader.decimal("DRIFT_FALSE_ALARMS_PER_YEAR", 0.01, 12, default="1"),
            database_host=reader.text("DATABASE_HOST"),
            database_port=reader.number("DATABASE_PORT", 1, 65535, default="5432"),
            database_name=reader.text("DATABASE_NAME"),
            database_user=reader.text("DATABASE_USER"),
            database_password=environment.get("DATABASE_PASSWORD") or None,
            database_tls=reader.choice("DATABASE_TLS", TLS_MODES, default="verify"),
            database_storage_gb=reader.optional_number("DATABASE_STORAGE_GB", 1, 65536),
            role_secret_arns=reader.names("ROLE_SECRET_ARNS"),
            queue_url=reader.text("QUEUE_URL"),
            dead_letter_queue_url=reader.text("DEAD_LETTER_QUEUE_URL"),
            pages=reader.choice("PAGES", SWITCH, default="on") == "on",
            service_name=reader.text("SERVICE_NAME", default=NAME),
            metrics_namespace=reader.text("METRICS_NAMESPACE", default=METRICS_NAMESPACE),
            log_level=reader.choice("LOG_LEVEL", LOG_LEVELS, default="INFO"),
            aws_endpoint_url=environment.get("AWS_ENDPOINT_URL") or None,
            aws_lambda_log_stream_name=reader.text("AWS_LAMBDA_LOG_STREAM_NAME", default="local"),
            aws_region=reader.text("AWS_REGION"),
            aws_access_key_id=reader.text("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=reader.text("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=environment.get("AWS_SESSION_TOKEN") or None,
        )
        if settings.database_tls == "off" and settings.database_password is None:
            reader.faults.append("DATABASE_PASSWORD is not set: an IAM token in its place needs DATABASE_TLS=verify")
        if reader.faults:
            raise SettingsError("; ".join(reader.faults))
        return settings


class _Reader:
    """Reads variables and collects the faults, so that one error lists them all."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environment.get(name) or default
        if value is None:
            self.faults.append(f"{name} is not set")
            return ""
        if value != value.strip():
            self.faults.append(f"{name} must not begin or end with a blank")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self._environment.get(name, "").split(",") if part.strip())

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._environment.get(name) or default
        if value not in choices:
            self.faults.append(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def optional_number(self, name: str, minimum: int, maximum: int) -> int | None:
        return self.number(name, minimum, maximum, default="") if self._environment.get(name) else None

    def number(self, name: str, minimum: int, maximum: int, default: str) -> int:
        value = self._environment.get(name) or default
        if not (re.fullmatch(r"0|[1-9][0-9]{0,9}", value) and minimum <= int(value) <= maximum):
            self.faults.append(f"{name} must be a whole number from {minimum} to {maximum}, not {value!r}")
            return minimum
        return int(value)

    def decimal(self, name: str, minimum: float, maximum: float, default: str) -> float:
        value = self._environment.get(name) or default
        if not (re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", value) and minimum <= float(value) <= maximum):
            self.faults.append(f"{name} must be a number from {minimum} to {maximum}, not {value!r}")
            return minimum
        return float(value)
