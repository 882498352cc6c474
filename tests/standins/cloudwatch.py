"""CloudWatch's part in an alarm: metrics of EMF lines, their statistics per period, and the alarm's state.

Values are kept and added up by moto, which evaluates no alarm, and knows neither percentiles nor metric math.
"""

import json
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from local.aws_services import REGION, AwsServices

# An alarm looks back further than at its periods alone. How much further CloudWatch does not say; in its example for
# three periods it is two more.
EXTRA_PERIODS = 2

COMPARISONS = {"GreaterThanThreshold": operator.gt, "LessThanThreshold": operator.lt}


class CloudWatch:
    """One account's metrics."""

    def __init__(self, aws: AwsServices) -> None:
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        # There are types for the services that the code talks to; this is none of them.
        connect: Callable[..., Any] = boto3.client
        self._client = connect("cloudwatch", endpoint_url=aws.endpoint_url, region_name=REGION, **keys)
        self._put: list[tuple[str, dict[str, Any]]] = []

    def put_lines(self, lines: Iterable[str], earlier: timedelta = timedelta()) -> None:
        """Take the metrics out of what a function printed, as CloudWatch does with its log."""
        for line in lines:
            document = json.loads(line)
            emf = document.get("_aws", {"CloudWatchMetrics": []})
            for directive in emf["CloudWatchMetrics"]:
                for names in directive["Dimensions"]:
                    dimensions = {name: document[name] for name in names}
                    for metric in directive["Metrics"]:
                        at = datetime.fromtimestamp(emf["Timestamp"] / 1000, UTC) - earlier
                        values = {"values": document[metric["Name"]], "unit": metric["Unit"]}
                        self.put_values(directive["Namespace"], metric["Name"], dimensions, at, **values)

    def put_values(
        self,
        namespace: str,
        metric: str,
        dimensions: dict[str, str],
        at: datetime,
        values: Sequence[float],
        unit: str = "None",
    ) -> None:
        """Send the values, with that time, as PutMetricData does; a service of AWS has no other way."""
        datum = {
            "MetricName": metric,
            "Dimensions": _list_dimensions(dimensions),
            "Timestamp": at,
            "Values": list(values),
            "Unit": unit,
        }
        self._client.put_metric_data(Namespace=namespace, MetricData=[datum])
        self._put.append((namespace, datum))

    def evaluate(self, alarm: dict[str, Any], now: datetime) -> str:
        """The state of an alarm, as Terraform describes it, at the end of a period."""
        periods = alarm["evaluation_periods"]
        needed = alarm["datapoints_to_alarm"] or periods
        assert alarm["treat_missing_data"] in {"breaching", "notBreaching"}
        points = [
            self._read_point(alarm, now - timedelta(seconds=_find_period(alarm)) * back)
            for back in reversed(range(1, periods + EXTRA_PERIODS + 1))
        ]
        breaches = COMPARISONS[alarm["comparison_operator"]]
        breaching = [None if point is None else breaches(point, alarm["threshold"]) for point in points]
        return decide_state(breaching, periods, needed, missing_breaches=alarm["treat_missing_data"] == "breaching")

    def _read_point(self, alarm: dict[str, Any], start: datetime) -> float | None:
        if not alarm["metric_query"]:
            point = self._read_statistic(alarm, start)
            return None if _ignores(alarm, self._list_values(alarm, start)) else point
        values = {
            query["id"]: self._read_statistic(query["metric"][0], start)
            for query in alarm["metric_query"]
            if query["metric"]
        }
        [expression] = [query["expression"] for query in alarm["metric_query"] if query["return_data"]]
        return evaluate_expression(expression, values)

    def _read_statistic(self, metric: dict[str, Any], start: datetime) -> float | None:
        statistic = metric.get("statistic") or metric.get("stat") or metric["extended_statistic"]
        if statistic.startswith("p"):
            return find_percentile(self._list_values(metric, start), float(statistic[1:]) / 100)
        name = {
            "Namespace": metric["namespace"],
            "MetricName": metric["metric_name"],
            "Dimensions": _list_dimensions(metric["dimensions"]),
        }
        # moto's GetMetricData wants the dimensions to be exactly these, as CloudWatch does, but forgets the namespace.
        if not self._client.list_metrics(**name)["Metrics"]:
            return None
        stat = {"Metric": name, "Period": metric["period"], "Stat": statistic}
        answer = self._client.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
            StartTime=start,
            EndTime=start + timedelta(seconds=metric["period"]),
        )
        values = answer["MetricDataResults"][0]["Values"]
        return values[0] if values else None

    def _list_values(self, metric: dict[str, Any], start: datetime) -> list[float]:
        wanted = (metric["namespace"], metric["metric_name"], _list_dimensions(metric["dimensions"]))
        end = start + timedelta(seconds=metric["period"])
        return [
            value
            for namespace, datum in self._put
            if (namespace, datum["MetricName"], datum["Dimensions"]) == wanted and start <= datum["Timestamp"] < end
            for value in datum["Values"]
        ]


def decide_state(breaching: Sequence[bool | None], periods: int, needed: int, *, missing_breaches: bool = False) -> str:
    """The state of an alarm from its points, of which None is missing; the newest comes last.

    Real points count before missing ones, also older ones: see "Configuring how CloudWatch alarms treat missing data".
    """
    real = [point for point in breaching if point is not None][-periods:]
    missing = periods - len(real) if missing_breaches else 0
    return "ALARM" if sum(real) + missing >= needed else "OK"


def evaluate_expression(expression: str, values: dict[str, float | None]) -> float | None:
    """The result of metric math on the values of one period; None if a value is missing or divided by zero."""
    names: dict[str, Any] = {
        "FILL": lambda value, filler: filler if value is None else value,
        "IF": lambda condition, value, otherwise: value if condition else otherwise,
    }
    try:
        return float(eval(expression, {"__builtins__": {}}, names | values))  # noqa: S307 - it is from our own Terraform
    except (TypeError, ZeroDivisionError):
        return None


def find_percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that the share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _ignores(alarm: dict[str, Any], values: Sequence[float]) -> bool:
    """True if the percentile is of too few values, so that the alarm keeps its state, which is taken to be OK."""
    if alarm["evaluate_low_sample_count_percentiles"] != "ignore":
        return False
    share = float(alarm["extended_statistic"][1:]) / 100
    # "Percentile-based alarms and low data samples": 1,000 values for p99.
    return len(values) < 10 / (1 - share if share >= 0.5 else share)


def _find_period(alarm: dict[str, Any]) -> int:
    queries = alarm["metric_query"] or []
    [period] = {query["metric"][0]["period"] for query in queries if query["metric"]} or {alarm["period"]}
    return int(period)


def _list_dimensions(dimensions: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": dimensions[name]} for name in sorted(dimensions)]
