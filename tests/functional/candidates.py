"""Shortcuts of the tests of a candidate: requests, the shadow of a row, and counts."""

import re
from collections.abc import Callable
from typing import Any

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry
from tests.functional.helpers import Query, get, post, read_row

CANDIDATE = "20990101T000000Z-00000002"
ANSWER = ("prediction", "interval", "warnings", "model_version")
SHADOW = ("version", "prediction", "lower", "upper", "coverage", "ms")
NO_SHADOW = {f"shadow_{name}": None for name in SHADOW}
Start = Callable[..., LambdaHandler]


def shift(scaler: dict[str, Any]) -> None:
    """Make the model answer otherwise, by what it takes for the mean of each feature."""
    scaler["mean"] = [mean * 0.98 for mean in scaler["mean"]]


def overflow(scaler: dict[str, Any]) -> None:
    """Let the model predict no finite number but for patients of the example's age."""
    scaler["mean"][0], scaler["scale"][0] = EXAMPLE_REQUEST["age"], 1e-37


def ask(api: LambdaHandler, **given: Any) -> dict[str, Any]:
    answer = post(api, "/predict", EXAMPLE_REQUEST, **given)
    assert answer["statusCode"] == 200
    return dict(answer["body"])


def ask_batch(api: LambdaHandler, *subjects: str | None, **given: Any) -> dict[str, Any]:
    patients = [
        {**EXAMPLE_REQUEST, "bmi": 25 + index / 100, "subject": subject} for index, subject in enumerate(subjects)
    ]
    answer = post(api, "/predict/batch", {"patients": patients}, **given)
    assert answer["statusCode"] == 200
    return dict(answer["body"])


def pick(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ANSWER}


def read_shadow(query: Query, request_id: str) -> dict[str, Any]:
    return {name: value for name, value in read_row(query, request_id).items() if name.startswith("shadow_")}


def count(api: LambdaHandler, metric: str) -> dict[str, float]:
    """The values of a metric in /metrics, by the values of its labels but that of the environment."""
    values = {}
    for line in get(api, "/metrics")["body"].splitlines():
        if line.startswith(f"diabetes_{metric}_total"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            del labels["execution_environment"]
            values[" ".join(labels[name] for name in sorted(labels))] = float(line.rpartition(" ")[2])
    return values


def learn_answers(start: Start, trying: Registry) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the answers of the current model and of the candidate, each promoted alone."""
    trying.point()
    current = ask(start())
    trying.point(CANDIDATE)
    other = ask(start())
    assert current["prediction"] != other["prediction"]
    return pick(current), pick(other)
