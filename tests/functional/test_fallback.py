"""What becomes of an answer while the database, the queue or both are away."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from lambda_app.log.message import decode_message
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.events import read_body
from local.postgres import Postgres
from tests.conftest import connect_database
from tests.events import Context, invoke, load_event
from tests.faults.sqs_front import SqsFront
from tests.faults.witness import Witness
from tests.queues import QueuePair, count_messages, drain_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

DEAD = {"DATABASE_PORT": "1"}
DEAD_QUEUE = {"QUEUE_URL": "http://127.0.0.1:1/123456789012/records"}


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield str(silent.getsockname()[1])


@pytest.fixture
def trickling_port() -> Iterator[int]:
    """A port that answers HTTP with a byte every 0.3 seconds, within every timeout for a single wait."""
    ending = threading.Event()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".ljust(100):
                if ending.wait(0.3):
                    return
                connection.sendall(bytes([byte]))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield int(server.getsockname()[1])
        ending.set()
        thread.join()


def test_dead_database_sends_the_whole_record_to_the_queue(
    wire: Callable[..., LambdaHandler],
    own_queues: QueuePair,
    sqs: "SQSClient",
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = wire(**DEAD, **own_queues.environment)
    context = Context()
    answer = read_body(api(load_event("predict"), context))
    assert answer["statusCode"] == 200
    assert answer["headers"]["x-prediction-record"] == "queue"
    [message] = drain_queue(sqs, own_queues.url)
    [record] = decode_message(message["Body"])
    assert str(record.request_id) == context.aws_request_id == answer["body"]["request_id"]
    assert record.prediction == answer["body"]["prediction"]
    assert record.created_at.isoformat() == answer["body"]["timestamp"].replace("Z", "+00:00")
    assert record.features["s5"] == 4.8598
    assert record.caller == "arn:aws:sts::123456789012:assumed-role/clinic/integration"
    output = capsys.readouterr().out
    assert '"RecordsToQueue":[1.0]' in output
    assert '"DatabaseFailures":[1.0]' in output
    assert '"reason":"ConnectionRefusedError"' in output
    assert "4.8598" not in output


def test_queued_record_reaches_the_table_as_it_was_answered(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient", query: Callable[..., list[Any]]
) -> None:
    def store(event: dict[str, Any]) -> dict[str, Any]:
        [[row]] = query(
            "SELECT row_to_json(p) FROM predictions p WHERE request_id = :id",
            id=UUID(event["body"]["request_id"]),
        )
        return {name: value for name, value in row.items() if name not in {"recorded_at", "latency_ms"}}

    answer = invoke(wire(**DEAD, **own_queues.environment), load_event("predict"))
    [message] = drain_queue(sqs, own_queues.url)
    event = {"Records": [{"messageId": "1", "body": message["Body"]}]}
    assert invoke_replay(wire("replay"), event) == []
    through_queue = store(answer)
    direct = store(invoke(wire(), load_event("predict")))
    new = {"request_id", "created_at"}
    assert {name: value for name, value in through_queue.items() if name not in new} == {
        name: value for name, value in direct.items() if name not in new
    }
    assert through_queue["created_at"][:19] == answer["body"]["timestamp"][:19]


def invoke_replay(replay: LambdaHandler, event: dict[str, Any]) -> list[str]:
    """The ids of the messages that must come again."""
    return [failure["itemIdentifier"] for failure in replay(event, Context())["batchItemFailures"]]


def test_neither_database_nor_queue_gives_no_prediction(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient"
) -> None:
    answer = invoke(wire(**{**own_queues.environment, **DEAD, **DEAD_QUEUE}), load_event("predict"))
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "10"
    assert "x-prediction-record" not in answer["headers"]
    assert answer["body"]["title"] == "The prediction could not be recorded"
    assert answer["body"]["detail"] == (
        "the database did not take the record: ConnectionRefusedError; nor did the queue: ConnectionRefusedError"
    )
    assert "prediction" not in answer["body"]
    assert count_messages(sqs, own_queues.url) == 0


def test_missing_queue_is_named(wire: Callable[..., LambdaHandler], own_queues: QueuePair) -> None:
    answer = invoke(wire(**DEAD, QUEUE_URL=f"{own_queues.url}-gone"), load_event("predict"))
    assert answer["statusCode"] == 503
    assert answer["body"]["detail"].endswith("nor did the queue: QueueDoesNotExist")


def test_silence_of_both_ends_within_ten_seconds(wire: Callable[..., LambdaHandler], silent_port: str) -> None:
    api = wire(DATABASE_PORT=silent_port, QUEUE_URL=f"http://127.0.0.1:{silent_port}/1/records")
    started = time.monotonic()
    assert invoke(api, load_event("predict"))["statusCode"] == 503
    assert time.monotonic() - started < 10


def test_silence_of_s3_as_well_ends_within_ten_seconds(
    wire: Callable[..., LambdaHandler], silent_port: str, environment: dict[str, str]
) -> None:
    with SqsFront(int(environment["AWS_ENDPOINT_URL"].rpartition(":")[2]), Witness()) as s3:
        silent_queue = {"QUEUE_URL": f"http://127.0.0.1:{silent_port}/1/records"}
        fronts = {"AWS_ENDPOINT_URL": s3.endpoint_url, **silent_queue}
        api = wire(DATABASE_PORT=silent_port, MODEL_REFRESH_SECONDS="1", **fronts)
        s3.mode = "silent"
        time.sleep(1.1)
        started = time.monotonic()
        assert invoke(api, load_event("predict"))["statusCode"] == 503
        assert time.monotonic() - started < 10
        assert s3.seen["silent"] == 1


def test_sqs_that_answers_byte_by_byte_is_given_up(wire: Callable[..., LambdaHandler], trickling_port: int) -> None:
    api = wire(**DEAD, QUEUE_URL=f"http://127.0.0.1:{trickling_port}/1/records")
    started = time.monotonic()
    answer = invoke(api, load_event("predict"))
    assert time.monotonic() - started < 10
    assert answer["statusCode"] == 503
    assert answer["body"]["detail"].endswith("nor did the queue: TimeoutError")


def test_silent_database_costs_one_request_and_the_next_ones_nothing(
    wire: Callable[..., LambdaHandler], silent_port: str, own_queues: QueuePair
) -> None:
    api = wire(DATABASE_PORT=silent_port, **own_queues.environment)
    assert invoke(api, load_event("predict"))["headers"]["x-prediction-record"] == "queue"
    started = time.monotonic()
    for _ in range(5):
        assert invoke(api, load_event("predict"))["headers"]["x-prediction-record"] == "queue"
    # Each would wait for two seconds and more.
    assert time.monotonic() - started < 2


def test_database_that_is_back_takes_records_again(
    own_postgres: tuple[Postgres, Settings],
    wire: Callable[..., LambdaHandler],
    own_queues: QueuePair,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    postgres, settings = own_postgres
    # The default of an argument is not to be changed from outside; the time is.
    api = wire(DATABASE_PORT=str(settings.database_port), **own_queues.environment)
    destinations = []

    def predict() -> None:
        destinations.append(invoke(api, load_event("predict"))["headers"]["x-prediction-record"])

    predict()
    postgres.kill()
    predict()
    postgres.start()
    predict()
    later = time.monotonic() + 11
    monkeypatch.setattr("lambda_app.log.breaker.time.monotonic", lambda: later)
    predict()
    assert destinations == ["database", "queue", "queue", "database"]


def test_record_that_the_database_refuses_is_neither_answered_nor_queued(
    wire: Callable[..., LambdaHandler],
    own_queues: QueuePair,
    own_postgres: tuple[Postgres, Settings],
    sqs: "SQSClient",
) -> None:
    _, settings = own_postgres
    with contextlib.closing(connect_database(settings)) as owner:
        owner.run("ALTER TABLE predictions ADD CHECK (caller IS NOT NULL)")
    event = load_event("predict")
    del event["requestContext"]["authorizer"]
    api = wire(DATABASE_PORT=str(settings.database_port), **own_queues.environment)
    answer = invoke(api, event)
    assert answer["statusCode"] == 503
    assert answer["body"]["detail"] == "the database did not take the record: DatabaseError 23514"
    assert count_messages(sqs, own_queues.url) == 0
    # It says nothing against the database.
    assert invoke(api, load_event("predict"))["headers"]["x-prediction-record"] == "database"
