"""Answers and records while the database, the queue or both are away."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.postgres import Postgres
from tests.conftest import connect_database
from tests.faults.front import Front
from tests.functional.helpers import DEAD_DATABASE, DEAD_QUEUE, Query, Queues, Wire, post, read_row
from tests.functional.test_replay import find_failures, make_event


def predict(api: LambdaHandler) -> dict[str, Any]:
    return post(api, "/predict", EXAMPLE_REQUEST)


def find_destination(api: LambdaHandler) -> str:
    return str(predict(api)["headers"]["x-prediction-record"])


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


def test_record_reaches_the_table_through_the_queue_as_without_it(
    wire: Wire, queues: Queues, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = predict(wire(**DEAD_DATABASE, **queues.environment))
    assert (answer["statusCode"], answer["headers"]["x-prediction-record"]) == (200, "queue")
    output = capsys.readouterr().out
    assert '"RecordsToQueue":[1.0]' in output
    assert '"DatabaseFailures":[1.0]' in output
    assert '"reason":"ConnectionRefusedError"' in output
    assert "4.8598" not in output
    [message] = queues.drain()
    assert find_failures(wire("replay"), make_event(message)) == []
    replayed = read_row(query, answer["body"]["request_id"])
    direct = read_row(query, predict(wire())["body"]["request_id"])
    assert replayed["created_at"][:19] == answer["body"]["timestamp"][:19]
    for name in ("request_id", "created_at", "recorded_at", "latency_ms"):
        del replayed[name], direct[name]
    assert replayed == direct


def test_neither_database_nor_queue_gives_no_prediction(wire: Wire) -> None:
    answer = predict(wire(**DEAD_DATABASE, **DEAD_QUEUE))
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "10")
    assert "x-prediction-record" not in answer["headers"]
    assert answer["body"]["title"] == "The prediction could not be recorded"
    assert answer["body"]["detail"] == (
        "the database did not take the record: ConnectionRefusedError; nor did the queue: ConnectionRefusedError"
    )
    assert "prediction" not in answer["body"]


def test_missing_queue_is_named(wire: Wire, queues: Queues) -> None:
    answer = predict(wire(**DEAD_DATABASE, QUEUE_URL=f"{queues.url}-gone"))
    assert answer["statusCode"] == 503
    assert answer["body"]["detail"].endswith("nor did the queue: QueueDoesNotExist")


def test_silence_of_database_queue_and_s3_ends_within_ten_seconds(
    wire: Wire, silent_port: str, environment: dict[str, str]
) -> None:
    with Front(int(environment["AWS_ENDPOINT_URL"].rpartition(":")[2])) as s3:
        silent = {"DATABASE_PORT": silent_port, "QUEUE_URL": f"http://127.0.0.1:{silent_port}/1/records"}
        api = wire(AWS_ENDPOINT_URL=s3.endpoint_url, MODEL_REFRESH_SECONDS="1", **silent)
        s3.mode = "silent"
        time.sleep(1.1)
        started = time.monotonic()
        assert predict(api)["statusCode"] == 503
        assert time.monotonic() - started < 10
        # A read is sent again once, within the same deadline.
        assert s3.seen["silent"] == 2


def test_sqs_that_answers_byte_by_byte_is_given_up(wire: Wire, trickling_port: int) -> None:
    api = wire(**DEAD_DATABASE, QUEUE_URL=f"http://127.0.0.1:{trickling_port}/1/records")
    started = time.monotonic()
    answer = predict(api)
    assert time.monotonic() - started < 10
    assert answer["statusCode"] == 503
    assert answer["body"]["detail"].endswith("nor did the queue: TimeoutError")


def test_silent_database_delays_one_request_and_not_the_next_ones(wire: Wire, silent_port: str, queues: Queues) -> None:
    api = wire(DATABASE_PORT=silent_port, **queues.environment)
    assert find_destination(api) == "queue"
    started = time.monotonic()
    assert [find_destination(api) for _ in range(5)] == ["queue"] * 5
    # Each would wait for two seconds and more.
    assert time.monotonic() - started < 2


def test_database_that_is_back_takes_records_again(
    own_postgres: tuple[Postgres, Settings], wire: Wire, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres, settings = own_postgres
    api = wire(DATABASE_PORT=str(settings.database_port), **queues.environment)
    destinations = [find_destination(api)]
    postgres.kill()
    destinations.append(find_destination(api))
    postgres.start()
    destinations.append(find_destination(api))
    later = time.monotonic() + 11
    monkeypatch.setattr("lambda_app.log.breaker.time.monotonic", lambda: later)
    destinations.append(find_destination(api))
    assert destinations == ["database", "queue", "queue", "database"]


def test_record_that_the_database_refuses_is_neither_answered_nor_queued(
    wire: Wire, queues: Queues, own_postgres: tuple[Postgres, Settings]
) -> None:
    _, settings = own_postgres
    with contextlib.closing(connect_database(settings)) as owner:
        owner.run("ALTER TABLE predictions ADD CHECK (caller IS NOT NULL)")
    api = wire(DATABASE_PORT=str(settings.database_port), **queues.environment)
    answer = post(api, "/predict", EXAMPLE_REQUEST, authorizer=None)
    assert answer["statusCode"] == 503
    assert answer["body"]["detail"] == "the database did not take the record: DatabaseError 23514"
    assert queues.count() == 0
    # The breaker stays closed.
    assert find_destination(api) == "database"
