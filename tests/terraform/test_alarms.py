"""The alarms on the service's own metrics: each fault in the real functions sets off its alarms and no other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.log.message import encode_messages
from lambda_app.model.bundle import bundle_key
from lambda_app.model.predictor import Prediction, Predictor
from lambda_app.telemetry import LambdaHandler
from local.aws_services import AwsServices
from local.records import make_record
from tests.bundles import Registry
from tests.events import Context, invoke, load_event
from tests.functional.candidates import CANDIDATE, shift
from tests.queues import QueuePair
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.nights import DAY, copy_alarms
from tests.terraform.rendered import Resources, list_metrics, list_own_alarms

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

    def start_trial(self, **entry: Any) -> LambdaHandler:
        """Let a candidate go along, by default as a shadow of each answer."""
        self.registry.point(candidate=CANDIDATE, **entry)
        return self.wire(MODEL_BUCKET=self.registry.bucket, CANDIDATE_MAX_MS="10000")

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


def try_a_good_candidate(scene: Scene) -> None:
    scene.registry.add_version(CANDIDATE, scaler=shift)
    for mode in ("shadow", "canary"):
        scene.predict(20, scene.start_trial(mode=mode))


def try_a_candidate_that_is_not_there(scene: Scene) -> None:
    scene.registry.add_version(CANDIDATE)
    key = bundle_key(CANDIDATE, "model.tflite")
    scene.registry.client.delete_object(Bucket=scene.registry.bucket, Key=key)
    scene.predict(1, scene.start_trial())


def try_a_slow_candidate(scene: Scene) -> None:
    predict = Predictor.predict

    def wait(self: Predictor, cases: Sequence[Mapping[str, float]]) -> list[Prediction]:
        if self.version == CANDIDATE:
            time.sleep(0.06)
        return predict(self, cases)

    scene.registry.add_version(CANDIDATE)
    with scene.monkeypatch.context() as patch:
        patch.setattr(Predictor, "predict", wait)
        scene.predict(2, scene.start_trial(mode="canary"))


def try_an_unlike_candidate(scene: Scene) -> None:
    scene.registry.add_version(CANDIDATE, scaler=mistake)
    scene.predict(20, scene.start_trial())


def try_an_unlike_candidate_on_few(scene: Scene) -> None:
    scene.registry.add_version(CANDIDATE, scaler=mistake)
    # Three times as many in three periods are still too few.
    scene.predict(6, scene.start_trial())


def mistake(scaler: dict[str, Any]) -> None:
    """Take every case for one far above the mean."""
    scaler["mean"] = [mean - 3 * scale for mean, scale in zip(scaler["mean"], scaler["scale"], strict=True)]


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
    try_a_good_candidate: set(),
    try_a_candidate_that_is_not_there: {"candidate-failures"},
    try_a_slow_candidate: {"candidate-latency"},
    try_an_unlike_candidate: {"candidate-disagreement"},
    try_an_unlike_candidate_on_few: set(),
}
# What must last, and for how many periods of five minutes: a slow handshake or a busy minute must not page anybody.
LASTING = {"model-load-failures": 2, "candidate-latency": 3}


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
    own = list_own_alarms(observability)
    # test_maintenance_alarms.py and test_monitor_alarms.py have those of the daily work.
    daily = {key for key, alarm in own.items() if list_metrics(alarm)[0]["period"] == DAY.total_seconds()}
    assert daily
    return copy_alarms(observability, own.keys() - daily, service_name)


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

    for periods in (1, 2, 3):
        if periods > 1:
            cloudwatch.put_lines(lines, earlier=timedelta(minutes=5) * (periods - 1))
        assert list_ringing() == {key for key in FAULTS[fault] if LASTING.get(key, 1) <= periods}
    later = now + DAY
    assert {key: cloudwatch.evaluate(alarm, later) for key, alarm in alarms.items()} == dict.fromkeys(alarms, "OK")


def test_each_alarm_has_a_fault(alarms: dict[str, dict[str, Any]]) -> None:
    assert set().union(*FAULTS.values()) == set(alarms)
