"""An erasure that meets an outage says that it can be asked for again, and then completes."""

from typing import Any

import pg8000.native
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambda_app.maintain import erasure, tools
from lambda_app.telemetry import LambdaHandler
from tests.events import Context
from tests.functional.erasing import WHY
from tests.functional.helpers import DEAD_DATABASE, Queues
from tests.functional.maintaining import YESTERDAY, Stage, make_records


@pytest.fixture
def maintain(stage: Stage, queues: Queues) -> LambdaHandler:
    stage.insert(make_records(YESTERDAY, 2, subject="ada"))
    return stage.wire(**queues.environment)


def ask(maintain: LambdaHandler, **what: Any) -> dict[str, Any]:
    answer: dict[str, Any] = maintain({"task": "erase", **WHY, **what}, Context())
    return answer


@pytest.mark.parametrize("is_lost", [True, False])
def test_database_that_goes_away_in_between(
    is_lost: bool, maintain: LambdaHandler, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease stays: nobody could give it back. The same execution environment goes on with it."""

    def lose(*_: Any) -> None:
        if is_lost:
            monkeypatch.setattr("lambda_app.maintain.lease._GIVE_BACK", "SELECT 1 / 0")
        stage.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE '%maintain' AND datname = :name",
            name=stage.settings.database_name,
        )
        raise ConnectionResetError

    with monkeypatch.context() as context:
        context.setattr(erasure, "erase_queued_predictions", lose)
        answer = ask(maintain, subject="ada")
    number = answer.pop("erasure")
    assert answer == {"waits_for": "a service that does not answer (ConnectionResetError)"}
    other = stage.wire()
    if is_lost:
        assert ask(other, erasure=number)["waits_for"] == "another run of maintain"
    again = ask(maintain, erasure=number)
    assert ("waits_for" in again, again["erased"]["predictions"]) == (False, 2)


def test_database_that_is_away_from_the_beginning(stage: Stage) -> None:
    answer = ask(stage.wire(**DEAD_DATABASE), subject="ada")
    assert answer == {"waits_for": "a service that does not answer (ConnectionRefusedError)"}
    assert stage.query("SELECT FROM erasures") == []


def test_queue_that_is_away(
    maintain: LambdaHandler, stage: Stage, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    away = stage.wire(**queues.environment, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    answer = ask(away, subject="ada")
    number = answer.pop("erasure")
    assert answer == {"waits_for": "a service that does not answer (EndpointConnectionError)"}
    again = ask(maintain, subject="ada")
    assert (again["erasure"], "waits_for" in again, again["erased"]["predictions"]) == (number, False, 2)


def make_client_error(status: int) -> ClientError:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "ReceiveMessage")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "is_outage"),
    [
        (TimeoutError(), True),
        (ConnectionRefusedError(), True),
        (FileNotFoundError(), False),
        (pg8000.native.DatabaseError({"C": "57P03"}), True),
        (pg8000.native.DatabaseError({"C": "08006"}), True),
        # A statement that takes too long would take as long again, and a right that lacks lacks again.
        (pg8000.native.DatabaseError({"C": "57014"}), False),
        (pg8000.native.DatabaseError({"C": "42501"}), False),
        (pg8000.native.InterfaceError("x"), True),
        (EndpointConnectionError(endpoint_url="x"), True),
        (make_client_error(503), True),
        (make_client_error(403), False),
        (KeyError(), False),
    ],
)
def test_outages_are_told_from_faults(error: Exception, is_outage: bool) -> None:
    assert tools.is_outage(error) is is_outage
