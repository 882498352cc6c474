"""Requests that come twice, by an Idempotency-Key or by Lambda's request id: one answer, one row, for one caller."""

import asyncio
import json
import random
import string
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.events import Context
from tests.functional.helpers import DEAD_DATABASE, Query, Queues, Wire, count_rows, post
from tests.functional.test_replay import find_failures, make_event

Patient = dict[str, Any]

# Outside the range of the training, so that there is a warning to be stored.
PATIENT = {**EXAMPLE_REQUEST, "bmi": 79}
OTHER = {**EXAMPLE_REQUEST, "bmi": 33}


def name_subject(subject: str) -> dict[str, Any]:
    """The authorizer of a JWT with this subject."""
    return {"jwt": {"claims": {"sub": subject}}}


def ask(
    api: LambdaHandler,
    *patients: Patient,
    key: str | None = None,
    context: Context | None = None,
    subject: str = "ada",
) -> dict[str, Any]:
    """Ask for one patient alone, or for several as a batch."""
    path, body = ("/predict", patients[0]) if len(patients) == 1 else ("/predict/batch", {"patients": patients})
    headers = {} if key is None else {"idempotency_key": key}
    return post(api, path, body, authorizer=name_subject(subject), context=context, **headers)


def make_key() -> str:
    return f'"{uuid4()}"'


@pytest.mark.parametrize("patients", [(PATIENT,), (PATIENT, OTHER, PATIENT)], ids=len)
@pytest.mark.parametrize("has_key", [True, False])
def test_same_request_gets_the_stored_answer_from_every_environment(
    patients: tuple[Patient, ...], has_key: bool, wire: Wire, query: Query
) -> None:
    key, context = (make_key(), None) if has_key else (None, Context())
    before = count_rows(query)
    first, second = (ask(wire(), *patients, key=key, context=context) for _ in range(2))
    assert (first["statusCode"], second["statusCode"]) == (200, 200)
    # The time, the interval and the warnings too.
    assert second["body"] == first["body"]
    assert "bmi" in json.dumps(first["body"])
    assert second["headers"]["x-prediction-record"] == "database"
    assert "idempotency-replayed" not in first["headers"]
    assert second["headers"].get("idempotency-replayed") == ("true" if has_key else None)
    assert (second["headers"]["x-request-id"] == first["headers"]["x-request-id"]) != has_key
    assert count_rows(query) == before + len(patients)


def test_body_written_in_another_way_is_the_same(api: LambdaHandler) -> None:
    key = str(uuid4())
    reordered = json.dumps(dict(reversed({**PATIENT, "age": 59.0}.items())), indent=4)
    first = ask(api, PATIENT, key=key)
    second = post(api, "/predict", reordered, authorizer=name_subject("ada"), idempotency_key=f'"{key}"')
    assert second["headers"]["idempotency-replayed"] == "true"
    assert second["body"] == first["body"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize(("first", "second"), [("0", "-0.0"), ("-0", "0.0"), ("2", "2.0"), ("20", "2e1")])
def test_number_written_in_another_way_is_the_same(first: str, second: str, path: str, api: LambdaHandler) -> None:
    key, patient = make_key(), json.dumps({**EXAMPLE_REQUEST, "age": "?"})
    body = f'{{"patients": [{patient}]}}' if path.endswith("batch") else patient
    answers = [post(api, path, body.replace('"?"', age), idempotency_key=key) for age in (first, second)]
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert answers[1]["headers"]["idempotency-replayed"] == "true"
    assert answers[1]["body"] == answers[0]["body"]


def test_same_key_with_another_request_is_422(api: LambdaHandler, query: Query) -> None:
    key = make_key()
    ask(api, PATIENT, key=key)
    before = count_rows(query)
    for answer in (ask(api, OTHER, key=key), ask(api, PATIENT, PATIENT, key=key)):
        assert answer["statusCode"] == 422
        assert answer["body"]["type"] == "urn:diabetes-ml:problem:idempotency-key-reused"
        assert answer["body"]["detail"].endswith(": send another key, or none.")
        assert "prediction" not in answer["body"]
    assert count_rows(query) == before


def test_key_belongs_to_its_caller(api: LambdaHandler) -> None:
    key = make_key()
    bodies = [ask(api, patient, key=key, subject=name)["body"] for name, patient in (("ada", PATIENT), ("bo", OTHER))]
    assert bodies[0]["request_id"] != bodies[1]["request_id"]
    assert ask(api, OTHER, key=key, subject="bo")["body"] == bodies[1]


def test_concurrent_twins_make_one_row(wire: Wire, query: Query) -> None:
    key = make_key()
    handlers = [wire() for _ in range(6)]
    before = count_rows(query)
    barrier = threading.Barrier(len(handlers))
    answers: list[Any] = []

    def ask_at_once(handler: LambdaHandler) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        barrier.wait()
        answers.append(ask(handler, PATIENT, key=key))
        loop.close()

    threads = [threading.Thread(target=ask_at_once, args=(handler,)) for handler in handlers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["statusCode"] for answer in answers] == [200] * 6
    assert len({json.dumps(answer["body"]) for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer["headers"] for answer in answers) == 5
    assert count_rows(query) == before + 1


def test_refused_input_does_not_use_the_key(api: LambdaHandler) -> None:
    key = make_key()
    assert ask(api, {**PATIENT, "bmi": -1}, key=key)["statusCode"] == 422
    assert ask(api, PATIENT, key=key)["statusCode"] == 200


def test_dead_database_queues_nothing_that_has_a_key(wire: Wire, queues: Queues) -> None:
    answer = ask(wire(**DEAD_DATABASE, **queues.environment), PATIENT, key=make_key())
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "10")
    assert answer["body"]["detail"].endswith("only it knows whether the Idempotency-Key was used")
    assert queues.count() == 0


@pytest.mark.parametrize(
    "key",
    ["", '""', '"open', 'open"', "two words", '"a", "b"', "a,b", "é", '"é"', "a" * 256, '"\\"', "a;b=c", "\t"],
)
def test_malformed_key_is_400(key: str, api: LambdaHandler) -> None:
    answer = ask(api, PATIENT, key=key)
    assert answer["statusCode"] == 400
    assert answer["body"]["type"] == "urn:diabetes-ml:problem:malformed-idempotency-key"


@pytest.mark.parametrize("key", ['"two words"', '"\\"quoted\\" and \\\\"', "a" * 255, "order:17/3", "a.b_c-d~"])
def test_well_formed_key_is_taken(key: str, api: LambdaHandler) -> None:
    subject = str(uuid4())
    assert ask(api, PATIENT, key=key, subject=subject)["statusCode"] == 200
    assert ask(api, PATIENT, key=key, subject=subject)["headers"]["idempotency-replayed"] == "true"


def require_refusal(answer: dict[str, Any]) -> None:
    assert answer["statusCode"] == 503
    assert answer["body"]["title"] == "The prediction could not be recorded"
    # The same to everybody, and nothing of the other record.
    assert answer["body"]["detail"] == "the id of this request is taken by another record"
    assert answer["headers"]["retry-after"] == "10"
    assert "x-prediction-record" not in answer["headers"]


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
def test_other_patients_under_a_taken_id_get_no_answer_and_leave_nothing(
    stored: tuple[Patient, ...],
    asked: tuple[Patient, ...],
    key: str | None,
    wire: Wire,
    queues: Queues,
    query: Query,
) -> None:
    api, context = wire(**queues.environment), Context()
    first = ask(api, *stored, context=context)
    before = count_rows(query)
    require_refusal(ask(api, *asked, context=context, key=key))
    assert (count_rows(query), queues.count()) == (before, 0)
    assert ask(api, *stored, context=context)["body"] == first["body"]
    # The key is still free, and the database is asked again.
    again = ask(api, *asked, key=key, subject=str(uuid4()))
    assert (again["statusCode"], again["headers"]["x-prediction-record"]) == (200, "database")


@pytest.mark.parametrize("patients", [(PATIENT,), (PATIENT, OTHER)], ids=len)
@pytest.mark.parametrize("subject", ["bo", "None"])
def test_another_caller_under_a_taken_id_learns_nothing(
    patients: tuple[Patient, ...], subject: str, api: LambdaHandler, query: Query
) -> None:
    context = Context()
    ask(api, *patients, context=context)
    before = count_rows(query)
    require_refusal(ask(api, *patients, context=context, subject=subject))
    assert count_rows(query) == before


def test_record_queued_under_a_taken_id_is_kept_in_the_dead_letters(wire: Wire, queues: Queues, query: Query) -> None:
    context = Context()
    assert ask(wire(), PATIENT, context=context)["headers"]["x-prediction-record"] == "database"
    # Nobody can compare while the database is away.
    api = wire(**DEAD_DATABASE, **queues.environment)
    assert ask(api, OTHER, context=context)["headers"]["x-prediction-record"] == "queue"
    [message] = queues.drain()
    assert find_failures(wire("replay", **queues.environment), make_event(message)) == []
    assert queues.drain_dead_letters() == [message]
    rows = query("SELECT bmi FROM predictions WHERE request_id = :id", id=UUID(context.aws_request_id))
    assert rows == [[79.0]]


@pytest.mark.parametrize("name", ["".join(random.Random(1).choices(string.ascii_letters, k=1024)), "é" * 512])
def test_longest_name_of_a_caller_has_keys(name: str, api: LambdaHandler) -> None:
    key = '"' + "".join(random.Random(2).choices(string.ascii_letters, k=255)) + '"'
    first, second = (ask(api, PATIENT, key=key, subject=name) for _ in range(2))
    assert (first["statusCode"], second["body"]) == (200, first["body"])
    assert ask(api, PATIENT, key=key, subject=f"{name}a")["statusCode"] == 403
