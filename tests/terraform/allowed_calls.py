"""A call for each action that the roles' policies allow, by the functions' own code or, of maintain, its client.

A call returns the reason of its refusal, or an empty text if it succeeded. It raises any other failure.
"""

import json
from collections.abc import Callable
from typing import Any

import pg8000.native

from lambda_app.http.performance import REPORT_KEY
from lambda_app.log.message import encode_messages
from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, PREFIX, REPLAY_ROLE
from lambda_app.tasks import TaskFailedError
from local.poller import Polled, poll_once
from local.records import make_record
from tests.events import Context, invoke, load_event, make_event
from tests.reports import make_report as make_sample
from tests.terraform.account import ADMIN
from tests.terraform.stage import Stage, refusal_of

OWNER = f"{PREFIX}_owner"
DATABASE_USERS = {
    "api": API_ROLE,
    "replay": REPLAY_ROLE,
    "migrate": OWNER,
    "maintain": MAINTAIN_ROLE,
    "monitor": MONITOR_ROLE,
}

# Of a file of predictions, and of a manifest.
PATH = "predictions/model_version=v1/date=2026-01-01"

AllowedCall = Callable[[Stage, str], str]


def judge(stage: Stage, well: bool) -> str:
    """Return the refusal if the function failed. A function that succeeded must not have been refused."""
    refusal = stage.read_refusal()
    assert well == (not refusal), refusal or "it failed for another reason"
    return refusal


def predict(stage: Stage, _: str) -> str:
    """Read the model from the bucket."""
    answer = invoke(stage.start("api"), load_event("predict"))
    assert answer["statusCode"] in {200, 503}
    return judge(stage, answer["statusCode"] == 200)


def record(stage: Stage, _: str) -> str:
    """Store the record of an answer in the table, and not in the queue."""
    answer = invoke(stage.start("api"), load_event("predict"))
    return judge(stage, answer["headers"]["x-prediction-record"] == "database")


def fall_back(stage: Stage, _: str) -> str:
    """Send the record to the queue while the database is away."""
    api = stage.start("api")
    with stage.database_away():
        answer = invoke(api, load_event("predict"))
    assert (answer["statusCode"], answer["headers"].get("x-prediction-record")) in {(200, "queue"), (503, None)}
    return judge(stage, answer["statusCode"] == 200)


def ask_health(stage: Stage, _: str) -> str:
    health = invoke(stage.start("api"), load_event("health"))["body"]
    refusal = health["queue"]["reason"] or ""
    assert (health["queue"]["status"] == "ok") == (not refusal)
    return str(refusal)


def replay_record(stage: Stage, _: str) -> str:
    failures = stage.start("replay")(load_event("replay"), Context())["batchItemFailures"]
    return judge(stage, not failures)


def dead_letter_message(stage: Stage, _: str) -> str:
    """Send a message that is no record to the dead-letter queue."""
    event = {"Records": [{"messageId": "message", "body": "no record"}]}
    failures = stage.start("replay")(event, Context())["batchItemFailures"]
    return judge(stage, not failures)


def connect_queue(stage: Stage, _: str) -> str:
    """Ask for the queue's attributes, as Lambda does when the function is connected to it."""
    url = stage.account.variables("replay")["QUEUE_URL"]
    sqs = stage.client("replay", "sqs")
    return refusal_of(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"]))


def take_message(stage: Stage, _: str) -> str:
    """Receive, invoke and delete, as Lambda does with the function's role."""
    replay = stage.start("replay")
    url = stage.account.variables("replay")["QUEUE_URL"]
    [body] = encode_messages([make_record()])
    stage.client(ADMIN, "sqs").send_message(QueueUrl=url, MessageBody=body)
    polled: list[Polled] = []
    client = stage.client("replay", "sqs")
    refusal = refusal_of(lambda: polled.append(poll_once(client, url, replay)))
    assert refusal or (polled[0].received > 0 and polled[0].failed == 0)
    return refusal


def migrate(stage: Stage, _: str) -> str:
    """Connect through the proxy and give the roles the passwords in their secrets."""
    handler = stage.start("migrate")
    with stage.superuser() as connection:
        connection.run(f"ALTER ROLE {API_ROLE} PASSWORD NULL")
        connection.run(f"ALTER ROLE {REPLAY_ROLE} PASSWORD NULL")
        try:
            refusal = refusal_of(lambda: handler({}, Context()))
        except pg8000.native.DatabaseError:
            refusal = stage.read_refusal()
            assert refusal
        [[known]] = connection.run(
            f"SELECT count(rolpassword) FROM pg_authid WHERE rolname IN ('{API_ROLE}', '{REPLAY_ROLE}')"
        )
    stage.postgres.set_role_passwords()
    assert known == (0 if refusal else 2)
    return refusal


def work_daily(stage: Stage, _: str) -> str:
    handler = stage.start("maintain")
    try:
        handler({"task": "daily"}, Context())
    except TaskFailedError:
        return judge(stage, well=False)
    return judge(stage, well=True)


def make_report(stage: Stage, _: str) -> str:
    """Read the promise of the version that is current, compare, and write the report."""
    handler = stage.start("monitor")
    try:
        answer = handler({}, Context())
    except TaskFailedError:
        return judge(stage, well=False)
    assert answer["is_alarm"].keys() == {"coverage", "drift"}
    bucket = stage.account.variables("monitor")["MODEL_BUCKET"]
    report = json.load(stage.client(ADMIN, "s3").get_object(Bucket=bucket, Key=REPORT_KEY)["Body"])
    # On AWS, what may not be read and what is not there look alike.
    return judge(stage, well=True) or ("" if report["current_version"] else "AccessDenied: the models")


def read_report(stage: Stage, _: str) -> str:
    """Read the newest report, which for the api is not there if it may not read it."""
    bucket = stage.account.variables("api")["MODEL_BUCKET"]
    body = json.dumps(make_sample()).encode()
    stage.client(ADMIN, "s3").put_object(Bucket=bucket, Key=REPORT_KEY, Body=body)
    answer = invoke(stage.start("api"), make_event("GET", "/performance"))
    assert answer["statusCode"] in {200, 404}
    return "" if answer["statusCode"] == 200 else "AccessDenied: the report"


def with_bucket(call: Callable[[Any, str], object]) -> AllowedCall:
    """Return a call to the bucket of records as maintain."""

    def with_client(stage: Stage, _: str) -> str:
        bucket = stage.account.variables("maintain")["RECORDS_BUCKET"]
        return refusal_of(lambda: call(stage.client("maintain", "s3"), bucket))

    return with_client


def with_file(call: Callable[[Any, dict[str, str], str], object]) -> AllowedCall:
    """Return a call, as maintain, about a file of each kind and its version."""

    def with_files(stage: Stage, _: str) -> str:
        bucket = stage.account.variables("maintain")["RECORDS_BUCKET"]
        client = stage.client("maintain", "s3")
        for key in (
            f"{PATH}/part-0000.parquet",
            "outcomes/date=2026-01-01/part-0000.parquet",
            f"manifests/{PATH}.json",
        ):
            name = {"Bucket": bucket, "Key": key}
            version = stage.client(ADMIN, "s3").put_object(**name, Body=b"content")["VersionId"]
            if refusal := refusal_of(lambda name=name, version=version: call(client, name, version)):  # type: ignore[misc]
                return refusal
        return ""

    return with_files


def with_message(call: Callable[[Any, str, str], object]) -> AllowedCall:
    """Return a call, as maintain, about each queue and a message that was received from it."""

    def with_messages(stage: Stage, _: str) -> str:
        variables = stage.account.variables("maintain")
        admin, client = stage.client(ADMIN, "sqs"), stage.client("maintain", "sqs")
        for url in (variables["QUEUE_URL"], variables["DEAD_LETTER_QUEUE_URL"]):
            admin.send_message(QueueUrl=url, MessageBody="text")
            [message, *_rest] = admin.receive_message(QueueUrl=url)["Messages"]
            handle = message["ReceiptHandle"]
            if refusal := refusal_of(lambda url=url, handle=handle: call(client, url, handle)):  # type: ignore[misc]
                return refusal
        return ""

    return with_messages


def log_in_to_database(stage: Stage, _: str) -> str:
    """Log in through the proxy as each function."""
    return (
        record(stage, "api")
        or replay_record(stage, "replay")
        or migrate(stage, "migrate")
        or work_daily(stage, "maintain")
        or make_report(stage, "monitor")
    )


# By role, statement and action. The functions' own code makes the calls, except those of Lambda to the queue of replay
# and those of maintain to S3 and SQS.
#
# Only RDS Proxy enforces rds-db:connect. The stand-in for the proxy checks the function's token and lets moto evaluate
# the role's present policy.
ALLOWED_CALLS: dict[tuple[str, str, str], AllowedCall] = {
    ("api", "ReadModels", "s3:GetObject"): predict,
    ("api", "ReadReport", "s3:GetObject"): read_report,
    ("api", "ConnectToDatabase", "rds-db:connect"): record,
    ("api", "QueueRecords", "sqs:GetQueueAttributes"): ask_health,
    ("api", "QueueRecords", "sqs:SendMessage"): fall_back,
    ("replay", "ConnectToDatabase", "rds-db:connect"): replay_record,
    ("replay", "TakeRecords", "sqs:DeleteMessage"): take_message,
    ("replay", "TakeRecords", "sqs:GetQueueAttributes"): connect_queue,
    ("replay", "TakeRecords", "sqs:ReceiveMessage"): take_message,
    ("replay", "DeadLetterMessages", "sqs:SendMessage"): dead_letter_message,
    ("migrate", "ConnectToDatabase", "rds-db:connect"): migrate,
    ("migrate", "ReadPasswords", "secretsmanager:GetSecretValue"): migrate,
    ("maintain", "ConnectToDatabase", "rds-db:connect"): work_daily,
    ("maintain", "FindFiles", "s3:ListBucket"): with_bucket(lambda s3, bucket: s3.list_objects_v2(Bucket=bucket)),
    ("maintain", "FindFiles", "s3:ListBucketVersions"): with_bucket(
        lambda s3, bucket: s3.list_object_versions(Bucket=bucket)
    ),
    ("maintain", "KeepFiles", "s3:DeleteObject"): with_file(lambda s3, name, _: s3.delete_object(**name)),
    ("maintain", "KeepFiles", "s3:DeleteObjectVersion"): with_file(
        lambda s3, name, version: s3.delete_object(**name, VersionId=version)
    ),
    ("maintain", "KeepFiles", "s3:GetObject"): with_file(lambda s3, name, _: s3.get_object(**name)),
    ("maintain", "KeepFiles", "s3:GetObjectVersion"): with_file(
        lambda s3, name, version: s3.get_object(**name, VersionId=version)
    ),
    ("maintain", "KeepFiles", "s3:PutObject"): with_file(lambda s3, name, _: s3.put_object(**name, Body=b"more")),
    ("maintain", "SweepQueues", "sqs:ChangeMessageVisibility"): with_message(
        lambda sqs, url, handle: sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    ),
    ("maintain", "SweepQueues", "sqs:DeleteMessage"): with_message(
        lambda sqs, url, handle: sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    ),
    ("maintain", "SweepQueues", "sqs:GetQueueAttributes"): with_message(
        lambda sqs, url, _: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    ),
    ("maintain", "SweepQueues", "sqs:ReceiveMessage"): with_message(
        lambda sqs, url, _: sqs.receive_message(QueueUrl=url)
    ),
    ("maintain", "SweepQueues", "sqs:SendMessage"): with_message(
        lambda sqs, url, _: sqs.send_message(QueueUrl=url, MessageBody="text")
    ),
    ("monitor", "ConnectToDatabase", "rds-db:connect"): make_report,
    ("monitor", "ReadModels", "s3:GetObject"): make_report,
    ("monitor", "WriteReports", "s3:PutObject"): make_report,
    ("proxy", "ReadSecrets", "secretsmanager:GetSecretValue"): log_in_to_database,
}
