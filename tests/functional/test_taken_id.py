"""A request whose id has a record already: it gets the answer that is stored, or none."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from local.events import read_body
from tests.events import Context, make_event
from tests.functional.test_replay import find_failures
from tests.functional.test_replay import make_event as make_queue_event
from tests.queues import QueuePair, count_messages, drain_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Query = Callable[..., list[Any]]

PATIENT = {**EXAMPLE_REQUEST, "bmi": 79}
OTHER = {**EXAMPLE_REQUEST, "bmi": 33}
DEAD_DATABASE = {"DATABASE_PORT": "1"}


def ask(
    api: LambdaHandler, context: Context, *patients: dict[str, Any], subject: str = "ada", key: str | None = None
) -> dict[str, Any]:
    """Ask for one patient alone, for several as a batch."""
    is_batch = len(patients) > 1
    body = json.dumps({"patients": patients} if is_batch else patients[0])
    headers = {} if key is None else {"idempotency_key": key}
    event = make_event("POST", "/predict/batch" if is_batch else "/predict", body, **headers)
    event["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": subject}}}
    return read_body(api(event, context))


def count_rows(query: Query) -> int:
    [[count]] = query("SELECT count(*) FROM predictions")
    return int(count)


def require_refusal(answer: dict[str, Any]) -> None:
    assert answer["statusCode"] == 503
    assert answer["body"]["title"] == "The prediction could not be recorded"
    # The same to everybody, and nothing of what is there.
    assert answer["body"]["detail"] == "the id of this request is taken by another record"
    assert answer["headers"]["retry-after"] == "10"
    assert "x-prediction-record" not in answer["headers"]


@pytest.mark.parametrize("patients", [(PATIENT,), (PATIENT, OTHER, PATIENT)])
def test_same_request_gets_the_stored_answer(
    patients: tuple[dict[str, Any], ...], wire: Callable[..., LambdaHandler], query: Query
) -> None:
    context = Context()
    first = ask(wire(), context, *patients)
    before = count_rows(query)
    again = ask(wire(), context, *patients)
    assert (first["statusCode"], again["statusCode"]) == (200, 200)
    # The time, the interval and the warnings too.
    assert again["body"] == first["body"]
    assert "bmi" in json.dumps(again["body"])
    assert again["headers"]["x-prediction-record"] == "database"
    assert count_rows(query) == before


@pytest.mark.parametrize("key", [None, "a-key"])
@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ((PATIENT,), (OTHER,)),
        ((PATIENT, OTHER), (OTHER, PATIENT)),
        ((PATIENT, OTHER), (PATIENT, OTHER, PATIENT)),
        # The first place is taken by another, and the second is free.
        ((PATIENT, OTHER), (PATIENT, PATIENT, OTHER, OTHER)),
    ],
)
def test_other_patients_get_no_answer_and_leave_nothing(
    stored: tuple[dict[str, Any], ...],
    asked: tuple[dict[str, Any], ...],
    key: str | None,
    api: LambdaHandler,
    own_queues: QueuePair,
    query: Query,
) -> None:
    context = Context()
    first = ask(api, context, *stored)
    before = count_rows(query)
    subject = str(uuid4())
    require_refusal(ask(api, context, *asked, key=key))
    assert count_rows(query) == before
    assert ask(api, context, *stored)["body"] == first["body"]
    # Nor did it use the key.
    assert ask(api, Context(), *asked, key=key, subject=subject)["statusCode"] == 200


@pytest.mark.parametrize("patients", [(PATIENT,), (PATIENT, OTHER)])
def test_another_caller_learns_nothing(
    patients: tuple[dict[str, Any], ...], api: LambdaHandler, own_queues: QueuePair, query: Query
) -> None:
    context = Context()
    ask(api, context, *patients)
    before = count_rows(query)
    require_refusal(ask(api, context, *patients, subject="bo"))
    require_refusal(ask(api, context, *patients, subject="None"))
    assert count_rows(query) == before


def test_refusal_says_nothing_against_the_database(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient"
) -> None:
    api = wire(**own_queues.environment)
    context = Context()
    ask(api, context, PATIENT)
    require_refusal(ask(api, context, OTHER))
    assert ask(api, Context(), OTHER)["headers"]["x-prediction-record"] == "database"
    assert count_messages(sqs, own_queues.url) == 0


def test_record_that_was_queued_under_a_taken_id_is_kept_in_the_dead_letters(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient", query: Query
) -> None:
    context = Context()
    assert ask(wire(), context, PATIENT)["headers"]["x-prediction-record"] == "database"
    # Nobody can compare while the database is away.
    api = wire(**DEAD_DATABASE, **own_queues.environment)
    assert ask(api, context, OTHER)["headers"]["x-prediction-record"] == "queue"
    [message] = drain_queue(sqs, own_queues.url)
    replay = wire("replay", **own_queues.environment)
    assert find_failures(replay, make_queue_event(message["Body"])) == []
    [dead] = drain_queue(sqs, own_queues.dead_letter_url)
    assert dead["Body"] == message["Body"]
    rows = query("SELECT bmi FROM predictions WHERE request_id = :id", id=UUID(context.aws_request_id))
    assert rows == [[79.0]]
