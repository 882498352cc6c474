"""The smoke test: a signed prediction through the front door, and its record read back."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.call import Answer, explain_refusal, read_event, send_event
from deploy.environment import Environment
from deploy.errors import CallError, DeployError

EVENTS = Path("events")
# A new image's first start, and API Gateway's taking notice of what was just made.
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 2.0
NOT_YET = {403, 404}


class SmokeTest:
    """Calls the API at `url` as these credentials, or with a token where it takes no signatures."""

    def __init__(self, environment: Environment, url: str, token: str | None = None) -> None:
        self._environment = environment
        self._url = url
        self._token = token

    def run(self, patience_seconds: float = PATIENCE_SECONDS) -> str:
        """Return the id of the prediction that was made; DeployError when the service is not what it should be."""
        try:
            health = self._wait_for_health(patience_seconds)
            if health["status"] != "ok":
                raise DeployError(f"{self._url}/health says {health['status']}: {json.dumps(health)}")
            event = read_event(EVENTS / "predict.json")
            answer = self._send(event)
            prediction = _read(answer, "POST /predict", 200)
            _check_prediction(prediction, answer.headers, self._list_versions())
            request_id = str(prediction["request_id"])
            self._check_record(request_id, prediction, json.loads(event["body"]))
        except CallError as error:
            raise DeployError(f"{self._url}: {error}") from error
        return request_id

    def _wait_for_health(self, patience_seconds: float) -> dict[str, Any]:
        """Ask /health until the service is up; returns its answer."""
        event = read_event(EVENTS / "health.json")
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                answer = self._send(event)
                # A new API is unknown to the gateway for a while, and a new route or permission too.
                if (answer.status < 500 and answer.status not in NOT_YET) or time.monotonic() >= deadline:
                    return _read(answer, "GET /health", 200)
            except CallError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(PAUSE_SECONDS)

    def _list_versions(self) -> list[str]:
        """The versions that may answer: the current one, and in a canary its candidate."""
        model = _read(self._send(read_event(EVENTS / "model.json")), "GET /model", 200)
        versions, candidate = [str(model["model_version"])], model.get("candidate")
        if candidate and candidate["mode"] == "canary":
            versions.append(str(candidate["model_version"]))
        return versions

    def _check_record(self, request_id: str, prediction: dict[str, Any], features: dict[str, Any]) -> None:
        event = read_event(EVENTS / "prediction_of_another.json")
        event["rawPath"] = event["requestContext"]["http"]["path"] = f"/predictions/{request_id}"
        stored = _read(self._send(event), f"GET /predictions/{request_id}", 200)
        if stored != {"features": features, **prediction, "outcome": None}:
            raise DeployError(f"the record of prediction {request_id} is not what was answered")

    def _send(self, event: dict[str, Any]) -> Answer:
        environment = self._environment
        return send_event(self._url, event, environment.session, environment.region, self._token)


def _read(answer: Answer, what: str, expected: int) -> dict[str, Any]:
    """The answer's document; DeployError when its status is another one."""
    if answer.status != expected:
        told = explain_refusal(answer) or answer.body[:1000].decode(errors="replace")
        raise DeployError(f"{what} was answered with {answer.status}: {told}")
    document: dict[str, Any] = answer.read_json()
    return document


def _check_prediction(prediction: dict[str, Any], headers: Mapping[str, str], versions: Sequence[str]) -> None:
    faults = []
    try:
        interval = prediction["interval"]
        if not interval["lower"] <= prediction["prediction"] <= interval["upper"]:
            faults.append("the prediction lies outside its interval")
        if prediction["model_version"] not in versions:
            faults.append(f"it is of model {prediction['model_version']}, and /model says {' or '.join(versions)}")
        if headers.get("x-request-id") != prediction["request_id"]:
            faults.append("X-Request-Id is not the request_id of the answer")
    except (KeyError, TypeError) as error:
        faults.append(f"it has no {error}")
    if (record := headers.get("x-prediction-record")) != "database":
        faults.append(f"its record is in: {record}, and not in the database (docs/operations.md, The queue grows)")
    if faults:
        raise DeployError(f"POST /predict was answered, but {'; '.join(faults)}")
