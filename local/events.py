"""`python -m local.events`: writes the sample events anew, with the answers that a fresh stack gives to them.

Run it after a change of `problem/` or of the API, and read the difference. Of an event only what follows from the table
and the project's name is written; the rest is as it stands in the file. It also writes `problem/columns.json`, by which
Terraform knows the features.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lambda_app import handler
from lambda_app.http.schemas import (
    EXAMPLE_ANSWER,
    EXAMPLE_OUTCOME,
    EXAMPLE_REQUEST,
    EXAMPLE_SUBJECT,
    REFUSED_FEATURE,
)
from lambda_app.log.message import encode_messages
from lambda_app.log.record import PredictionRecord
from lambda_app.model.bundle import MANIFEST
from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, PREFIX, REPLAY_ROLE
from lambda_app.table import Kind
from lambda_app.telemetry import LambdaHandler
from local.aws_client import connect_aws
from local.aws_services import ACCOUNT, BUCKET, DEAD_LETTER_QUEUE, QUEUE, RECORDS_BUCKET, REGION
from local.cluster import PASSWORD
from local.environment import build_service_environment
from local.errors import StackError
from local.poller import Context
from local.postgres import DATABASE, USER
from local.seed import prepare_service
from local.stack import running_stack
from problem.table import TABLE
from training.decision import Decision
from training.errors import TrainingError
from training.options import make_app, report_errors
from training.promotion import try_version
from training.provide import ensure_model
from training.registry import publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

app = make_app()

EVENTS = Path("events")
COLUMNS = Path("problem/columns.json")
ANSWER = ".answer.json"
# Of functions whose answers depend on the rows and the time.
UNANSWERED = ("maintain_", "monitor_")
# By Athena's names. Exported files have these types.
COLUMN_TYPES = {Kind.REAL: "double", Kind.INTEGER: "bigint", Kind.CHOICES: "smallint"}

# Events for an api whose pointer has a candidate of this name in a canary of all requests. As it has no time in it, it
# stands in the answers as it is.
CANARY_EVENTS = "_canary"
CANDIDATE = "candidate"

# What stands in an answer for a text that is new each time.
PATTERNS = {
    "<uuid>": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<utc-time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z",
    "<model-version>": r"\d{8}T\d{6}Z-[0-9a-f]{8}",
    "<etag>": r'"[0-9a-f]{32}"',
    "<etag-gzip>": r'"[0-9a-f]{32}-gzip"',
    "<gzip-base64>": r"H4sI[A-Za-z0-9+/]+=*",
    "<html>": r"<!DOCTYPE html>.*",
    "<count>": r"\d+",
}
# The numbers that another training or another run changes; where one is an object, all in it.
NUMBERS = {
    *("prediction", "lower", "upper", "base_value", "contributions", "standard_errors", "response_time_ms"),
    *("typical", "training_minimum", "training_maximum", "mean"),
}


def make_bodies() -> dict[str, str]:
    """The bodies that follow from the table, by the name of their event."""
    first, *_, last = TABLE.names
    sound = json.dumps(EXAMPLE_REQUEST)
    wrong = {
        **EXAMPLE_REQUEST,
        first: TABLE.features[0].minimum - 1,
        REFUSED_FEATURE.name: REFUSED_FEATURE.maximum + 1,
        "colour": "red",
    }
    del wrong[last]
    return {
        **dict.fromkeys(("predict", "predict_canary", "predict_malformed_key", "explain"), sound),
        "predict_base64": base64.b64encode(sound.encode()).decode(),
        "predict_batch": json.dumps({TABLE.cases: [{**EXAMPLE_REQUEST, "subject": EXAMPLE_SUBJECT}, EXAMPLE_REQUEST]}),
        "predict_invalid": json.dumps(wrong),
        "outcomes": json.dumps({"outcomes": [EXAMPLE_OUTCOME]}),
        "predict_not_a_number": json.dumps({**EXAMPLE_REQUEST, first: float("nan")}),
    }


def make_message() -> str:
    """A record as the api puts it into the queue."""
    record = PredictionRecord(
        request_id=UUID("7e0f9a52-0c5e-4d0a-9a53-3b1d1c9f2e64"),
        created_at=datetime.fromisoformat("2026-11-23T15:21:40.027564+00:00"),
        features={name: float(value) for name, value in EXAMPLE_REQUEST.items()},
        prediction=float(EXAMPLE_ANSWER["prediction"]),
        interval_lower=EXAMPLE_ANSWER["interval"]["lower"],
        interval_upper=EXAMPLE_ANSWER["interval"]["upper"],
        interval_coverage=EXAMPLE_ANSWER["interval"]["coverage"],
        model_version=EXAMPLE_ANSWER["model_version"],
        latency_ms=1.5,
    )
    [message] = encode_messages([record])
    return message


def make_environment() -> dict[str, Any]:
    """The variables for `sam local`, whose containers see the stack of `make run` by the name of their host."""
    host = "host.docker.internal"
    aws = f"http://{host}:8002"
    shared = {
        **{"MODEL_BUCKET": BUCKET, "DATABASE_HOST": host, "DATABASE_PORT": "8001", "DATABASE_NAME": DATABASE},
        **{"DATABASE_PASSWORD": PASSWORD, "DATABASE_TLS": "off", "QUEUE_URL": f"{aws}/{ACCOUNT}/{QUEUE}"},
        **{"DEAD_LETTER_QUEUE_URL": f"{aws}/{ACCOUNT}/{DEAD_LETTER_QUEUE}", "AWS_ENDPOINT_URL": aws},
        "RECORDS_BUCKET": RECORDS_BUCKET,
    }
    users = {
        "ApiFunction": API_ROLE,
        "ReplayFunction": REPLAY_ROLE,
        "MigrateFunction": USER,
        "MaintainFunction": MAINTAIN_ROLE,
        "MonitorFunction": MONITOR_ROLE,
    }
    return {"Parameters": shared, **{function: {"DATABASE_USER": user} for function, user in users.items()}}


def list_columns() -> list[dict[str, str]]:
    """The columns of the features in exported files."""
    return [{"name": feature.name, "type": COLUMN_TYPES[feature.kind]} for feature in TABLE.features]


def write_events(directory: Path, api: LambdaHandler, canary: LambdaHandler, replay: LambdaHandler) -> None:
    """Write the events in `directory` anew, and beside each the answer of its function; `canary` is an api with one.

    Those of maintain and monitor have no answer here.
    """
    bodies = make_bodies()
    _write(directory / "env.json", make_environment())
    for function, task in (("maintain", "daily"), ("maintain", "status"), ("monitor", "report")):
        _write(directory / f"{function}_{task}.json", {"task": task})
    for path in sorted(directory.glob("*.json")):
        if path.name == "env.json" or path.name.startswith(UNANSWERED) or path.name.endswith(ANSWER):
            continue
        event = json.loads(path.read_bytes())
        if path.stem in bodies:
            event["body"] = body = bodies[path.stem]
            size = len(base64.b64decode(body) if event["isBase64Encoded"] else body.encode())
            event["headers"]["content-length"] = str(size)
        if path.stem == "replay":
            _fill_message(event["Records"][0], make_message())
        _write(path, event)
        handle = replay if path.stem == "replay" else canary if path.stem.endswith(CANARY_EVENTS) else api
        answer = handle(event, Context())
        _write(path.with_name(path.stem + ANSWER), mask(_sort(read_body(answer))))


def read_body(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer with its body as what the JSON says."""
    if answer.get("body") and "json" in answer["headers"]["content-type"]:
        return {**answer, "body": json.loads(answer["body"])}
    return dict(answer)


def _sort(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with its parts in HTTP's order, and its headers by name."""
    if "headers" not in answer:
        return answer
    headers = dict(sorted(answer["headers"].items()))
    return {"statusCode": answer["statusCode"], "headers": headers} | {**answer, "headers": headers}


def mask(value: Any, name: str = "") -> Any:
    """The value with placeholders for what is new each time; `name` is the member that it is of."""
    if isinstance(value, dict):
        return {key: mask(each, name if name in NUMBERS else key) for key, each in value.items()}
    if isinstance(value, list):
        return [mask(each, name) for each in value]
    if name == "content-length":
        return "<count>"
    if isinstance(value, str):
        return next((text for text, pattern in PATTERNS.items() if re.fullmatch(pattern, value, re.DOTALL)), value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "<number>" if name in NUMBERS and is_number else value


def _fill_message(record: dict[str, Any], message: str) -> None:
    record["body"] = message
    record["attributes"]["SenderId"] = f"AROAEXAMPLE:{PREFIX}-api"
    record["md5OfBody"] = hashlib.md5(message.encode(), usedforsecurity=False).hexdigest()
    record["eventSourceARN"] = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def start_canary(client: "S3Client", bucket: str, bundle: Path, directory: Path) -> None:
    """Publish the model under another version too, which answers all requests from now on."""
    candidate = shutil.copytree(bundle, directory / CANDIDATE)
    manifest = json.loads((candidate / MANIFEST).read_bytes())
    _write(candidate / MANIFEST, {**manifest, "version": CANDIDATE})
    publish_bundle(client, bucket, candidate)
    try_version(client, bucket, CANDIDATE, "canary", 1.0, Decision("nobody", "sample events"))


@app.command()
def main() -> None:
    """Write the sample events anew, with the answers that a fresh stack gives to them."""
    with (
        report_errors(StackError, TrainingError),
        tempfile.TemporaryDirectory() as directory,
        running_stack(Path(directory), http_port=0) as stack,
    ):
        _write(COLUMNS, list_columns())
        bundle = ensure_model()
        prepare_service(stack, bundle)

        def wire(function: Any, **changed: str) -> LambdaHandler:
            os.environ.update(build_service_environment(stack, function) | changed)
            vars(handler).pop(function, None)
            wired: LambdaHandler = getattr(handler, function)
            return wired

        # The functions log what they do.
        with contextlib.redirect_stdout(io.StringIO()):
            # It asks for the pointer once.
            api = wire("api", MODEL_REFRESH_SECONDS="3600")
            start_canary(connect_aws("s3", stack.aws.endpoint_url), stack.aws.bucket, bundle, Path(directory))
            write_events(EVENTS, api, wire("api"), wire("replay"))
    print(f"Wrote the events and answers in {EVENTS}, and {COLUMNS}.")


if __name__ == "__main__":
    app(prog_name="python -m local.events")
