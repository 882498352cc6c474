"""Terraform's module tests, the environments' plans, and an environment applied to an emulated AWS, each made once.

Applying and destroying take minutes of waiting, so both go on in the background while other tests run.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws_services import ACCOUNT, REGION
from tests.terraform.applied import (
    STATE_BUCKET,
    Applied,
    apply_environment,
    connect,
    list_inputs,
    plan_environment,
)
from tests.terraform.listing import find_listed
from tests.terraform.program import MODULES, Root, build_environment, copy_sources, require_terraform
from tests.terraform.rendered import RENDERED, Message, Resources, read_resources, run_tests
from tests.terraform.server import serve_aws

ENVIRONMENTS = ("dev", "staging", "prod")
# Each needs a core and a gigabyte.
SIDE_BY_SIDE = 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder in the order in which the environment is applied, read and destroyed."""
    places = [index for index, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    for index, item in zip(places, sorted((items[index] for index in places), key=_rank), strict=True):
        items[index] = item


def _rank(item: pytest.Item) -> int:
    if item.path.name == "test_destroyed.py":
        return 3
    names: list[str] = getattr(item, "fixturenames", [])
    return 2 if "destroying" in names else 1 if "applied" in names else 0


@pytest.fixture(scope="session", autouse=True)
def _apply_early(request: pytest.FixtureRequest) -> None:
    """Begin to apply the environment before the first test of this folder, if a later one needs it."""
    if any("applied" in getattr(item, "fixturenames", []) for item in request.session.items):
        with contextlib.suppress(pytest.skip.Exception):
            request.getfixturevalue("applying")


@pytest.fixture(scope="session")
def terraform_environment() -> dict[str, str]:
    """Return the environment variables of Terraform; skip without Terraform."""
    require_terraform()
    return build_environment()


@pytest.fixture(scope="session")
def module_tests(
    terraform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[Message]]]]:
    """Run each directory's own tests side by side, and return their messages."""
    sources = copy_sources(tmp_path_factory.mktemp("modules"))
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    # First those that other tests wait for.
    names = sorted(MODULES, key=lambda name: name.rpartition("/")[2] not in RENDERED)
    yield {name: pool.submit(run_tests, Root(sources / name, terraform_environment)) for name in names}
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def observability(module_tests: dict[str, Future[list[Message]]]) -> Resources:
    """Return the resources of the module observability with its defaults."""
    return read_resources(module_tests["modules/observability"].result(), "alarms")


@pytest.fixture(scope="session")
def emulated_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an empty emulated AWS and return its URL."""
    log_path = tmp_path_factory.mktemp("emulated_aws") / "server.log"
    with serve_aws("tests.terraform.emulated_aws", log_path) as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="session")
def roots(
    terraform_environment: dict[str, str], emulated_aws: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Root]]:
    """Return each environment's root by name, in an AWS with terraform/bootstrap."""
    sources = copy_sources(tmp_path_factory.mktemp("applied"))
    environment = terraform_environment | {
        "AWS_ENDPOINT_URL": emulated_aws,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    bootstrap = Root(sources / "bootstrap", environment)
    bootstrap.run("init", "-input=false", "-no-color")
    inputs = {
        "account_id": ACCOUNT,
        "region": REGION,
        "github_repository": "owner/name",
        "environments": json.dumps(ENVIRONMENTS),
    }
    arguments = [f"-var={name}={value}" for name, value in inputs.items()]
    main = sources / "environments" / "dev" / "main.tf"
    main.write_text(main.read_text().replace("settings = {", 'settings = {\n alarm_email = "alarms@example.com"'))
    with ThreadPoolExecutor() as pool:
        # The provider waits most of a minute for the bucket's lifecycle. The environments need only the bucket.
        applying = pool.submit(bootstrap.change, "apply", *arguments)
        client = connect(emulated_aws, "s3")
        while not applying.done() and not _has_bucket(client):
            time.sleep(0.2)
        yield {name: Root(sources / "environments" / name, environment) for name in ENVIRONMENTS}
        assert applying.result()["add"] > 0


def _has_bucket(client: object) -> bool:
    try:
        client.head_bucket(Bucket=STATE_BUCKET)  # type: ignore[attr-defined]
    except ClientError:
        return False
    return True


@pytest.fixture(scope="session")
def plans(roots: dict[str, Root]) -> Iterator[dict[str, Future[str]]]:
    """Plan the environments side by side, and return the plans as JSON text."""
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    yield {name: pool.submit(plan_environment, roots[name]) for name in ENVIRONMENTS}
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def applying(roots: dict[str, Root], plans: dict[str, Future[str]], emulated_aws: str) -> Iterator[Future[Applied]]:
    """Apply the environment dev to the emulated AWS in the background."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(lambda: apply_environment(roots["dev"], emulated_aws, plans["dev"].result()))


@pytest.fixture(scope="session")
def applied(applying: Future[Applied]) -> Applied:
    """Return the environment dev once it is applied."""
    return applying.result()


@pytest.fixture(scope="session")
def listed(applied: Applied) -> set[str]:
    """Return the lists of AWS that name a part of the environment, before it is destroyed."""
    return find_listed(applied)


@pytest.fixture(scope="session")
def destroying(applied: Applied, listed: set[str]) -> Iterator[Future[dict[str, int]]]:
    """Destroy the environment in the background. Tests that use this fixture run after all that read it."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(applied.root.change, "destroy", *list_inputs())


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def plan(request: pytest.FixtureRequest, plans: dict[str, Future[str]]) -> dict[str, Any]:
    """Return the first plan of an environment, with its name."""
    return {"environment": request.param, **json.loads(plans[request.param].result())}
