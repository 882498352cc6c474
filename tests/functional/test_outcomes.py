"""POST /outcomes: what really happened after predictions, durable before the answer, and by a right of its own."""

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.middleware import MAX_BATCH_BODY_BYTES
from lambda_app.http.schemas import EXAMPLE_REQUEST, MAX_BATCH, OUTCOME_LIMITS
from lambda_app.log.connection import Connection
from lambda_app.log.database import Database
from lambda_app.log.message import encode_messages
from lambda_app.log.record import OutcomeRecord
from lambda_app.log.store import insert_outcomes
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.postgres import Postgres
from tests.conftest import connect_database
from tests.events import Context, load_event, make_event
from tests.functional.helpers import (
    DEAD_DATABASE,
    DEAD_QUEUE,
    IAM_CALLER,
    IMPOSSIBLE,
    Query,
    Queues,
    Wire,
    get,
    post,
)
from tests.functional.test_batch import make_patients
from tests.functional.test_replay import find_failures
from tests.functional.test_replay import make_event as make_messages

COLUMNS = "request_id, value, observed_at, reported_at, predicted_at, reporter, reporter_session"
RIVAL = {"jwt": {"claims": {"sub": "registry"}, "scopes": ["outcomes:write"]}}


def predict(api: LambdaHandler) -> dict[str, Any]:
    return dict(post(api, "/predict", EXAMPLE_REQUEST)["body"])


def make_item(request_id: object, value: Any = 151.5, observed_at: object = None) -> dict[str, Any]:
    moment = observed_at or datetime.now(UTC).isoformat()
    return {"request_id": str(request_id), "value": value, "observed_at": moment}


def report(api: LambdaHandler, *items: Any, **given: Any) -> dict[str, Any]:
    return post(api, "/outcomes", {"outcomes": list(items)}, **given)


def read_rows(query: Query, *request_ids: object) -> list[list[Any]]:
    ids = [UUID(str(request_id)) for request_id in request_ids]
    return query(f"SELECT {COLUMNS} FROM outcomes WHERE request_id = ANY(:ids) ORDER BY reported_at, value", ids=ids)


def read_outcome(api: LambdaHandler, request_id: object) -> Any:
    return get(api, f"/predictions/{request_id}")["body"]["outcome"]


def test_outcome_is_stored_with_its_reporter_before_the_answer(api: LambdaHandler, query: Query) -> None:
    prediction, context = predict(api), Context()
    item = make_item(prediction["request_id"], 160.25)
    before = datetime.now(UTC)
    answer = report(api, item, authorizer=RIVAL, context=context)
    assert (answer["statusCode"], answer["headers"]["x-outcome-record"]) == (200, "database")
    reported_at = datetime.fromisoformat(answer["body"]["reported_at"])
    assert answer["body"] == {
        "outcomes": 1,
        "reported_at": answer["body"]["reported_at"],
        "request_id": context.aws_request_id,
    }
    assert before <= reported_at <= datetime.now(UTC)
    assert read_rows(query, prediction["request_id"]) == [
        [
            *(UUID(prediction["request_id"]), 160.25, datetime.fromisoformat(item["observed_at"]), reported_at),
            *(datetime.fromisoformat(prediction["timestamp"]), "registry", None),
        ]
    ]


def test_reporter_is_the_role_with_its_session(api: LambdaHandler, query: Query) -> None:
    request_id = predict(api)["request_id"]
    iam = load_event("outcomes")["requestContext"]["authorizer"]
    assert report(api, make_item(request_id), authorizer=iam)["statusCode"] == 200
    [[*_, reporter, session]] = read_rows(query, request_id)
    assert (reporter, session) == ("arn:aws:iam::123456789012:role/registry", "nightly")


def test_the_same_again_changes_nothing(api: LambdaHandler, query: Query) -> None:
    request_id = predict(api)["request_id"]
    item = make_item(request_id, 100)
    report(api, item)
    rows = read_rows(query, request_id)
    observed_at = datetime.fromisoformat(item["observed_at"])
    for again in (
        item,
        {**item, "value": 100.0},
        {**item, "request_id": request_id.upper()},
        {**item, "observed_at": observed_at.astimezone().isoformat()},
        {**item, "observed_at": item["observed_at"].replace("+00:00", "z").replace("T", " ")},
    ):
        assert report(api, again, authorizer=RIVAL)["statusCode"] == 200
        assert read_rows(query, request_id) == rows


def test_zero_with_a_sign_is_zero(api: LambdaHandler, query: Query) -> None:
    request_id = predict(api)["request_id"]
    moment = datetime.now(UTC).isoformat()
    for text in ("-0.0", "0", "-0", "0e5"):
        body = json.dumps({"outcomes": [make_item(request_id, "X", moment)]}).replace('"X"', text)
        assert post(api, "/outcomes", body)["statusCode"] == 200
    [[_, value, *_]] = read_rows(query, request_id)
    assert str(value) == "0.0"


def test_correction_is_kept_beside_the_first_and_counts(api: LambdaHandler, query: Query) -> None:
    request_id = predict(api)["request_id"]
    assert read_outcome(api, request_id) is None
    item = make_item(request_id, 100.0)
    for value, at in ((100.0, item["observed_at"]), (120.0, item["observed_at"]), (120.0, None)):
        answer = report(api, make_item(request_id, value, at))
        # Shown to the prediction's caller without the reporter.
        shown = read_outcome(api, request_id)
        assert (shown["value"], shown["reported_at"]) == (value, answer["body"]["reported_at"])
        assert shown.keys() == {"value", "observed_at", "reported_at"}
    assert [row[1] for row in read_rows(query, request_id)] == [100.0, 120.0, 120.0]
    # Not the one that was written last: the first comes once more.
    report(api, item)
    assert read_outcome(api, request_id)["value"] == 120.0
    assert len(read_rows(query, request_id)) == 3


def test_of_two_reports_of_one_moment_the_greater_id_counts(api: LambdaHandler, query: Query) -> None:
    request_id = predict(api)["request_id"]
    for value in range(5):
        report(api, make_item(request_id, value))
    id_of_request = UUID(request_id)
    query("UPDATE outcomes SET reported_at = '2026-01-01Z' WHERE request_id = :id", id=id_of_request)
    [[greatest]] = query(
        "SELECT value FROM outcomes WHERE request_id = :id ORDER BY outcome_id DESC LIMIT 1", id=id_of_request
    )
    assert read_outcome(api, request_id)["value"] == greatest


def test_outcome_is_shown_to_the_caller_of_the_prediction_alone(api: LambdaHandler) -> None:
    request_id = predict(api)["request_id"]
    report(api, make_item(request_id), authorizer=RIVAL)
    assert get(api, f"/predictions/{request_id}", authorizer=RIVAL)["statusCode"] == 404


def test_a_thousand_are_stored_and_the_next_one_is_refused(api: LambdaHandler, query: Query) -> None:
    body = post(api, "/predict/batch", {"patients": make_patients(MAX_BATCH)})["body"]
    ids = [one["request_id"] for one in body["predictions"]]
    items = [make_item(request_id, float(index)) for index, request_id in enumerate(ids)]
    answer = report(api, *items)
    assert (answer["statusCode"], answer["body"]["outcomes"]) == (200, MAX_BATCH)
    rows = read_rows(query, *ids)
    assert {str(row[0]): row[1] for row in rows} == {item["request_id"]: item["value"] for item in items}
    assert {row[4] for row in rows} == {datetime.fromisoformat(body["timestamp"])}
    refused: list[Any] = [[*items, make_item(uuid4())], [], None, {}, "all"]
    for wrong in refused:
        answer = post(api, "/outcomes", {"outcomes": wrong})
        assert answer["statusCode"] == 422
        assert answer["body"]["errors"] == [{"field": "outcomes", "message": "must be a list of 1 to 1000 outcomes"}]


REFUSED = {name: f"must be {limits}" for name, limits in OUTCOME_LIMITS.items()}


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-0.1", "-5e-324", "-1", '"151"', "true", "null", "[]"),
        *("1" + "0" * 400, "{}", '"NaN"'),
    ],
)
def test_value_that_the_target_cannot_have_is_refused_by_name(value: str, api: LambdaHandler) -> None:
    body = json.dumps({"outcomes": [make_item(uuid4()), make_item(uuid4(), "X")]}).replace('"X"', value)
    answer = post(api, "/outcomes", body)
    assert (answer["statusCode"], answer["body"]["type"]) == (422, "urn:diabetes-ml:problem:invalid-input")
    expected = {"field": "outcomes[1].value", "message": "must be a number of at least 0 (score)"}
    assert answer["body"]["errors"] == [expected]
    assert answer["body"]["detail"] == f"{expected['field']} {expected['message']}"


@pytest.mark.parametrize(
    "observed_at",
    [
        *(None, 5, 1.5, True, [], {}, "", "now", "infinity", "1783254896", "2026-07-05", "2026-07-05T12:34:56"),
        *("2026-07-05T12:34Z", "2026-07-05T12:34:56.Z", "20260705T123456Z", "2026-W27-7T12:34:56Z"),
        *("2026-02-30T00:00:00Z", "2026-07-05T24:00:01Z", "2026-07-05T12:34:60Z", "2026-07-05T12:34:56+24:00"),
        *("2026-07-05T12:34:56-24:00", "2026-07-05T12:34:56+0200", "2026-07-05T12:34:56+02", " 2026-07-05T12:34:56Z"),
        *("2026-07-05T12:34:56Z\n", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00Z"),
        *("10000-01-01T00:00:00Z", "-2026-07-05T12:34:56Z", "٢٠٢٦-07-05T12:34:56Z", "2026-07-05T12:34:56z+"),
        "2026-07-05T12:34:56." + "1" * 4000 + "Z",
    ],
)
def test_time_in_another_form_is_refused_by_name(observed_at: Any, api: LambdaHandler) -> None:
    answer = report(api, {**make_item(uuid4()), "observed_at": observed_at})
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [{"field": "outcomes[0].observed_at", "message": REFUSED["observed_at"]}]


@pytest.mark.parametrize("form", ["{{{}}}", "urn:uuid:{}", " {}", "{}\n", "", "1", "{}0"])
def test_id_in_another_form_is_refused_by_name(form: str, api: LambdaHandler) -> None:
    for wrong in (form.format(uuid4()), uuid4().hex, None, 5, [str(uuid4())]):
        answer = report(api, {**make_item(uuid4()), "request_id": wrong})
        assert answer["statusCode"] == 422
        assert answer["body"]["errors"] == [{"field": "outcomes[0].request_id", "message": REFUSED["request_id"]}]


def test_every_refused_field_is_named(api: LambdaHandler, query: Query) -> None:
    good = make_item(uuid4())
    without_time = {name: value for name, value in good.items() if name != "observed_at"}
    answer = report(api, good, {**good, "value": -1, "colour": 1}, without_time, "nothing", {})
    assert answer["body"]["errors"] == [
        {"field": "outcomes[1].value", "message": REFUSED["value"]},
        {"field": "outcomes[2].observed_at", "message": f"is missing: {OUTCOME_LIMITS['observed_at']} is required"},
        {"field": "outcomes[3]", "message": "must be a JSON object with request_id, value, observed_at"},
        *(
            {"field": f"outcomes[4].{name}", "message": f"is missing: {limits} is required"}
            for name, limits in OUTCOME_LIMITS.items()
        ),
        {"field": "outcomes[1].colour", "message": "is not a field of this request"},
    ]
    # All or none.
    assert read_rows(query, good["request_id"]) == []


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("[]", 422, "body"),
        ("null", 422, "body"),
        ("{}", 422, "outcomes"),
        ('{"patients": []}', 422, "outcomes"),
        ('{"outcomes": [{"value": 1, "value": 1}]}', 422, "outcomes[0].value"),
        ('{"outcomes": [], "outcomes": []}', 422, "outcomes"),
        ('{"outcomes": ' + "[" * 30_000, 400, None),
        ('{"outcomes": ' + "[" * 5000 + "]" * 5000 + "}", 400, None),
        ('{"outcomes": [{"value": ' + "9" * 5000 + "}]}", 400, None),
        ('{"outcomes": [{"value": "\\ud800"}]}', 400, None),
        ("{", 400, None),
        ("{}".ljust(MAX_BATCH_BODY_BYTES + 1), 413, None),
    ],
)
def test_body_that_is_no_report_is_refused(body: str, status: int, field: str | None, api: LambdaHandler) -> None:
    answer = post(api, "/outcomes", body)
    assert answer["statusCode"] == status
    assert answer["body"].get("errors", [{"field": None}])[0]["field"] == field


@pytest.mark.parametrize("destination", ["database", "queue"])
def test_what_cannot_be_is_refused_wherever_it_would_go(destination: str, wire: Wire, queues: Queues) -> None:
    api = wire(**queues.environment, **(DEAD_DATABASE if destination == "queue" else {}))
    now = datetime.now(UTC)
    twice, future = uuid4(), (now + timedelta(minutes=6)).isoformat()
    answer = report(
        api, make_item(twice), make_item(uuid4(), 1, future), make_item(str(twice).upper(), 2, "9999-12-31T23:59:59Z")
    )
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [
        {"field": "outcomes[1].observed_at", "message": "is in the future"},
        {"field": "outcomes[2].request_id", "message": "is given more than once"},
        {"field": "outcomes[2].observed_at", "message": "is in the future"},
    ]
    # Clocks differ.
    nearly = report(api, make_item(uuid4(), 1, (now + timedelta(minutes=4)).isoformat()))
    assert (nearly["statusCode"], nearly["headers"]["x-outcome-record"]) == (200, destination)
    assert queues.count() == (destination == "queue")
    many = report(api, *[make_item(uuid4(), 1, future) for _ in range(MAX_BATCH)])["body"]["errors"]
    assert (len(many), many[-1]) == (101, {"field": "body", "message": "has 900 more refused fields"})


def test_outcome_from_before_its_prediction_is_refused_with_the_whole_request(api: LambdaHandler, query: Query) -> None:
    first, second = predict(api), predict(api)
    made_at = datetime.fromisoformat(second["timestamp"])
    items = [make_item(each["request_id"], 1, made_at.isoformat()) for each in (first, second)]
    early = {**items[1], "observed_at": (made_at - timedelta(microseconds=1)).isoformat()}
    answer = report(api, items[0], early, authorizer=RIVAL)
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [{"field": "outcomes[1].observed_at", "message": "is before the prediction"}]
    assert read_rows(query, first["request_id"], second["request_id"]) == []
    assert report(api, *items)["statusCode"] == 200
    # Of an unknown prediction any time is taken, also the first.
    unknown = uuid4()
    assert report(api, make_item(unknown, 1, "0001-01-01T00:00:00Z"))["statusCode"] == 200
    [[_, _, observed_at, _, predicted_at, *_]] = read_rows(query, unknown)
    assert (observed_at.year, predicted_at) == (1, None)


def test_outcomes_wait_in_the_queue_while_the_database_is_away(wire: Wire, queues: Queues, query: Query) -> None:
    api = wire()
    prediction, unknown = predict(api), uuid4()
    items = [make_item(prediction["request_id"], 99.5), make_item(unknown, 0.1 + 0.2)]
    answer = report(wire(**DEAD_DATABASE, **queues.environment), *items, authorizer=RIVAL)
    assert (answer["statusCode"], answer["headers"]["x-outcome-record"]) == (200, "queue")
    assert read_rows(query, prediction["request_id"], unknown) == []
    [body] = queues.drain()
    replay = wire("replay", **queues.environment)
    # As often as SQS delivers it.
    for _ in range(2):
        assert find_failures(replay, make_messages(body, body)) == []
    reported_at = datetime.fromisoformat(answer["body"]["reported_at"])
    made_at = datetime.fromisoformat(prediction["timestamp"])
    found = {str(row[0]): row[1:] for row in read_rows(query, prediction["request_id"], unknown)}
    for item, predicted_at in zip(items, (made_at, None), strict=True):
        observed_at = datetime.fromisoformat(item["observed_at"])
        expected = [item["value"], observed_at, reported_at, predicted_at, "registry", None]
        assert found[item["request_id"]] == expected
    assert len(found) == 2
    assert queues.drain_dead_letters() == []
    # The same report by the other way is the same row.
    assert report(api, *items)["statusCode"] == 200
    assert len(read_rows(query, prediction["request_id"], unknown)) == 2


def test_a_thousand_wait_in_one_message_after_another(wire: Wire, queues: Queues, query: Query) -> None:
    ids = [uuid4() for _ in range(MAX_BATCH)]
    answer = report(wire(**DEAD_DATABASE, **queues.environment), *map(make_item, ids))
    assert (answer["statusCode"], answer["headers"]["x-outcome-record"]) == (200, "queue")
    messages = queues.drain()
    assert len(messages) > 1
    assert find_failures(wire("replay", **queues.environment), make_messages(*messages)) == []
    assert len(read_rows(query, *ids)) == MAX_BATCH


def test_prediction_may_still_be_in_the_queue(wire: Wire, queues: Queues, query: Query) -> None:
    request_id = predict(wire(**DEAD_DATABASE, **queues.environment))["request_id"]
    api = wire()
    # Its time is not known yet.
    answer = report(api, make_item(request_id, 77.0, "2020-01-01T00:00:00Z"), make_item(uuid4()))
    assert (answer["statusCode"], answer["headers"]["x-outcome-record"]) == (200, "database")
    [[*_, predicted_at, _, _]] = read_rows(query, request_id)
    assert predicted_at is None
    assert find_failures(wire("replay", **queues.environment), make_messages(*queues.drain())) == []
    assert read_outcome(api, request_id)["value"] == 77.0


def test_without_database_and_queue_it_is_503(wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    answer = report(wire(**DEAD_DATABASE, **DEAD_QUEUE), make_item(uuid4(), 61.870319))
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "10")
    assert answer["body"]["type"] == "urn:diabetes-ml:problem:outcome-unavailable"
    assert answer["body"]["detail"] == (
        "the database did not take the record: ConnectionRefusedError; nor did the queue: ConnectionRefusedError"
    )
    assert "61.870319" not in capsys.readouterr().out


def test_outcome_that_the_database_refuses_is_neither_answered_nor_queued(
    wire: Wire, queues: Queues, own_postgres: tuple[Postgres, Settings]
) -> None:
    _, settings = own_postgres
    with contextlib.closing(connect_database(settings)) as owner:
        owner.run("ALTER TABLE outcomes ADD CHECK (value < 100)")
    api = wire(DATABASE_PORT=str(settings.database_port), **queues.environment)
    answer = report(api, make_item(uuid4(), 99), make_item(uuid4(), 100))
    assert answer["statusCode"] == 503
    assert answer["body"]["detail"] == "the database did not take the record: DatabaseError 23514"
    assert queues.count() == 0
    # The breaker stays closed.
    assert report(api, make_item(uuid4(), 99))["headers"]["x-outcome-record"] == "database"
    message = json.loads(queued_message(make_item(uuid4(), 99.0), make_item(uuid4(), 100.0)))
    body = json.dumps(message, separators=(",", ":"))
    replay = wire("replay", DATABASE_PORT=str(settings.database_port), **queues.environment)
    assert find_failures(replay, make_messages(body)) == []
    [dead] = queues.drain_dead_letters()
    assert json.loads(dead) == {"version": 2, "outcomes": [message["outcomes"][1]]}
    with contextlib.closing(connect_database(settings)) as owner:
        assert owner.run("SELECT value FROM outcomes ORDER BY value") == [[99.0], [99.0]]


def queued_message(*items: dict[str, Any]) -> str:
    now = datetime.now(UTC)
    [body] = encode_messages(
        [
            OutcomeRecord(UUID(item["request_id"]), item["value"], datetime.fromisoformat(item["observed_at"]), now)
            for item in items
        ]
    )
    return body


def test_outcome_of_an_erased_prediction_is_taken_and_not_stored(
    wire: Wire, queues: Queues, own_postgres: tuple[Postgres, Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    _, settings = own_postgres
    changed = {"DATABASE_PORT": str(settings.database_port), **queues.environment}
    api, replay = wire(**changed), wire("replay", **changed)
    erased, kept = predict(api)["request_id"], predict(api)["request_id"]
    with contextlib.closing(connect_database(settings)) as owner:
        owner.run("INSERT INTO tombstones SELECT digest_request(:id), now()", id=UUID(erased))
        owner.run("DELETE FROM predictions WHERE request_id = :id", id=UUID(erased))
        answer = report(api, make_item(erased), make_item(kept))
        assert (answer["statusCode"], answer["body"]["outcomes"]) == (200, 2)
        assert find_failures(replay, make_messages(queued_message(make_item(erased)))) == []
        assert owner.run("SELECT request_id FROM outcomes") == [[UUID(kept)]]
    assert queues.drain_dead_letters() == []
    assert "dead-lettered" not in capsys.readouterr().out


@pytest.mark.parametrize("authorizer", [{"jwt": {"claims": {}}}, {"iam": {"userArn": None}}, {"lambda": {}}])
def test_reporter_must_have_a_name(authorizer: Any, api: LambdaHandler) -> None:
    answer = report(api, make_item(uuid4()), authorizer=authorizer)
    assert (answer["statusCode"], answer["body"]["type"]) == (403, "urn:diabetes-ml:problem:unknown-caller")


@pytest.mark.parametrize("path", ["/outcomes", "/outcome%73", "/%6futcomes"])
def test_right_to_call_the_default_route_is_no_right_to_report(path: str, api: LambdaHandler, query: Query) -> None:
    item = make_item(uuid4())
    event = make_event("POST", path, json.dumps({"outcomes": [item]}))
    for authorizer, status in ((IAM_CALLER, 403), (RIVAL, 403), (None, 200), ({}, 200)):
        event["routeKey"] = event["requestContext"]["routeKey"] = "$default"
        event["requestContext"]["authorizer"] = authorizer
        answer = api(event, Context())
        assert answer["statusCode"] == status
        if status == 403:
            assert json.loads(answer["body"])["type"] == "urn:diabetes-ml:problem:other-route"
            assert read_rows(query, item["request_id"]) == []


def test_reports_of_the_same_outcomes_in_two_orders_do_not_block_each_other(settings: Settings, query: Query) -> None:
    now = datetime.now(UTC)
    outcomes = [OutcomeRecord(uuid4(), 1.0, now, now) for _ in range(500)]
    databases = [Database(settings) for _ in range(4)]

    def insert(database: Database, ordered: list[OutcomeRecord]) -> int:
        return database.run_statement(lambda connection: insert_outcomes(connection, ordered, {}))

    with ThreadPoolExecutor(len(databases)) as executor:
        counts = list(executor.map(insert, databases, [outcomes, outcomes[::-1]] * 2))
    for database in databases:
        database.close()
    assert sum(counts) == len(read_rows(query, *(outcome.request_id for outcome in outcomes))) == 500


def test_metrics_count_outcomes_and_no_log_has_a_value(
    wire: Wire, queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    for changed, metric in (({}, "OutcomesToDatabase"), (DEAD_DATABASE, "OutcomesToQueue")):
        api = wire(LOG_LEVEL="DEBUG", **changed, **queues.environment)
        capsys.readouterr()
        report(api, make_item(uuid4(), 61.870319), make_item(uuid4(), 62.870319))
        report(api, make_item(uuid4(), -61.870319))
        output = capsys.readouterr().out
        documents = [json.loads(line) for line in output.splitlines()]
        for name in ("Outcomes", metric):
            assert [document[name] for document in documents if name in document] == [[2.0]]
        assert "870319" not in output
        samples = get(api, "/metrics")["body"]
        destination = metric.removeprefix("OutcomesTo").lower()
        assert f'diabetes_outcomes_total{{destination="{destination}",execution_environment=' in samples


def test_lookup_of_a_prediction_with_its_outcome_takes_one_statement(
    api: LambdaHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = post(api, "/predict", IMPOSSIBLE)["body"]["request_id"]
    report(api, make_item(request_id))
    sent: list[str] = []
    run = count_statements(sent)
    monkeypatch.setattr("lambda_app.log.connection.Connection.run", run)
    assert read_outcome(api, request_id)["value"] == 151.5
    assert len(sent) == 1
    post(api, "/predict", EXAMPLE_REQUEST)
    assert len(sent) == 2


def count_statements(sent: list[str]) -> Callable[..., Any]:
    run = Connection.run

    def run_and_count(self: Connection, sql: str, *given: Any, **params: Any) -> Any:
        sent.append(sql)
        return run(self, sql, *given, **params)

    return run_and_count
