"""Logs and metrics: JSON log lines, EMF metrics for CloudWatch, counts for Prometheus.

One call per fact. No caller passes a feature value or a secret. Predictions are reported only as quantiles of many.
Exceptions are reported without their text, because a library may quote its input there.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aws_lambda_powertools.logging import Logger, correlation_paths
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from lambda_app.project import PREFIX
from lambda_app.settings import Settings

LambdaHandler = Callable[[dict[str, Any], Any], Any]

# Upper bounds of the latency histogram's buckets, in seconds.
_BUCKETS_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# The log contains the metrics too, next to lines with the caller. Quantiles of fewer would reveal single cases.
_DISTRIBUTION_SIZE = 100

# Not "instance": Prometheus sets that label itself, and would rename ours.
_ENVIRONMENT_LABEL = "execution_environment"


class Telemetry:
    """The logger and the metrics of a process. Outside Lambda nothing reads EMF, so `emit_emf` is off."""

    def __init__(self, settings: Settings, *, emit_emf: bool) -> None:
        self._logger = Logger(service=settings.service_name, level=settings.log_level)
        # Not Metrics: all its instances share their state, so two would mix their values.
        self._metrics = EphemeralMetrics(namespace=settings.metrics_namespace, service=settings.service_name)
        self._emit_emf = emit_emf
        self._instance = settings.aws_lambda_log_stream_name
        self._requests: Counter[tuple[str, str]] = Counter()
        self._predictions: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._undescribed: list[float] = []
        self._model_load_failures = 0
        self._candidate_failures: Counter[str] = Counter()
        self._shadows: Counter[tuple[str, str]] = Counter()
        self._database_failures = 0
        self._buckets: Counter[float] = Counter()
        self._latency_sum_seconds = 0.0

    def wrap_handler(self, handler: LambdaHandler) -> LambdaHandler:
        """Give a Lambda handler its correlation id, its cold-start metric and the flush of its metrics."""
        with_context: LambdaHandler = self._logger.inject_lambda_context(
            handler,
            correlation_id_path=correlation_paths.API_GATEWAY_HTTP,
            clear_state=True,
            # The event contains measurements. The argument overrides POWERTOOLS_LOGGER_LOG_EVENT.
            log_event=False,
        )
        if not self._emit_emf:
            return with_context
        wrapped: LambdaHandler = self._metrics.log_metrics(with_context, capture_cold_start_metric=True)
        return wrapped

    def request_finished(self, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
        """Report a finished request. Every request calls this once, also after a failure."""
        self._requests[(route, str(status))] += 1
        self._latency_sum_seconds += seconds
        self._buckets[next((bound for bound in _BUCKETS_SECONDS if seconds <= bound), float("inf"))] += 1
        milliseconds = round(seconds * 1000, 2)
        # Zero is reported too: an alarm on a rate needs all requests, and an empty flush causes a warning.
        self._add_metric("ServerErrors", MetricUnit.Count, float(status >= 500))
        self._add_metric("Latency", MetricUnit.Milliseconds, milliseconds)
        facts: dict[str, Any] = {"request_id": request_id, "method": method, "route": route, "status": status}
        if not self._emit_emf:
            self._logger.info("request", **facts, duration_ms=milliseconds)
            return
        # In the line of the metrics: a second line would take 5 % of a warm request and a fifth of the log.
        facts |= {"message": "request", "correlation_id": self._logger.get_correlation_id()}
        for key, value in facts.items():
            self._metrics.add_metadata(key, value)

    def predictions_recorded(self, model_version: str, destination: str, predictions: Sequence[float]) -> None:
        """Report predictions with durable records in "database" or "queue"."""
        count = len(predictions)
        self._predictions[(model_version, destination)] += count
        self._add_metric("Predictions", MetricUnit.Count, count)
        self._add_metric(f"RecordsTo{destination.capitalize()}", MetricUnit.Count, count)
        if self._emit_emf:
            # No dimension: each version would be a metric to pay for. A list, as two versions may answer a batch.
            answers = self._metrics.metadata_set.get("answers", [])
            self._metrics.add_metadata("answers", [*answers, {"version": model_version, "count": count}])
        self._undescribed.extend(predictions)
        if len(self._undescribed) >= _DISTRIBUTION_SIZE:
            ordered = sorted(self._undescribed)
            for percent in (10, 50, 90):
                quantile = ordered[len(ordered) * percent // 100]
                self._add_metric(f"PredictionP{percent}", MetricUnit.NoUnit, round(quantile))
            self._undescribed.clear()

    def outcomes_recorded(self, destination: str, count: int) -> None:
        """Report outcomes that are durable in "database" or "queue"."""
        self._outcomes[destination] += count
        self._add_metric("Outcomes", MetricUnit.Count, count)
        self._add_metric(f"OutcomesTo{destination.capitalize()}", MetricUnit.Count, count)

    def database_failed(self, reason: str) -> None:
        """Report that the database failed to store records."""
        self._database_failures += 1
        self._add_metric("DatabaseFailures", MetricUnit.Count, 1)
        self._logger.warning("database failed", reason=reason)

    def records_replayed(self, count: int) -> None:
        """Report records from the queue that are now in the table."""
        self._add_metric("RecordsReplayed", MetricUnit.Count, count)

    def replay_failed(self, message_id: str, reason: str) -> None:
        """Report a message that could not be stored now; it stays in the queue."""
        self._add_metric("ReplayFailures", MetricUnit.Count, 1)
        self._logger.warning("replay failed", message_id=message_id, reason=reason)

    def message_dead_lettered(self, message_id: str, reason: str) -> None:
        """Report a message that can never be stored."""
        self._add_metric("MessagesDeadLettered", MetricUnit.Count, 1)
        self._logger.error("message dead-lettered", message_id=message_id, reason=reason)

    def model_loaded(self, version: str) -> None:
        """Report a loaded model."""
        self._logger.info("model loaded", model_version=version)

    def model_load_failed(self, reason: str) -> None:
        """Report that the current model could not be loaded; the service tries again."""
        self._model_load_failures += 1
        self._add_metric("ModelLoadFailures", MetricUnit.Count, 1)
        self._logger.error("model cannot be loaded", reason=reason)

    def candidate_failed(self, version: str | None, reason: str) -> None:
        """Report that the candidate could not be loaded, or did not answer. Its version may not be known."""
        self._candidate_failures[version or ""] += 1
        self._add_metric("CandidateFailures", MetricUnit.Count, 1)
        self._logger.error("candidate failed", candidate_version=version, reason=reason)

    def candidate_tried(self, version: str, *, answers: int, shadows: int, disagreements: int, case_ms: float) -> None:
        """Report durable records with the candidate's answers, or with its predictions beside the current model's.

        It disagrees where its prediction is outside the current model's interval. `case_ms` is its time for a case.
        """
        self._add_metric("CandidatePredictions", MetricUnit.Count, answers)
        self._add_metric("ShadowPredictions", MetricUnit.Count, shadows)
        self._add_metric("CandidateLatency", MetricUnit.Milliseconds, round(case_ms, 3))
        if shadows:
            self._shadows[(version, "disagrees")] += disagreements
            self._shadows[(version, "agrees")] += shadows - disagreements
            self._add_metric("ShadowDisagreements", MetricUnit.Count, disagreements)
        if self._emit_emf:
            # No dimension, as above. The line names it.
            self._metrics.add_metadata("candidate_version", version)

    def migrated(self, names: list[str]) -> None:
        """Report an updated schema; `names` are the applied migrations."""
        self._logger.info("migrated", applied=names)

    def maintenance_ended(self, task: str, failure: str | None = None) -> None:
        """Report the end of a task of the function maintain. Every task calls this once."""
        self._add_metric("MaintenanceFailures", MetricUnit.Count, float(failure is not None))
        if failure is not None:
            self._logger.error("maintenance failed", task=task, reason=failure)

    def daily_work_ended(self, counts: Mapping[str, int], *, failed: bool) -> None:
        """Report a daily run: its metrics, and its counts as one log line. A run with a failure is not counted."""
        self._add_metric("MaintenanceRuns", MetricUnit.Count, float(not failed))
        self._add_metric("RowsExported", MetricUnit.Count, counts.get("exported_rows", 0))
        self._add_metric("PartitionsDropped", MetricUnit.Count, counts.get("dropped", 0))
        if "default_rows" in counts:
            self._add_metric("DefaultPartitionRows", MetricUnit.Count, counts["default_rows"])
        self._logger.info("maintenance", extra=counts)

    def monitor_ended(self, task: str, failure: str | None = None) -> None:
        """Report the end of a task of the function monitor. Every task calls this once."""
        self._add_metric("MonitorReports", MetricUnit.Count, float(task == "report" and failure is None))
        if failure is not None:
            self._logger.error("monitor failed", task=task, reason=failure)

    def version_compared(
        self,
        *,
        evidence: float | None,
        is_alarm: bool | None,
        outcome_share: float | None,
        mae: float | None,
        rmse: float | None,
        coverage: float | None,
    ) -> None:
        """Report how the current version is doing, by outcomes; `evidence` is a share of the alarm's threshold."""
        figures = {
            "CoverageEvidence": evidence,
            "CoverageAlarm": is_alarm,
            "OutcomeShare": outcome_share,
            "LiveMAE": mae,
            "LiveRMSE": rmse,
            "LiveCoverage": coverage,
        }
        for name, value in figures.items():
            if value is not None:
                self._add_metric(name, MetricUnit.NoUnit, float(value))

    def drift_tested(self, columns: int, *, is_alarm: bool) -> None:
        """Report the columns that have drifted."""
        self._add_metric("DriftAlarm", MetricUnit.NoUnit, float(is_alarm))
        self._add_metric("DriftedColumns", MetricUnit.Count, columns)

    def request_refused(self, request_id: str, reason: str) -> None:
        """Report a request that failed for a known reason."""
        self._logger.error("request refused", request_id=request_id, reason=reason)

    def request_crashed(self, request_id: str, error: BaseException) -> None:
        """Report an unexpected exception by its type and its stack frames."""
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        self._logger.error("request crashed", request_id=request_id, error=type(error).__name__, frames=frames)

    def render_prometheus(self) -> tuple[str, str]:
        """Return the counts of this process in Prometheus text format, and its content type."""
        # Imported here, because the import takes tens of milliseconds of a cold start.
        from prometheus_client import CollectorRegistry, exposition  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(self)
        return exposition.generate_latest(registry).decode(), exposition.CONTENT_TYPE_LATEST

    def collect(self) -> list[Any]:
        """Return the metric families for prometheus_client, labelled with this execution environment."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415

        requests = CounterMetricFamily(
            f"{PREFIX}_requests", "Requests answered.", labels=[_ENVIRONMENT_LABEL, "route", "status"]
        )
        for (route, status), count in self._requests.items():
            requests.add_metric([self._instance, route, status], count)
        predictions = CounterMetricFamily(
            f"{PREFIX}_predictions",
            "Predictions recorded.",
            labels=[_ENVIRONMENT_LABEL, "model_version", "destination"],
        )
        for labels, count in self._predictions.items():
            predictions.add_metric([self._instance, *labels], count)
        outcomes = CounterMetricFamily(
            f"{PREFIX}_outcomes", "Outcomes recorded.", labels=[_ENVIRONMENT_LABEL, "destination"]
        )
        for destination, count in self._outcomes.items():
            outcomes.add_metric([self._instance, destination], count)
        model_failures = CounterMetricFamily(
            f"{PREFIX}_model_load_failures", "Failed model loads.", labels=[_ENVIRONMENT_LABEL]
        )
        model_failures.add_metric([self._instance], self._model_load_failures)
        candidate_failures = CounterMetricFamily(
            f"{PREFIX}_candidate_failures", "Failures of the candidate.", labels=[_ENVIRONMENT_LABEL, "model_version"]
        )
        for version, count in self._candidate_failures.items():
            candidate_failures.add_metric([self._instance, version], count)
        shadows = CounterMetricFamily(
            f"{PREFIX}_shadow_predictions",
            "Predictions of the candidate beside answers, by whether the interval of the answer has them.",
            labels=[_ENVIRONMENT_LABEL, "model_version", "verdict"],
        )
        for labels, count in self._shadows.items():
            shadows.add_metric([self._instance, *labels], count)
        database_failures = CounterMetricFamily(
            f"{PREFIX}_database_failures", "Records the database did not take.", labels=[_ENVIRONMENT_LABEL]
        )
        database_failures.add_metric([self._instance], self._database_failures)
        latency = HistogramMetricFamily(
            f"{PREFIX}_request_duration_seconds", "Time to answer a request.", labels=[_ENVIRONMENT_LABEL]
        )
        cumulative, buckets = 0, []
        for bound in (*_BUCKETS_SECONDS, float("inf")):
            cumulative += self._buckets[bound]
            buckets.append(("+Inf" if bound == float("inf") else str(bound), cumulative))
        latency.add_metric([self._instance], buckets, self._latency_sum_seconds)
        return [
            requests,
            predictions,
            outcomes,
            model_failures,
            candidate_failures,
            shadows,
            database_failures,
            latency,
        ]

    def _add_metric(self, name: str, unit: MetricUnit, value: float) -> None:
        if self._emit_emf:
            self._metrics.add_metric(name, unit, value)
