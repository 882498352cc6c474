"""Calls of S3 and SQS, by whoever has the role; an administrator makes each with success."""

import json
from collections.abc import Callable
from uuid import uuid4

from lambda_app.model.bundle import POINTER_KEY
from tests.terraform.account import ADMIN, ELSEWHERE
from tests.terraform.stage import Stage

Call = Callable[[Stage, str], object]


def models(stage: Stage) -> str:
    return stage.account.variables("api")["MODEL_BUCKET"]


def records(stage: Stage) -> str:
    return stage.account.variables("api")["QUEUE_URL"]


def dead_letters(stage: Stage) -> str:
    return stage.account.variables("api")["DEAD_LETTER_QUEUE_URL"]


def read_object(bucket: Callable[[Stage], str], key: str) -> Call:
    def read(stage: Stage, role: str) -> object:
        if key != POINTER_KEY:
            stage.client(ADMIN, "s3").put_object(Bucket=bucket(stage), Key=key, Body=b"content")
        return stage.client(role, "s3").get_object(Bucket=bucket(stage), Key=key)

    return read


def write_model(stage: Stage, role: str) -> object:
    return stage.client(role, "s3").put_object(Bucket=models(stage), Key="models/other", Body=b"content")


def move_pointer(stage: Stage, role: str) -> object:
    # Where it is: the functions need it.
    pointer = stage.client(ADMIN, "s3").get_object(Bucket=models(stage), Key=POINTER_KEY)["Body"].read()
    return stage.client(role, "s3").put_object(Bucket=models(stage), Key=POINTER_KEY, Body=pointer)


def delete_object(stage: Stage, role: str) -> object:
    stage.client(ADMIN, "s3").put_object(Bucket=models(stage), Key="models/other", Body=b"content")
    return stage.client(role, "s3").delete_object(Bucket=models(stage), Key="models/other")


def list_objects(stage: Stage, role: str) -> object:
    return stage.client(role, "s3").list_objects_v2(Bucket=models(stage), Prefix="models/")


def change_bucket_policy(stage: Stage, role: str) -> object:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::elsewhere/x"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return stage.client(role, "s3").put_bucket_policy(Bucket=ELSEWHERE, Policy=policy)


def send(queue: Callable[[Stage], str]) -> Call:
    return lambda stage, role: stage.client(role, "sqs").send_message(QueueUrl=queue(stage), MessageBody="text")


def receive(queue: Callable[[Stage], str]) -> Call:
    return lambda stage, role: stage.client(role, "sqs").receive_message(QueueUrl=queue(stage))


def delete_message(queue: Callable[[Stage], str]) -> Call:
    def delete(stage: Stage, role: str) -> object:
        admin = stage.client(ADMIN, "sqs")
        admin.send_message(QueueUrl=queue(stage), MessageBody="text")
        [message] = admin.receive_message(QueueUrl=queue(stage))["Messages"]
        return stage.client(role, "sqs").delete_message(QueueUrl=queue(stage), ReceiptHandle=message["ReceiptHandle"])

    return delete


def ask_attributes(queue: Callable[[Stage], str]) -> Call:
    return lambda stage, role: stage.client(role, "sqs").get_queue_attributes(
        QueueUrl=queue(stage), AttributeNames=["All"]
    )


def purge(stage: Stage, role: str) -> object:
    # One of the test's own, since a queue may be purged once a minute.
    url = stage.client(ADMIN, "sqs").create_queue(QueueName=f"own-{uuid4()}")["QueueUrl"]
    return stage.client(role, "sqs").purge_queue(QueueUrl=url)


def set_attributes(stage: Stage, role: str) -> object:
    attributes = {"VisibilityTimeout": "360"}
    return stage.client(role, "sqs").set_queue_attributes(QueueUrl=records(stage), Attributes=attributes)


def elsewhere_queue(stage: Stage) -> str:
    return stage.account.queue_url(ELSEWHERE)
