"""The price of a start, held without a clock: what a function imports until its first answer."""

import hashlib
import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_app.telemetry import LambdaHandler
from local.certificates import make_certificates
from tests.events import Context, make_event

ROOT = Path(__file__).parents[2]

# Which of these a first prediction has no use for; each costs from 50 ms (boto3's clients half a second) to seconds.
HEAVY = {
    "boto3",
    "botocore.session",
    "s3transfer",
    "urllib3",
    "requests",
    "tensorflow",
    "keras",
    "numpy",
    "sklearn",
    "scipy",
    "joblib",
    "matplotlib",
    "h5py",
    "prometheus_client",
    "pydantic.v1.main",
    "asn1crypto.x509",
    "aws_lambda_powertools.utilities.batch",
}

# 547 modules with 8.7 MB of bytecode on Python 3.11. boto3 would bring 160 modules more; the room that is left is for
# newer versions of what is here, and for other versions of Python.
MAXIMUM_MODULES = 590
MAXIMUM_BYTECODE_MB = 9.7

SCRIPT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
from lambda_app.handler import api
from types import SimpleNamespace
event = json.load(open(os.path.join(sys.argv[1], "events", "predict.json")))
names = ("aws_request_id", "function_name", "function_version", "memory_limit_in_mb", "invoked_function_arn")
assert api(event, SimpleNamespace(**dict.fromkeys(names, "")))["statusCode"] == 200
loaded = dict(sys.modules)
caches = {getattr(module, "__cached__", None) for module in loaded.values()} - {None}
print(json.dumps({
    "modules": sorted(loaded),
    "opened": opened,
    "bytecode_mb": sum(os.path.getsize(path) for path in caches if os.path.exists(path)) / 1e6,
}))
"""


MODELS_SCRIPT = """
import gc, json, sys
sys.path.insert(0, sys.argv[1])
from lambda_app.handler import api
from tests.events import Context, make_event
from fastapi.openapi.models import OpenAPI
from lambda_app.http import explanations, model, schemas
from pydantic import BaseModel
models = {
    each.__name__: each.__pydantic_complete__
    for module in (explanations, model, schemas)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, BaseModel) and each is not BaseModel
}
before = OpenAPI.__pydantic_complete__
answer = api(make_event("GET", "/openapi.json"), Context())
print(json.dumps({
    "models": models,
    "before": before,
    "after": OpenAPI.__pydantic_complete__,
    "collects": gc.isenabled(),
    "frozen": gc.get_freeze_count(),
    "schema": json.loads(answer["body"]),
}))
"""


BINDING_SCRIPT = """
import ssl, sys
sys.path.insert(0, sys.argv[1])
import lambda_app.handler
from scramp.core import CBindData
content = ssl.PEM_cert_to_DER_cert(open(sys.argv[2]).read())
print(CBindData.from_der(content).data.hex())
"""


@pytest.fixture(scope="module")
def loaded(environment: dict[str, str]) -> dict[str, Any]:
    """What a fresh process has loaded when it has answered its first request."""
    command = [sys.executable, "-c", SCRIPT, str(ROOT)]
    # Twice: the first writes what bytecode is missing.
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_nothing_heavy_is_imported(loaded: dict[str, Any]) -> None:
    assert "lambda_app.handler" in loaded["modules"]
    assert HEAVY & set(loaded["modules"]) == set()


def test_no_file_of_a_page_is_read_before_it_is_asked_for(loaded: dict[str, Any]) -> None:
    assert any(path.endswith("handler.py") or "handler.cpython" in path for path in loaded["opened"])
    assert [path for path in loaded["opened"] if "/lambda_app/http/page/" in path or "/fastapi_swagger/" in path] == []


def test_imports_stay_within_their_budget(loaded: dict[str, Any]) -> None:
    assert len(loaded["modules"]) <= MAXIMUM_MODULES
    assert loaded["bytecode_mb"] <= MAXIMUM_BYTECODE_MB


@pytest.fixture(scope="module")
def wired(environment: dict[str, str]) -> dict[str, Any]:
    """A fresh process that is wired, and then asked for the document."""
    command = [sys.executable, "-c", MODELS_SCRIPT, str(ROOT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_models_of_requests_are_built_at_the_start_and_those_of_the_document_on_demand(
    wired: dict[str, Any], wire: Callable[..., LambdaHandler]
) -> None:
    assert {"PredictionRequest", "BatchRequest", "PredictionResponse", "ExplanationResponse"} <= set(wired["models"])
    assert all(wired["models"].values())
    assert not wired["before"]
    assert wired["after"]
    # In this process FastAPI was imported the plain way.
    plain = wire()(make_event("GET", "/openapi.json"), Context())
    assert wired["schema"] == json.loads(plain["body"])


def test_garbage_is_collected_once_the_function_is_wired(wired: dict[str, Any]) -> None:
    assert wired["collects"]
    assert wired["frozen"] == 0


def test_login_is_still_bound_to_the_certificate_of_the_server(environment: dict[str, str], tmp_path: Path) -> None:
    certificate = make_certificates(tmp_path).ca_path
    command = [sys.executable, "-c", BINDING_SCRIPT, str(ROOT), str(certificate)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    content = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    # By RFC 5929, the hash of the certificate's signature, which is SHA-256 here.
    assert done.stdout.strip() == hashlib.sha256(content).hexdigest()
