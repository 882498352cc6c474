"""The price of a start, measured without a clock: the imports and files of a function until its first answer."""

import hashlib
import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_app.telemetry import LambdaHandler
from local.aws_services import REPOSITORY
from local.certificates import make_certificates
from tests.functional.helpers import get

# A first prediction has no use for these; each costs from 50 ms (boto3's clients half a second) to seconds.
HEAVY = {
    *("boto3", "botocore.session", "s3transfer", "urllib3", "requests"),
    *("tensorflow", "keras", "numpy", "sklearn", "scipy", "joblib", "matplotlib", "h5py"),
    *("prometheus_client", "pydantic.v1.main", "asn1crypto.x509", "aws_lambda_powertools.utilities.batch"),
}

# 547 modules with 8.7 MB of bytecode on Python 3.11. boto3 would bring 160 modules more; the room that is left is for
# newer versions of what is here, and for other versions of Python.
MAXIMUM_MODULES = 590
MAXIMUM_BYTECODE_MB = 9.7

SCRIPT = """
import gc, json, os, sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
from lambda_app.handler import api
from types import SimpleNamespace
event = json.load(open(os.path.join("events", "predict.json")))
names = ("aws_request_id", "function_name", "function_version", "memory_limit_in_mb", "invoked_function_arn")
context = SimpleNamespace(**dict.fromkeys(names, ""))
collects, frozen = gc.isenabled(), gc.get_freeze_count()
http = [module for name, module in sys.modules.items() if name.startswith("lambda_app.http.")]
built = {
    each.__name__: each.__pydantic_complete__
    for module in http
    for each in vars(module).values()
    if hasattr(each, "__pydantic_complete__") and each.__module__ == module.__name__
}
assert api(event, context)["statusCode"] == 200
loaded, opened_until_now = dict(sys.modules), list(opened)
caches = {getattr(module, "__cached__", None) for module in loaded.values()} - {None}
OpenAPI = loaded["fastapi.openapi.models"].OpenAPI
was_built = OpenAPI.__pydantic_complete__
from tests.events import make_event
answer = api(make_event("GET", "/openapi.json"), context)
print(json.dumps({
    "modules": sorted(loaded),
    "opened": opened_until_now,
    "bytecode_mb": sum(os.path.getsize(path) for path in caches if os.path.exists(path)) / 1e6,
    "collects": collects,
    "frozen": frozen,
    "models": built,
    "openapi_models": [was_built, OpenAPI.__pydantic_complete__],
    "openapi": json.loads(answer["body"]),
}))
"""


BINDING_SCRIPT = """
import ssl, sys
import lambda_app.handler
from scramp.core import CBindData
content = ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read())
print(CBindData.from_der(content).data.hex())
"""


@pytest.fixture(scope="module")
def started(environment: dict[str, str]) -> dict[str, Any]:
    """Facts of a fresh process that answered a prediction, and then a request for the document."""
    # Twice: the first writes what bytecode is missing.
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_start_without_a_candidate_imports_nothing_for_one(started: dict[str, Any]) -> None:
    assert "lambda_app.model.current" in started["modules"]
    assert "lambda_app.model.trial" not in started["modules"]


def test_nothing_heavy_is_imported(started: dict[str, Any]) -> None:
    assert "lambda_app.handler" in started["modules"]
    assert HEAVY & set(started["modules"]) == set()


def test_no_file_of_a_page_is_read_before_it_is_asked_for(started: dict[str, Any]) -> None:
    assert any("/lambda_app/" in path and "handler" in path for path in started["opened"])
    assert [path for path in started["opened"] if "/http/page/" in path or "/fastapi_swagger/" in path] == []


def test_imports_stay_within_their_budget(started: dict[str, Any]) -> None:
    assert len(started["modules"]) <= MAXIMUM_MODULES
    assert started["bytecode_mb"] <= MAXIMUM_BYTECODE_MB


def test_models_of_requests_are_built_at_the_start_and_those_of_the_document_on_demand(
    started: dict[str, Any], api: LambdaHandler
) -> None:
    assert {"PredictionRequest", "BatchRequest", "PredictionResponse", "ExplanationResponse"} <= set(started["models"])
    assert [name for name, is_built in started["models"].items() if not is_built] == ["PerformanceResponse"]
    assert started["openapi_models"] == [False, True]
    # In this process FastAPI was imported the plain way.
    assert started["openapi"] == get(api, "/openapi.json")["body"]


def test_garbage_is_collected_once_the_function_is_wired(started: dict[str, Any]) -> None:
    assert (started["collects"], started["frozen"]) == (True, 0)


def test_login_is_still_bound_to_the_certificate_of_the_server(environment: dict[str, str], tmp_path: Path) -> None:
    certificate = make_certificates(tmp_path).ca_path
    command = [sys.executable, "-c", BINDING_SCRIPT, str(certificate)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    content = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    # By RFC 5929, the hash of the certificate's signature, which is SHA-256 here.
    assert done.stdout.strip() == hashlib.sha256(content).hexdigest()
