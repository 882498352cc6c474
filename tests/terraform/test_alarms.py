"""The alarms on the service's own metrics: each fault in the real functions sets off its alarms and no other."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.log.message import encode_messages
from lambda_app.project import METRICS_NAMESPACE
from lambda_app.telemetry import LambdaHandler
from local.aws_services import AwsServices
from local.records import make_record
from tests.bundles import Registry
from tests.events import Context, invoke, load_event
from tests.queues import QueuePair
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.rendered import Resources, list_own_alarms

PERIOD_SECONDS = 300
AWAY = {"DATABASE_PORT": "1"}
NO_QUEUE = {"QUEUE_URL": "http://127.0.0.1:1/1/records"}


@dataclass
class Scene:
    """The functions and the means to break them."""

    wire: Callable[..., LambdaHandler]
    registry: Registry
    monkeypatch: pytest.MonkeyPatch

    def predict(self, count: int, handler: LambdaHandler | None = None, status: int = 200) -> None:
        handler = handler or self.wire()
        for _ in range(count):
            assert invoke(handler, load_event("predict"))["statusCode"] == status

    def crash(self, count: int, handler: LambdaHandler) -> None:
        def crash(*_: object) -> None:
            raise ValueError

        with self.monkeypatch.context() as patch:
            patch.setattr("lambda_app.model.predictor.Predictor.predict", crash)
            self.predict(count, handler, status=500)

    def replay(self, **changed: str) -> None:
        [body] = encode_messages([make_record()])
        self.wire("replay", **changed)({"Records": [{"messageId": "1", "body": body}]}, Context())


def be_well(scene: Scene) -> None:
    scene.predict(20)
    scene.replay()


def meet_bad_requests(scene: Scene) -> None:
    api = scene.wire()
    for name in ("predict_invalid", "predict_not_a_number", "unknown_path", "prediction_of_another"):
        assert invoke(api, load_event(name))["statusCode"] < 500


def crash_once_in_a_hundred(scene: Scene) -> None:
    api = scene.wire()
    scene.predict(99, api)
    scene.crash(1, api)


def crash_twice_in_a_hundred(scene: Scene) -> None:
    api = scene.wire()
    scene.predict(98, api)
    scene.crash(2, api)


def lose_database(scene: Scene) -> None:
    scene.predict(3, scene.wire(**AWAY))


def lose_database_and_queue(scene: Scene) -> None:
    scene.predict(1, scene.wire(**AWAY, **NO_QUEUE), status=503)


def lose_database_in_replay(scene: Scene) -> None:
    scene.replay(**AWAY)


def start_with_a_corrupt_bundle(scene: Scene) -> None:
    scene.registry.replace_file("model.tflite", b"not a model")
    scene.predict(1, scene.wire(MODEL_BUCKET=scene.registry.bucket), status=503)


def get_a_corrupt_successor(scene: Scene) -> None:
    api = scene.wire(MODEL_BUCKET=scene.registry.bucket, MODEL_REFRESH_SECONDS="1")
    scene.registry.replace_file("model.tflite", b"not a model")
    time.sleep(1.1)
    scene.predict(1, api)


# The alarms that each fault sets off.
FAULTS: dict[Callable[[Scene], None], set[str]] = {
    be_well: set(),
    meet_bad_requests: set(),
    crash_once_in_a_hundred: set(),
    crash_twice_in_a_hundred: {"server-errors"},
    lose_database: {"records-to-queue"},
    lose_database_and_queue: {"server-errors"},
    lose_database_in_replay: {"replay-failures"},
    start_with_a_corrupt_bundle: {"server-errors", "model-load-failures"},
    get_a_corrupt_successor: {"model-load-failures"},
}


@pytest.fixture
def scene(
    wire: Callable[..., LambdaHandler],
    registry: Registry,
    own_queues: QueuePair,
    service_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    def wire_in_scene(name: str = "api", **changed: str) -> LambdaHandler:
        return wire(name, **{**own_queues.environment, "SERVICE_NAME": service_name, **changed})

    return Scene(wire_in_scene, registry, monkeypatch)


@pytest.fixture
def service_name() -> str:
    """Return a name for this test alone, since Powertools keeps loggers and moto keeps metrics by it."""
    return f"alarms-{uuid4()}"


@pytest.fixture
def alarms(observability: Resources, service_name: str) -> dict[str, dict[str, Any]]:
    """Return the alarms on the service's own metrics, with the names of this test's service."""
    return {
        key: alarm | {"namespace": METRICS_NAMESPACE, "dimensions": alarm["dimensions"] | {"service": service_name}}
        for key, alarm in list_own_alarms(observability).items()
        # test_maintenance_alarms.py and test_monitor_alarms.py have those of the daily work.
        if alarm["period"] == PERIOD_SECONDS
    }


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_sets_its_alarms_off_and_no_other(
    fault: Callable[[Scene], None],
    scene: Scene,
    alarms: dict[str, dict[str, Any]],
    aws: AwsServices,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault(scene)
    lines = capsys.readouterr().out.splitlines()
    cloudwatch = CloudWatch(aws)
    cloudwatch.put_lines(lines)
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)

    def list_ringing() -> set[str]:
        return {key for key, alarm in alarms.items() if cloudwatch.evaluate(alarm, now) == "ALARM"}

    # A model that cannot be loaded once is no news: a slow handshake must not page anybody.
    assert list_ringing() == FAULTS[fault] - {"model-load-failures"}
    cloudwatch.put_lines(lines, earlier=timedelta(minutes=5))
    assert list_ringing() == FAULTS[fault]
    hour = now + timedelta(hours=1)
    assert {key: cloudwatch.evaluate(alarm, hour) for key, alarm in alarms.items()} == dict.fromkeys(alarms, "OK")


def test_each_alarm_has_a_fault(alarms: dict[str, dict[str, Any]]) -> None:
    assert set().union(*FAULTS.values()) == set(alarms)
